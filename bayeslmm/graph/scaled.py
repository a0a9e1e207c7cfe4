"""Coefficients are sampled in units of what they may be: samplers start a unit off, or two."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.graph.numbers import f64

Floats = NDArray[np.float64]


@cache
def _transform() -> type[Any]:
    import pytensor.tensor as pt
    from pymc.logprob.transforms import Transform

    class Scaled(Transform):  # type: ignore[misc]
        """The value over its unit."""

        name = "scaled"

        def __init__(self, unit: Floats) -> None:
            self.unit = unit

        def forward(self, value: Any, *inputs: Any) -> Any:
            return value / f64(self.unit)

        def backward(self, value: Any, *inputs: Any) -> Any:
            return value * f64(self.unit)

        def log_jac_det(self, value: Any, *inputs: Any) -> Any:
            return pt.zeros_like(value) + f64(np.log(self.unit))

        def __reduce__(self) -> Any:
            return scaled, (self.unit,)

    return Scaled


def scaled(unit: Floats) -> Any:
    """The PyMC transform by which a variable is sampled in a unit."""
    return _transform()(unit)

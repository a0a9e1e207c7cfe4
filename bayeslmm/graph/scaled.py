"""Coefficients are sampled in units of what they may be: samplers start a unit off, or two."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.graph.numbers import f64
from bayeslmm.model import Model

Floats = NDArray[np.float64]


def coefficient_units(model: Model) -> Floats:
    """For each fixed column the coefficient that moves the predictor by about its own spread.

    Whatever the units of covariate and response are, a step of one in these is of middle size.
    """
    X = model.design.X[:, list(model.columns)]
    sd = X.std(axis=0)
    size = np.abs(X).max(axis=0, initial=0.0)
    spread = float(model.design.y.std()) if model.link.name == "identity" else 1.0
    if model.family.categorical or model.prefix:
        spread = 1.0
    return np.asarray((spread or 1.0) / np.where(sd > 1e-12 * size, sd, 1.0))


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

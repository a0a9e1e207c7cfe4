"""First-order autoregression over ordered occasions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.covariance.correlation import Correlation, Floats, Ints, Parameter, Places
from bayeslmm.priors import Uniform


@dataclass(frozen=True)
class Autoregressive(Correlation):
    """`ar1`: rho to the power of the number of steps; a gap counts its steps."""

    name: ClassVar[str] = "ar1"
    places: ClassVar[str] = "order"

    def parameters(self, places: Places) -> tuple[Parameter, ...]:
        return (Parameter("rho", -1.0, 1.0, 0.3, Uniform(-1.0, 1.0)),)

    def matrix(self, values: Floats, places: Places) -> Floats:
        return _power(values[:, 0, None, None], places.distances)

    def steps(self, values: Floats, places: Places, before: Ints, after: Ints) -> Floats:
        return _power(values[:, :1], np.abs(places.at[after, 0] - places.at[before, 0]))


def _power(rho: Floats, steps: Floats) -> Floats:
    whole = np.rint(steps)
    return np.asarray(np.abs(rho) ** whole * np.where((whole % 2 == 1) & (rho < 0), -1.0, 1.0))

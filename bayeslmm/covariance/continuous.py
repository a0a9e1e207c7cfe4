"""First-order autoregression in continuous time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.covariance.correlation import (
    FAR,
    FARTHEST,
    Correlation,
    Floats,
    Ints,
    Parameter,
    Places,
)
from bayeslmm.priors import Uniform

LEAST = 1e-300  # a correlation at one unit of time: more units of no correlation are none
REACH = (float(-np.log(-np.log(LEAST))), 36.0)  # of a coordinate: beyond, float64 holds no other


@dataclass(frozen=True)
class ContinuousAutoregressive(Correlation):
    """`car1`: rho, the correlation at one unit of time, to the power of the time between."""

    name: ClassVar[str] = "car1"
    places: ClassVar[str] = "points"

    def parameters(self, places: Places) -> tuple[Parameter, ...]:
        # the start is a correlation of one half over a tenth of the time that there is
        start = float(np.clip(0.5 ** (10.0 / places.reach[1]), LEAST, 1 - 1e-15))
        return (Parameter("rho", 0.0, 1.0, start, Uniform(0.0, 1.0)),)

    def constrain(self, z: Floats, places: Places) -> tuple[Floats, Floats]:
        """z is the log of the time over which the correlation falls to 1/e: no unit of time is
        better than another."""
        log_jacobian = -np.exp(-np.maximum(z, -FARTHEST)) - z
        return np.exp(-np.exp(-np.clip(z, *REACH))), np.asarray(log_jacobian)[..., 0]

    def free(self, values: Floats, places: Places) -> Floats:
        with np.errstate(divide="ignore"):
            return np.clip(-np.log(-np.log(values)), *REACH)

    def edges(self, values: Floats, places: Places) -> list[str | None]:
        """By the time over which the correlation falls to 1/e: rho is near 1 in a small unit."""
        with np.errstate(divide="ignore"):
            over = float(-1.0 / np.log(values[0])) if values[0] > 0 else 0.0
        near, far = places.reach
        return ["1" if over > FAR * far else "0" if over < near / FAR else None]

    def matrix(self, values: Floats, places: Places) -> Floats:
        return np.asarray(values[:, 0, None, None] ** places.distances)

    def steps(self, values: Floats, places: Places, before: Ints, after: Ints) -> Floats | None:
        if places.at.shape[1] > 1:
            return None
        return np.asarray(values[:, :1] ** np.abs(places.at[after, 0] - places.at[before, 0]))

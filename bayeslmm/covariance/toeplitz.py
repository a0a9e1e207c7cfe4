"""A correlation of its own for every lag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance.correlation import Correlation, Floats, Parameter, Places
from bayeslmm.priors import Flat

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Toeplitz(Correlation):
    """`toep`: equally spaced occasions, correlations rho1, rho2, … by lag.

    Free coordinates are the partial autocorrelations' inverse hyperbolic tangents, which may be
    anything; the Durbin-Levinson recursion makes correlations of them (Barndorff-Nielsen & Schou,
    1973, J. Multivar. Anal. 3(4)).
    """

    name: ClassVar[str] = "toep"
    homogeneous: ClassVar[bool] = False
    places: ClassVar[str] = "order"
    joint: ClassVar[bool] = True

    def parameters(self, places: Places) -> tuple[Parameter, ...]:
        return tuple(
            Parameter(f"rho{lag}", -1.0, 1.0, 0.3 / lag, Flat()) for lag in range(1, _lags(places))
        )

    def constrain(self, z: Floats, places: Places) -> tuple[Floats, Floats]:
        partial = np.tanh(z)
        size = np.abs(z)
        rest = 2 * (np.log(2.0) - size - np.log1p(np.exp(-2 * size)))  # log(1 - partial²)
        out = np.empty_like(partial)
        coefficients = np.empty((len(z), 0))
        left, log_jacobian = np.ones(len(z)), np.zeros(len(z))
        for i in range(z.shape[1]):
            known = np.sum(coefficients * out[:, :i][:, ::-1], axis=1)
            out[:, i] = known + left * partial[:, i]
            log_jacobian += rest[:, :i].sum(axis=1) + rest[:, i]
            own = partial[:, i : i + 1]
            coefficients = np.hstack([coefficients - own * coefficients[:, ::-1], own])
            left = left * np.exp(rest[:, i])
        return out, log_jacobian

    def free(self, values: Floats, places: Places) -> Floats:
        flat = values.reshape(-1, values.shape[-1])
        partial = np.empty_like(flat)
        coefficients = np.empty((len(flat), 0))
        left = np.ones(len(flat))
        for i in range(flat.shape[1]):
            known = np.sum(coefficients * flat[:, :i][:, ::-1], axis=1)
            partial[:, i] = np.clip((flat[:, i] - known) / left, -1 + 1e-12, 1 - 1e-12)
            own = partial[:, i : i + 1]
            coefficients = np.hstack([coefficients - own * coefficients[:, ::-1], own])
            left = np.maximum(left * (1 - partial[:, i] ** 2), 1e-300)
        return np.asarray(np.arctanh(partial).reshape(values.shape))

    def covers(self, places: Places, at: Floats) -> Flags:
        """Between the first place and the last: a longer lag has no correlation."""
        return np.asarray((at[:, 0] >= places.at.min()) & (at[:, 0] <= places.at.max()))

    def matrix(self, values: Floats, places: Places) -> Floats:
        lag = np.rint(places.distances).astype(np.intp)
        by_lag = np.concatenate([np.ones((len(values), 1)), values], axis=1)
        return np.asarray(by_lag[:, lag])


def _lags(places: Places) -> int:
    return round(float(places.at.max() - places.at.min())) + 1

"""Autoregression and moving average, each of the first order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.covariance.correlation import Correlation, Floats, Parameter, Places
from bayeslmm.priors import Uniform


@dataclass(frozen=True)
class AutoregressiveMovingAverage(Correlation):
    """`arma`: e_t = phi e_(t-1) + a_t + theta a_(t-1).

    The first correlation is (1 + phi theta)(phi + theta) / (1 + 2 phi theta + theta²), and each
    step more multiplies it by phi (Box, Jenkins & Reinsel, 1994, eq. 3.4.7).
    """

    name: ClassVar[str] = "arma"
    places: ClassVar[str] = "order"

    def parameters(self, places: Places) -> tuple[Parameter, ...]:
        return (
            Parameter("phi", -1.0, 1.0, 0.3, Uniform(-1.0, 1.0)),
            Parameter("theta", -1.0, 1.0, 0.1, Uniform(-1.0, 1.0)),
        )

    def matrix(self, values: Floats, places: Places) -> Floats:
        phi, theta = values[:, 0, None, None], values[:, 1, None, None]
        first = (1 + phi * theta) * (phi + theta) / (1 + 2 * phi * theta + theta**2)
        lag = np.rint(places.distances)
        more = np.maximum(lag - 1, 0)
        sign = np.where((more % 2 == 1) & (phi < 0), -1.0, 1.0)
        return np.asarray(np.where(lag == 0, 1.0, first * np.abs(phi) ** more * sign))

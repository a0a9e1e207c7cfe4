"""Counts without an upper limit."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.families.base import Family, Floats, Parameters, Response


class Poisson(Family):
    """y ~ Poisson(mu)."""

    name: ClassVar[str] = "poisson"
    links: ClassVar[tuple[str, ...]] = ("log", "identity", "sqrt")
    discrete: ClassVar[bool] = True

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return ~(np.isfinite(y) & (y >= 0) & (y == np.floor(y))), "whole numbers, not negative"

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        return np.asarray(special.xlogy(y, mu) - mu - special.gammaln(y + 1))

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        return mu

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        return rng.poisson(mu).astype(np.float64)

    def centre(self, response: Response, trials: Floats | None = None) -> float:
        return max(response.mean, 0.5 / len(response.y))

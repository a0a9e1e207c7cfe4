"""Counts without an upper limit."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy import special

from bayeslmm.families.base import Floats, Parameters
from bayeslmm.families.counts import Counts, poisson


class Poisson(Counts):
    """y ~ Poisson(mu)."""

    name: ClassVar[str] = "poisson"

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
        return poisson(mu, rng)

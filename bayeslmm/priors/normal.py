"""The normal density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.priors.base import Floats, NormalMixture, Prior, require_positive


@dataclass(frozen=True, slots=True)
class Normal(Prior):
    """N(mu, sigma²)."""

    name: ClassVar[str] = "normal"

    mu: float
    sigma: float

    def __post_init__(self) -> None:
        require_positive(self, "sigma")

    def log_density(self, x: Floats) -> Floats:
        z = (x - self.mu) / self.sigma
        return -0.5 * z**2 - np.log(self.sigma) - 0.5 * np.log(2 * np.pi)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        return rng.normal(self.mu, self.sigma, size)

    def normal_mixture(self) -> NormalMixture:
        return NormalMixture(self.mu, self.sigma, np.inf)

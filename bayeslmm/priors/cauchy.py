"""The Cauchy density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.priors.base import Floats, NormalMixture, Prior, require_positive


@dataclass(frozen=True, slots=True)
class Cauchy(Prior):
    """Cauchy with location `mu` and scale `sigma`."""

    name: ClassVar[str] = "cauchy"

    mu: float
    sigma: float

    def __post_init__(self) -> None:
        require_positive(self, "sigma")

    def log_density(self, x: Floats) -> Floats:
        z = (x - self.mu) / self.sigma
        return -np.log(np.pi * self.sigma) - np.log1p(z**2)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        return self.mu + self.sigma * rng.standard_cauchy(size)

    def normal_mixture(self) -> NormalMixture:
        return NormalMixture(self.mu, self.sigma, 1.0)

"""The log-normal density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.priors.base import Floats, Prior, require_positive


@dataclass(frozen=True, slots=True)
class LogNormal(Prior):
    """exp(N(mu, sigma²))."""

    name: ClassVar[str] = "lognormal"
    support: ClassVar[str] = "positive"

    mu: float
    sigma: float

    def __post_init__(self) -> None:
        require_positive(self, "sigma")

    def log_density(self, x: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            log_x = np.log(x)
            log_p = -0.5 * ((log_x - self.mu) / self.sigma) ** 2 - log_x - np.log(self.sigma)
        return np.where(x > 0, log_p - 0.5 * np.log(2 * np.pi), -np.inf)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        return rng.lognormal(self.mu, self.sigma, size)

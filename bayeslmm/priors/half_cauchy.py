"""The half-Cauchy density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.priors.base import Floats, Prior, require_positive


@dataclass(frozen=True, slots=True)
class HalfCauchy(Prior):
    """|Cauchy(0, sigma)| (Gelman, 2006, Bayesian Analysis 1, sec. 3.2)."""

    name: ClassVar[str] = "half_cauchy"
    support: ClassVar[str] = "positive"

    sigma: float

    def __post_init__(self) -> None:
        require_positive(self, "sigma")

    def log_density(self, x: Floats) -> Floats:
        log_p = np.log(2 / (np.pi * self.sigma)) - np.log1p((x / self.sigma) ** 2)
        return np.where(x >= 0, log_p, -np.inf)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        return np.abs(self.sigma * rng.standard_cauchy(size))

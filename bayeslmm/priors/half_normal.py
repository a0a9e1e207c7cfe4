"""The half-normal density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.priors.base import Floats, Prior, require_positive


@dataclass(frozen=True, slots=True)
class HalfNormal(Prior):
    """|N(0, sigma²)|."""

    name: ClassVar[str] = "half_normal"
    support: ClassVar[str] = "positive"

    sigma: float

    def __post_init__(self) -> None:
        require_positive(self, "sigma")

    def log_density(self, x: Floats) -> Floats:
        z = x / self.sigma
        log_p = 0.5 * np.log(2 / np.pi) - np.log(self.sigma) - 0.5 * z**2
        return np.where(x >= 0, log_p, -np.inf)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        return np.abs(rng.normal(0.0, self.sigma, size))

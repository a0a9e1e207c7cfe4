"""The exponential density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.priors.base import Floats, Prior, require_positive


@dataclass(frozen=True, slots=True)
class Exponential(Prior):
    """Exponential with `rate` (mean 1/rate)."""

    name: ClassVar[str] = "exponential"
    support: ClassVar[str] = "positive"

    rate: float

    def __post_init__(self) -> None:
        require_positive(self, "rate")

    def log_density(self, x: Floats) -> Floats:
        return np.where(x >= 0, np.log(self.rate) - self.rate * x, -np.inf)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        return rng.exponential(1.0 / self.rate, size)

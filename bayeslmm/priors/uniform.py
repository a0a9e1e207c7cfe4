"""The uniform density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.errors import PriorError
from bayeslmm.priors.base import Floats, Prior, require_finite


@dataclass(frozen=True, slots=True)
class Uniform(Prior):
    """Uniform between `lower` and `upper`."""

    name: ClassVar[str] = "uniform"
    support: ClassVar[str] = "interval"

    lower: float
    upper: float

    def __post_init__(self) -> None:
        require_finite(self)
        if not self.lower < self.upper:
            raise PriorError("The bounds of a uniform prior must be increasing", got=str(self))

    def log_density(self, x: Floats) -> Floats:
        inside = (x >= self.lower) & (x <= self.upper)
        return np.where(inside, -np.log(self.upper - self.lower), -np.inf)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        return rng.uniform(self.lower, self.upper, size)

    def allows(self, lower: float) -> bool:
        return self.lower >= lower

    def within(self, lower: float, upper: float) -> bool:
        return self.lower >= lower and self.upper <= upper

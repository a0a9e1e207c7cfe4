"""The beta density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import special

from bayeslmm.priors.base import Floats, Prior, require_positive


@dataclass(frozen=True, slots=True)
class Beta(Prior):
    """x^(alpha - 1) (1 - x)^(beta - 1) / B(alpha, beta) between 0 and 1."""

    name: ClassVar[str] = "beta"
    support: ClassVar[str] = "interval"

    alpha: float
    beta: float

    def __post_init__(self) -> None:
        require_positive(self, "alpha", "beta")

    @property
    def lower(self) -> float:
        return 0.0

    @property
    def upper(self) -> float:
        return 1.0

    def log_density(self, x: Floats) -> Floats:
        inside = (x >= 0) & (x <= 1)
        at = np.where(inside, x, 0.5)
        log_p = special.xlogy(self.alpha - 1, at) + special.xlog1py(self.beta - 1, -at)
        return np.where(inside, log_p - special.betaln(self.alpha, self.beta), -np.inf)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        return rng.beta(self.alpha, self.beta, size)

    def allows(self, lower: float) -> bool:
        return lower <= 0.0

    def within(self, lower: float, upper: float) -> bool:
        return lower <= 0.0 and upper >= 1.0

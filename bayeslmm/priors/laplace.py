"""The Laplace (double exponential) density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.priors.base import Floats, Prior, require_positive


@dataclass(frozen=True, slots=True)
class Laplace(Prior):
    """exp(-|x - mu| / b) / (2 b)."""

    name: ClassVar[str] = "laplace"

    mu: float
    b: float

    def __post_init__(self) -> None:
        require_positive(self, "b")

    def log_density(self, x: Floats) -> Floats:
        return -np.abs(x - self.mu) / self.b - np.log(2 * self.b)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        return rng.laplace(self.mu, self.b, size)

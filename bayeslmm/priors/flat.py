"""The flat, improper density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.errors import PriorError
from bayeslmm.priors.base import Floats, NormalMixture, Prior


@dataclass(frozen=True, slots=True)
class Flat(Prior):
    """Density one everywhere in the support of the parameter."""

    name: ClassVar[str] = "flat"

    def log_density(self, x: Floats) -> Floats:
        return np.zeros_like(x, dtype=np.float64)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        raise PriorError(
            "A flat prior has no draws: it is improper",
            hint="Give a proper prior, such as normal(0, 10) or half_normal(10)",
        )

    def is_proper(self) -> bool:
        return False

    def allows(self, lower: float) -> bool:
        return True

    def within(self, lower: float, upper: float) -> bool:
        return True

    def normal_mixture(self) -> NormalMixture:
        return NormalMixture(0.0, np.inf, np.inf)

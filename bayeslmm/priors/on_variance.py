"""A density given for the variance, seen as one for the standard deviation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.priors.base import Floats, Prior


@dataclass(frozen=True, slots=True)
class OnVariance(Prior):
    """s such that s² has the `inner` density: p(s) = 2 s p_inner(s²)."""

    name: ClassVar[str] = "on_variance"
    support: ClassVar[str] = "positive"

    inner: Prior

    def log_density(self, x: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            log_p = self.inner.log_density(x**2) + np.log(2 * x)
        return np.where(x > 0, log_p, -np.inf)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        return np.sqrt(self.inner.draw(rng, size))

    def is_proper(self) -> bool:
        return self.inner.is_proper()

    def __str__(self) -> str:
        return str(self.inner)

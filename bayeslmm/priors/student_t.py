"""Student's t, shifted and scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.priors.base import (
    Floats,
    NormalMixture,
    Prior,
    require_positive,
    student_t_log_density,
)


@dataclass(frozen=True, slots=True)
class StudentT(Prior):
    """t on `nu` degrees of freedom with location `mu` and scale `sigma`."""

    name: ClassVar[str] = "student_t"

    nu: float
    mu: float
    sigma: float

    def __post_init__(self) -> None:
        require_positive(self, "nu", "sigma")

    def log_density(self, x: Floats) -> Floats:
        return student_t_log_density((x - self.mu) / self.sigma, self.nu) - np.log(self.sigma)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        return self.mu + self.sigma * rng.standard_t(self.nu, size)

    def normal_mixture(self) -> NormalMixture:
        return NormalMixture(self.mu, self.sigma, self.nu)

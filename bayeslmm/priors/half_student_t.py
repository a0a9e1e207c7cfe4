"""Half of Student's t."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.errors import PriorError
from bayeslmm.priors.base import Floats, Prior, number, require_positive, student_t_log_density


@dataclass(frozen=True, slots=True)
class HalfStudentT(Prior):
    """|t| on `nu` degrees of freedom, folded at `mu = 0`, with scale `sigma`."""

    name: ClassVar[str] = "half_student_t"
    support: ClassVar[str] = "positive"

    nu: float
    mu: float
    sigma: float

    def __post_init__(self) -> None:
        require_positive(self, "nu", "sigma")
        if self.mu != 0:
            raise PriorError(
                "A half-Student-t prior is folded at zero: its location must be 0",
                got=number(self.mu),
            )

    def log_density(self, x: Floats) -> Floats:
        log_p = np.log(2.0) + student_t_log_density(x / self.sigma, self.nu) - np.log(self.sigma)
        return np.where(x >= 0, log_p, -np.inf)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        return np.abs(self.sigma * rng.standard_t(self.nu, size))

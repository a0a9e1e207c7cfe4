"""The inverse-gamma density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import special

from bayeslmm.priors.base import Floats, Prior, require_positive


@dataclass(frozen=True, slots=True)
class InverseGamma(Prior):
    """1/Gamma: shape `alpha`, scale `beta`."""

    name: ClassVar[str] = "inverse_gamma"
    support: ClassVar[str] = "positive"

    alpha: float
    beta: float

    def __post_init__(self) -> None:
        require_positive(self, "alpha", "beta")

    def log_density(self, x: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            log_p = (
                self.alpha * np.log(self.beta)
                - special.gammaln(self.alpha)
                - (self.alpha + 1) * np.log(x)
                - self.beta / x
            )
        return np.where(x > 0, log_p, -np.inf)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        return self.beta / rng.gamma(self.alpha, 1.0, size)

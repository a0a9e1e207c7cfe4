"""R2D2: a prior on the share of variance that the slopes explain (Zhang et al., 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import special

from bayeslmm.errors import PriorError
from bayeslmm.priors.base import Floats, number, require_positive
from bayeslmm.priors.joint import Drawn, JointPrior


@dataclass(frozen=True, slots=True)
class R2D2(JointPrior):
    """scale_k² = unit_k² phi_k R²/(1 - R²), phi ~ Dirichlet(concentration).

    R² ~ Beta(mean_R2 prec_R2, (1 - mean_R2) prec_R2) (JASA 117, sec. 2; in brms's terms).
    """

    name: ClassVar[str] = "r2d2"

    mean_R2: float = 0.5
    prec_R2: float = 2.0
    concentration: float = 0.5

    def __post_init__(self) -> None:
        require_positive(self, "mean_R2", "prec_R2", "concentration")
        if self.mean_R2 >= 1:
            raise PriorError("mean_R2 must be a proportion below 1", got=number(self.mean_R2))

    @property
    def share(self) -> tuple[float, float]:
        """The two shapes of R²'s beta."""
        return self.mean_R2 * self.prec_R2, (1 - self.mean_R2) * self.prec_R2

    def scales(self, values: Mapping[str, Floats], unit: Floats) -> Floats:
        r2 = values["R2"][..., None]
        return np.asarray(unit * np.sqrt(values["phi"] * r2 / (1 - r2)))

    def own_draws(self, rng: np.random.Generator, size: int, count: int) -> Drawn:
        phi = rng.dirichlet(np.full(count, self.concentration), size)
        return {"R2": rng.beta(*self.share, size), "phi": phi}

    def own_log_density(self, values: Mapping[str, Floats]) -> Floats:
        phi, a = values["phi"], self.concentration
        count = phi.shape[-1]
        constant = special.gammaln(count * a) - count * special.gammaln(a)
        dirichlet = constant + (a - 1) * np.log(phi).sum(axis=-1)
        alpha, beta = self.share
        r2 = (alpha - 1) * np.log(values["R2"]) + (beta - 1) * np.log1p(-values["R2"])
        return np.asarray(dirichlet + r2 - special.betaln(alpha, beta))

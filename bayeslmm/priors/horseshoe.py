"""The regularised horseshoe: most slopes near zero, some free (Piironen & Vehtari, 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import special

from bayeslmm.priors.base import Floats, require_positive, student_t_log_density
from bayeslmm.priors.joint import Drawn, JointPrior


@dataclass(frozen=True, slots=True)
class Horseshoe(JointPrior):
    """scale_k = unit_k tau l_k with l_k² = c² lambda_k² / (c² + tau² lambda_k²).

    lambda_k ~ half-t(df), tau ~ half-t(df_global, global_scale),
    c² ~ IG(slab_df/2, slab_df slab_scale²/2) (Electronic Journal of Statistics 11, eq. 2.8).
    """

    name: ClassVar[str] = "horseshoe"

    df: float = 1.0
    global_scale: float = 1.0
    df_global: float = 1.0
    slab_scale: float = 2.0
    slab_df: float = 4.0

    def __post_init__(self) -> None:
        require_positive(self, "df", "global_scale", "df_global", "slab_scale", "slab_df")

    @property
    def slab(self) -> tuple[float, float]:
        """Shape and scale of c²'s inverse gamma."""
        return self.slab_df / 2, self.slab_df / 2 * self.slab_scale**2

    def scales(self, values: Mapping[str, Floats], unit: Floats) -> Floats:
        squares = values["local"] ** 2
        tau, slab = values["global"][..., None], values["slab"][..., None]
        return np.asarray(unit * tau * np.sqrt(slab * squares / (slab + tau**2 * squares)))

    def own_draws(self, rng: np.random.Generator, size: int, count: int) -> Drawn:
        shape, scale = self.slab
        return {
            "local": np.abs(rng.standard_t(self.df, (size, count))),
            "global": self.global_scale * np.abs(rng.standard_t(self.df_global, size)),
            "slab": scale / rng.gamma(shape, size=size),
        }

    def own_log_density(self, values: Mapping[str, Floats]) -> Floats:
        shape, scale = self.slab
        local = np.log(2.0) + student_t_log_density(values["local"], self.df)
        tau = student_t_log_density(values["global"] / self.global_scale, self.df_global)
        slab = -(shape + 1) * np.log(values["slab"]) - scale / values["slab"]
        constant = np.log(2.0 / self.global_scale) + shape * np.log(scale) - special.gammaln(shape)
        return np.asarray(local.sum(axis=-1) + tau + slab + constant)

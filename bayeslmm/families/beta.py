"""Shares between 0 and 1."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.families.base import Auxiliary, Family, Floats, Parameters
from bayeslmm.priors import Gamma


class Beta(Family):
    """Mean mu, precision phi: Beta(mu phi, (1 - mu) phi)."""

    name: ClassVar[str] = "beta"
    links: ClassVar[tuple[str, ...]] = ("logit", "probit", "cloglog")
    auxiliaries: ClassVar[tuple[Auxiliary, ...]] = (
        Auxiliary("phi", lambda response: Gamma(0.01, 0.01)),
    )

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return ~(np.isfinite(y) & (y > 0) & (y < 1)), "numbers between 0 and 1, both excluded"

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        a, b = mu * parameters["phi"], (1 - mu) * parameters["phi"]
        return np.asarray(
            special.xlogy(a - 1, y) + special.xlog1py(b - 1, -y) - special.betaln(a, b)
        )

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        return np.asarray(mu * (1 - mu) / (1 + parameters["phi"]))

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        a, b = mu * parameters["phi"], (1 - mu) * parameters["phi"]
        return np.asarray(rng.beta(a, b))

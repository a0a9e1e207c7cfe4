"""Shares between 0 and 1."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.families.base import Auxiliary, Floats, Parameters
from bayeslmm.families.chances import TINY, Chances, beta_shapes
from bayeslmm.priors import Gamma

BELOW_ONE = 1 - 2.0**-53


class Beta(Chances):
    """Mean mu, precision phi: Beta(mu phi, (1 - mu) phi)."""

    name: ClassVar[str] = "beta"
    auxiliaries: ClassVar[tuple[Auxiliary, ...]] = (
        Auxiliary("phi", lambda response: Gamma(0.01, 0.01)),
    )

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return ~(np.isfinite(y) & (y > 0) & (y < 1)), "numbers between 0 and 1, both excluded"

    def from_logs(
        self, y: Floats, yes: Floats, no: Floats, parameters: Parameters, trials: Floats | None
    ) -> Floats:
        a, b = beta_shapes(yes, no, parameters["phi"])
        return np.asarray((a - 1) * np.log(y) + (b - 1) * np.log1p(-y) - special.betaln(a, b))

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        return np.asarray(mu * (1 - mu) / (1 + parameters["phi"]))

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        """Draws that round to 0 or 1 are the nearest share that the density allows."""
        with np.errstate(divide="ignore"):
            a, b = beta_shapes(np.log(mu), np.log1p(-mu), parameters["phi"])
        return np.asarray(np.clip(rng.beta(a, b), TINY, BELOW_ONE))

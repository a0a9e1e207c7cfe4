"""Counts that vary more than Poisson ones."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy import special

from bayeslmm.families.base import Auxiliary, Floats, Parameters
from bayeslmm.families.counts import Counts, poisson
from bayeslmm.priors import InverseGamma


class NegativeBinomial(Counts):
    """Mean mu, variance mu + mu²/shape."""

    name: ClassVar[str] = "negative_binomial"
    auxiliaries: ClassVar[tuple[Auxiliary, ...]] = (
        Auxiliary("shape", lambda response: InverseGamma(0.4, 0.3)),
    )

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        shape = parameters["shape"]
        # Γ(y + shape) / (Γ(shape) y!), by a beta function: large shapes don't cancel in it
        choose = -np.log(y + shape) - special.betaln(shape, y + 1)
        with np.errstate(divide="ignore"):
            return np.asarray(
                choose - special.xlog1py(shape, mu / shape) - special.xlog1py(y, shape / mu)
            )

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        return np.asarray(mu + mu**2 / parameters["shape"])

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        shape = np.broadcast_to(parameters["shape"], np.shape(mu))
        return poisson(rng.gamma(shape, mu / shape), rng)

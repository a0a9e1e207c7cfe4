"""Counts that vary more than Poisson ones."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.families.base import Auxiliary, Family, Floats, Parameters, Response
from bayeslmm.priors import InverseGamma


class NegativeBinomial(Family):
    """Mean mu, variance mu + mu²/shape."""

    name: ClassVar[str] = "negative_binomial"
    links: ClassVar[tuple[str, ...]] = ("log", "identity", "sqrt")
    discrete: ClassVar[bool] = True
    auxiliaries: ClassVar[tuple[Auxiliary, ...]] = (
        Auxiliary("shape", lambda response: InverseGamma(0.4, 0.3)),
    )

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return ~(np.isfinite(y) & (y >= 0) & (y == np.floor(y))), "whole numbers, not negative"

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        shape = parameters["shape"]
        choose = special.gammaln(y + shape) - special.gammaln(shape) - special.gammaln(y + 1)
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
        return rng.poisson(rng.gamma(shape, mu / shape)).astype(np.float64)

    def centre(self, response: Response, trials: Floats | None = None) -> float:
        return max(response.mean, 0.5 / len(response.y))

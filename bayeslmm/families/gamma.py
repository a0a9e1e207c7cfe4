"""Positive responses with a constant coefficient of variation."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.families.base import Auxiliary, Family, Floats, Parameters
from bayeslmm.priors import Gamma as GammaPrior

TINY = 1e-300  # the least shape, and the least response: small shapes round draws to zero


class Gamma(Family):
    """Mean mu, variance mu²/shape."""

    name: ClassVar[str] = "gamma"
    links: ClassVar[tuple[str, ...]] = ("log", "inverse", "identity")
    auxiliaries: ClassVar[tuple[Auxiliary, ...]] = (
        Auxiliary("shape", lambda response: GammaPrior(0.01, 0.01)),
    )

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return ~(np.isfinite(y) & (y > 0)), "positive numbers"

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        shape = parameters["shape"]
        rate = shape / mu
        return np.asarray(
            special.xlogy(shape, rate) + (shape - 1) * np.log(y) - rate * y - special.gammaln(shape)
        )

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        return np.asarray(mu**2 / parameters["shape"])

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        shape = np.broadcast_to(np.maximum(parameters["shape"], TINY), np.shape(mu))
        return np.maximum(mu * (rng.gamma(shape) / shape), TINY)

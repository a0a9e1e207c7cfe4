"""Two outcomes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.families.base import Family, Floats, Parameters, Response


class Bernoulli(Family):
    """y is 1 with probability mu, else 0."""

    name: ClassVar[str] = "bernoulli"
    links: ClassVar[tuple[str, ...]] = ("logit", "probit", "cloglog")
    discrete: ClassVar[bool] = True

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return ~((y == 0) | (y == 1)), "0 and 1, or two categories"

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        return np.asarray(special.xlogy(y, mu) + special.xlog1py(1 - y, -mu))

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        return mu * (1 - mu)

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        return (rng.random(np.shape(mu)) < mu).astype(np.float64)

    def centre(self, response: Response, trials: Floats | None = None) -> float:
        total = float(len(response.y) if trials is None else trials.sum())
        return float(np.clip(response.mean, 0.5 / total, 1 - 0.5 / total))

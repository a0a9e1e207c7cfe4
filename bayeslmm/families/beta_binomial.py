"""Successes out of trials that vary more than binomial ones."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.families.base import Auxiliary, Family, Floats, Parameters, Response
from bayeslmm.priors import Gamma


class BetaBinomial(Family):
    """y ~ Binomial(trials, p), p ~ Beta(mu phi, (1 - mu) phi)."""

    name: ClassVar[str] = "beta_binomial"
    links: ClassVar[tuple[str, ...]] = ("logit", "probit", "cloglog")
    discrete: ClassVar[bool] = True
    takes_trials: ClassVar[bool] = True
    auxiliaries: ClassVar[tuple[Auxiliary, ...]] = (
        Auxiliary("phi", lambda response: Gamma(0.01, 0.01)),
    )

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        assert trials is not None
        bad = ~(np.isfinite(y) & (y >= 0) & (y == np.floor(y)) & (y <= trials))
        return bad, "whole numbers from 0 to the row's trials"

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        assert trials is not None
        a, b = mu * parameters["phi"], (1 - mu) * parameters["phi"]
        choose = (
            special.gammaln(trials + 1) - special.gammaln(y + 1) - special.gammaln(trials - y + 1)
        )
        return np.asarray(choose + special.betaln(y + a, trials - y + b) - special.betaln(a, b))

    def mean(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        assert trials is not None
        return trials * mu

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        assert trials is not None
        phi = parameters["phi"]
        return np.asarray(trials * mu * (1 - mu) * (trials + phi) / (1 + phi))

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        assert trials is not None
        a, b = mu * parameters["phi"], (1 - mu) * parameters["phi"]
        return rng.binomial(trials.astype(np.int64), rng.beta(a, b)).astype(np.float64)

    def centre(self, response: Response, trials: Floats | None = None) -> float:
        total = float(len(response.y) if trials is None else trials.sum())
        return float(np.clip(response.mean, 0.5 / total, 1 - 0.5 / total))

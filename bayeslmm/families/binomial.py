"""Successes out of a known number of trials."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.families.base import Family, Floats, Parameters, Response


class Binomial(Family):
    """y ~ Binomial(trials, mu)."""

    name: ClassVar[str] = "binomial"
    links: ClassVar[tuple[str, ...]] = ("logit", "probit", "cloglog")
    discrete: ClassVar[bool] = True
    takes_trials: ClassVar[bool] = True

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        assert trials is not None
        bad = ~(np.isfinite(y) & (y >= 0) & (y == np.floor(y)) & (y <= trials))
        return bad, "whole numbers from 0 to the row's trials"

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        assert trials is not None
        choose = (
            special.gammaln(trials + 1) - special.gammaln(y + 1) - special.gammaln(trials - y + 1)
        )
        return np.asarray(choose + special.xlogy(y, mu) + special.xlog1py(trials - y, -mu))

    def mean(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        assert trials is not None
        return trials * mu

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        assert trials is not None
        return trials * mu * (1 - mu)

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        assert trials is not None
        return rng.binomial(trials.astype(np.int64), mu).astype(np.float64)

    def centre(self, response: Response, trials: Floats | None = None) -> float:
        total = float(len(response.y) if trials is None else trials.sum())
        return float(np.clip(response.mean, 0.5 / total, 1 - 0.5 / total))

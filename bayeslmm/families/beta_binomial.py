"""Successes out of trials that vary more than binomial ones."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.families.base import Auxiliary, Floats, Parameters
from bayeslmm.families.chances import Chances, beta_shapes, beyond_trials, log_choose
from bayeslmm.priors import Gamma


class BetaBinomial(Chances):
    """y ~ Binomial(trials, p), p ~ Beta(mu phi, (1 - mu) phi)."""

    name: ClassVar[str] = "beta_binomial"
    discrete: ClassVar[bool] = True
    takes_trials: ClassVar[bool] = True
    auxiliaries: ClassVar[tuple[Auxiliary, ...]] = (
        Auxiliary("phi", lambda response: Gamma(0.01, 0.01)),
    )

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return beyond_trials(y, trials)

    def from_logs(
        self, y: Floats, yes: Floats, no: Floats, parameters: Parameters, trials: Floats | None
    ) -> Floats:
        assert trials is not None
        a, b = beta_shapes(yes, no, parameters["phi"])
        both = special.betaln(y + a, trials - y + b) - special.betaln(a, b)
        return np.asarray(log_choose(trials, y) + both)

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
        with np.errstate(divide="ignore"):
            a, b = beta_shapes(np.log(mu), np.log1p(-mu), parameters["phi"])
        return rng.binomial(trials.astype(np.int64), rng.beta(a, b)).astype(np.float64)

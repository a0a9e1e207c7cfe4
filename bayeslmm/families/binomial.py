"""Successes out of a known number of trials."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bayeslmm.families.base import Floats, Parameters
from bayeslmm.families.chances import Chances, beyond_trials, log_choose, times


class Binomial(Chances):
    """y ~ Binomial(trials, mu)."""

    name: ClassVar[str] = "binomial"
    discrete: ClassVar[bool] = True
    takes_trials: ClassVar[bool] = True

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return beyond_trials(y, trials)

    def from_logs(
        self, y: Floats, yes: Floats, no: Floats, parameters: Parameters, trials: Floats | None
    ) -> Floats:
        assert trials is not None
        return log_choose(trials, y) + times(y, yes) + times(trials - y, no)

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

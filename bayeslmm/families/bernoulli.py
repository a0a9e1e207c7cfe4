"""Two outcomes."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bayeslmm.families.base import Floats, Parameters
from bayeslmm.families.chances import Chances, times


class Bernoulli(Chances):
    """y is 1 with probability mu, else 0."""

    name: ClassVar[str] = "bernoulli"
    discrete: ClassVar[bool] = True

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return ~((y == 0) | (y == 1)), "0 and 1, or two categories"

    def from_logs(
        self, y: Floats, yes: Floats, no: Floats, parameters: Parameters, trials: Floats | None
    ) -> Floats:
        return times(y, yes) + times(1 - y, no)

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

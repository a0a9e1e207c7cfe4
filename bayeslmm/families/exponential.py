"""Positive responses, as of times to an event at a constant rate."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bayeslmm.families.base import Family, Floats, Parameters


class Exponential(Family):
    """Mean mu, variance mu²."""

    name: ClassVar[str] = "exponential"
    links: ClassVar[tuple[str, ...]] = ("log", "inverse", "identity")

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return ~(np.isfinite(y) & (y >= 0)), "numbers, not negative"

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        return np.asarray(-np.log(mu) - y / mu)

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        return mu**2

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        return np.asarray(rng.exponential(mu))

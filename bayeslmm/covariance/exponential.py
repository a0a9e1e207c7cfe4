"""Correlations that fall exponentially with distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.covariance.correlation import Floats, Ints, Places
from bayeslmm.covariance.spatial import Decay


@dataclass(frozen=True)
class Exponential(Decay):
    """`exp`: exp(-d / range)."""

    name: ClassVar[str] = "exp"

    def shape(self, scaled: Floats, values: Floats) -> Floats:
        return np.exp(-scaled)

    def steps(self, values: Floats, places: Places, before: Ints, after: Ints) -> Floats | None:
        if self.nugget or places.at.shape[1] > 1:
            return None
        lag = np.abs(places.at[after, 0] - places.at[before, 0])
        return np.asarray(np.exp(-lag / values[:, :1]))

"""Correlations that fall as a Gaussian curve with distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.covariance.correlation import Floats
from bayeslmm.covariance.spatial import Decay


@dataclass(frozen=True)
class GaussianDecay(Decay):
    """`gau`: exp(-(d / range)²)."""

    name: ClassVar[str] = "gau"

    def shape(self, scaled: Floats, values: Floats) -> Floats:
        return np.exp(-(scaled**2))

"""Unordered categories, each but the first with a linear predictor of its own."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy import special

from bayeslmm.families.base import Floats, Parameters
from bayeslmm.families.categories import Categories
from bayeslmm.families.links import Link


class Categorical(Categories):
    """P(y = k) proportional to exp(eta_k), eta of the first category 0."""

    name: ClassVar[str] = "categorical"
    links: ClassVar[tuple[str, ...]] = ("softmax",)
    categorical: ClassVar[str] = "unordered"

    def log_location(self, eta: Floats, link: Link, parameters: Parameters) -> Floats:
        """Log probabilities from predictors of all categories, shape (..., n, K)."""
        return np.asarray(special.log_softmax(eta, axis=-1))

"""What ordered and unordered categories share: `mu` holds a probability for each."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bayeslmm.families.base import Family, Floats, Parameters


class Categories(Family):
    """y is a code, 0 to K - 1, with probabilities `mu`, shape (..., n, K)."""

    discrete: ClassVar[bool] = True

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return ~(np.isfinite(y) & (y >= 0) & (y == np.floor(y))), "categories"

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        codes = np.broadcast_to(y.astype(np.intp)[..., None], (*mu.shape[:-1], 1))
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.take_along_axis(mu, codes, axis=-1)[..., 0]))

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        """Of each category's indicator, shape (..., n, K)."""
        return mu * (1 - mu)

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        edges = np.cumsum(mu, axis=-1)[..., :-1]
        drawn = rng.random(mu.shape[:-1])[..., None] > edges
        return np.asarray(drawn.sum(axis=-1), dtype=np.float64)

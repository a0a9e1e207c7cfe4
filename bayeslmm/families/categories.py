"""What ordered and unordered categories share: `mu` holds a probability for each."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bayeslmm.families.base import Family, Floats, Parameters
from bayeslmm.families.links import Link


class Categories(Family):
    """y is a code, 0 to K - 1, with probabilities `mu`, shape (..., n, K)."""

    discrete: ClassVar[bool] = True

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return ~(np.isfinite(y) & (y >= 0) & (y == np.floor(y))), "categories"

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        with np.errstate(divide="ignore"):
            return np.log(_of_observed(mu, y))

    def log_likelihood(
        self,
        y: Floats,
        eta: Floats,
        link: Link,
        parameters: Parameters,
        trials: Floats | None = None,
    ) -> Floats:
        return _of_observed(self.log_location(eta, link, parameters), y)

    def location(self, eta: Floats, link: Link, parameters: Parameters) -> Floats:
        return np.exp(self.log_location(eta, link, parameters))

    def log_location(self, eta: Floats, link: Link, parameters: Parameters) -> Floats:
        """Log probability of each category, shape (..., n, K)."""
        raise NotImplementedError

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


def _of_observed(values: Floats, y: Floats) -> Floats:
    """The values, shape (..., n, K), of each row's own category."""
    codes = np.broadcast_to(y.astype(np.intp)[..., None], (*values.shape[:-1], 1))
    return np.asarray(np.take_along_axis(values, codes, axis=-1)[..., 0])

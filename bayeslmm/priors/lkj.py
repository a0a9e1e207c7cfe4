"""The LKJ density over correlation matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import special

from bayeslmm.errors import PriorError
from bayeslmm.priors.base import Floats, Prior, require_positive


@dataclass(frozen=True, slots=True)
class LKJ(Prior):
    """p(R) proportional to det(R)^(eta - 1) (Lewandowski, Kurowicka & Joe, 2009)."""

    name: ClassVar[str] = "lkj"
    support: ClassVar[str] = "correlation"

    eta: float

    def __post_init__(self) -> None:
        require_positive(self, "eta")

    def log_density(self, x: Floats) -> Floats:
        """Normalised log density of correlation matrices, shape (..., k, k) to (...)."""
        k = x.shape[-1]
        if self.eta == 1:  # uniform, up to the singular matrices on the edge
            return np.full(x.shape[:-2], -self.log_normaliser(k))
        log_det = np.linalg.slogdet(x)[1]
        return (self.eta - 1) * log_det - self.log_normaliser(k)

    def log_normaliser(self, k: int) -> float:
        """Log of the integral of det(R)^(eta - 1) over k x k correlation matrices.

        Product over the vine of the normalisers of its independent partial correlations
        (Lewandowski, Kurowicka & Joe, 2009, sec. 3): tree i has k - i of them, each a
        Beta(b, b) on (-1, 1) with b = eta + (k - 1 - i)/2.
        """
        total = 0.0
        for i in range(1, k):
            b = self.eta + (k - 1 - i) / 2
            total += (k - i) * ((2 * b - 1) * np.log(2.0) + special.betaln(b, b))
        return float(total)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        """LKJ needs a dimension: use `draw_partial`."""
        raise PriorError(
            "An LKJ prior is drawn by its partial correlations: draw_partial(rng, k, size)"
        )

    def draw_partial(self, rng: np.random.Generator, k: int, size: int) -> Floats:
        """Canonical partial correlations, shape (size, k(k-1)/2), row by row."""
        column = np.array([j for i in range(1, k) for j in range(i)], dtype=np.float64)
        shape = self.eta + (k - 2 - column) / 2
        return 2 * rng.beta(shape, shape, size=(size, len(column))) - 1

"""Several grouping factors laid out for elimination: what their solver's parts share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.dense_rest import DenseRest
from bayeslmm.gaussian.layout import Layout
from bayeslmm.gaussian.moments import Moments
from bayeslmm.gaussian.solver import Blocks
from bayeslmm.gaussian.sparse_rest import SparseRest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CrossedSystem:
    """Several factors, one eliminated, the rest by a Schur complement.

    Attributes
    ----------
    moments : Moments
    layout : Layout
    rest : DenseRest or SparseRest
        Where the Schur complement's values are, and how it is factored.
    """

    moments: Moments
    layout: Layout
    rest: DenseRest | SparseRest

    @cached_property
    def position(self) -> Ints:
        """Factoring position of each of the rest's columns."""
        out = np.empty_like(self.rest.order)
        out[self.rest.order] = np.arange(len(out))
        return out

    @cached_property
    def column(self) -> Ints:
        """The border's columns in factoring order, shape (h,)."""
        return self.position[self.layout.border.column]

    def stack(self, lambdas: Blocks) -> Floats:
        """The rest's Lambdas, padded to one size: (S, k, k) each to (S, blocks, K, K)."""
        sizes = self.layout.sizes
        out = np.zeros((len(lambdas[0]), len(sizes), sizes.max(), sizes.max()))
        for i, block in enumerate(self.layout.rest):
            out[:, i, : sizes[i], : sizes[i]] = lambdas[block]
        return out

    def split(self, rest: Floats) -> dict[int, Floats]:
        """The rest's rows (factoring order) by block, shape (J, k, r) each."""
        users = rest[self.position]
        out = {}
        for i, (a, b) in zip(self.layout.rest, pairwise(self.layout.first), strict=True):
            levels, k = self.moments.sizes[i]
            out[i] = users[a:b].reshape(levels, k, -1)
        return out

    def join(self, blocks: Blocks) -> Floats:
        """The rest's blocks as rows in factoring order."""
        width = blocks[0].shape[-1]
        users = np.concatenate([blocks[i].reshape(-1, width) for i in self.layout.rest])
        return np.ascontiguousarray(users[self.rest.order])

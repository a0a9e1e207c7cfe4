"""The Schur complement of the rest as a sparse matrix, in a fill-reducing order.

Nested factors leave no fill; a small rest is as quick this way as any, since many points can be
factored within one compiled loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.layout import Layout
from bayeslmm.linalg import sparse
from bayeslmm.linalg.ordering import ordering
from bayeslmm.linalg.symbolic import Symbolic, analyse, cost

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SparseRest:
    """Places among the values of a sparse factor.

    Attributes
    ----------
    symbolic : Symbolic
        Order and pattern of the factor.
    border_place, rest_place : ndarray of int32
    diagonal : tuple of ndarray
        As `linalg.crossed.assemble` takes them.
    """

    symbolic: Symbolic
    border_place: NDArray[np.int32]
    rest_place: NDArray[np.int32]
    diagonal: tuple[NDArray[np.int32], Floats]

    @property
    def size(self) -> int:
        """Length of the values."""
        return self.symbolic.nnz

    @property
    def order(self) -> Ints:
        """The column at each position of the factoring order, shape (q,)."""
        return self.symbolic.perm

    @property
    def cost(self) -> float:
        """Multiplications of a factorisation."""
        return float(self.symbolic.flops)

    @property
    def pattern(self) -> tuple[Ints, Ints, Ints]:
        """As the kernels take it."""
        return self.symbolic.colptr, self.symbolic.rows, self.symbolic.panels

    def factor(self, x: Floats) -> SparseFactor:
        """Factor S in place; NaN where it has no factor."""
        if sparse.factor(*self.pattern, x, *self.symbolic.workspace()):
            x[:] = np.nan
        return SparseFactor(self, x)


@dataclass(frozen=True, eq=False)
class SparseFactor:
    """S = P' L L' P, values of L."""

    rest: SparseRest
    x: Floats

    @property
    def log_det(self) -> float:
        """log|L|."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(sparse.log_diagonal(self.rest.symbolic.colptr, self.x))

    def forward(self, b: Floats) -> Floats:
        """`L⁻¹ b`, b of shape (q, r) in factoring order."""
        out = np.ascontiguousarray(b).copy()
        sparse.solve_lower(*self.rest.pattern, self.x, out)
        return out

    def backward(self, b: Floats) -> Floats:
        """`L⁻ᵀ b`, b of shape (q, r) in factoring order."""
        out = np.ascontiguousarray(b).copy()
        sparse.solve_upper(*self.rest.pattern, self.x, out)
        return out

    @cached_property
    def inverse_values(self) -> Floats:
        """S⁻¹ at S's places: on the pattern of the factor, nothing else."""
        out = np.empty_like(self.x)
        sparse.selected_inverse(*self.rest.pattern, self.x, out, *self.rest.symbolic.workspace())
        return out


@dataclass(frozen=True, eq=False)
class Pattern:
    """The lower triangle of S by columns, its order, and what a factorisation would cost.

    Attributes
    ----------
    indptr, indices : ndarray
    perm : ndarray, shape (q,)
    border, among, diagonal : ndarray
        The entry that each of the layout's products belongs to.
    nnz : int
    flops : float
    """

    indptr: Ints
    indices: Ints
    perm: Ints
    border: Ints
    among: Ints
    diagonal: Ints
    nnz: int
    flops: float


def pattern_of(layout: Layout) -> Pattern:
    """The pattern of a design's Schur complement, in a fill-reducing order."""
    parts = layout.keys()
    keys, entry = np.unique(np.concatenate(parts), return_inverse=True)
    q = layout.q
    indptr = np.searchsorted(keys, np.arange(q + 1) * q).astype(np.int64)
    indices = keys % max(q, 1)
    perm = ordering(indptr, indices)
    nnz, flops = cost(indptr, indices, perm)
    a, b = len(parts[0]), len(parts[0]) + len(parts[1])
    return Pattern(indptr, indices, perm, entry[:a], entry[a:b], entry[b:], nnz, flops)


def sparse_rest(layout: Layout, pattern: Pattern) -> SparseRest:
    """Places in the sparse factor."""
    symbolic = analyse(pattern.indptr, pattern.indices, pattern.perm)
    place = symbolic.place
    rest = np.where(layout.pairs.own_upper, -1, place[pattern.among])
    return SparseRest(
        symbolic,
        place[pattern.border].astype(np.int32),
        rest.astype(np.int32),
        (place[pattern.diagonal].astype(np.int32), layout.prior.values),
    )

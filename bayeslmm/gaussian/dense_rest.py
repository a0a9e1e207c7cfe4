"""The Schur complement of the rest as a dense matrix, factored by LAPACK."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.layout import Layout
from bayeslmm.linalg import lapack
from bayeslmm.linalg.compiled import one_blas_thread

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DenseRest:
    """Places in a (q, q) matrix of which the upper half, row by row, holds S.

    LAPACK sees the same memory column by column: a lower triangle.

    Attributes
    ----------
    q : int
    border_place, rest_place : ndarray of int32
    diagonal : tuple of ndarray
        As `linalg.crossed.assemble` takes them.
    order : ndarray, shape (q,)
        The column at each position of the factoring order: the users' own.
    """

    q: int
    border_place: NDArray[np.int32]
    rest_place: NDArray[np.int32]
    diagonal: tuple[NDArray[np.int32], Floats]
    order: Ints

    @property
    def size(self) -> int:
        """Length of the values."""
        return self.q * self.q

    @property
    def cost(self) -> float:
        """Multiplications of a factorisation."""
        return self.q**3 / 3

    def factor(self, x: Floats) -> DenseFactor:
        """Factor S in place; NaN where it has no factor."""
        if self.q == 0:
            return DenseFactor(np.empty((0, 0), order="F"))
        lower = x.reshape(self.q, self.q).T
        with one_blas_thread():
            info = lapack.cholesky(lower)
        if info:
            lower[:] = np.nan
        return DenseFactor(lower)


@dataclass(frozen=True, eq=False)
class DenseFactor:
    """S = L L', L in the lower triangle of `a` (F order); what stands above is not zero."""

    a: Floats

    @property
    def log_det(self) -> float:
        """log|L|."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(np.log(np.diag(self.a)).sum())

    def forward(self, b: Floats) -> Floats:
        """`L⁻¹ b`, b of shape (q, r)."""
        return self._solved(b, transposed=False)

    def backward(self, b: Floats) -> Floats:
        """`L⁻ᵀ b`, b of shape (q, r)."""
        return self._solved(b, transposed=True)

    def _solved(self, b: Floats, *, transposed: bool) -> Floats:
        out = b.copy(order="F")
        lapack.solve_triangular(self.a, out, transposed=transposed)
        return np.ascontiguousarray(out)

    @cached_property
    def inverse_values(self) -> Floats:
        """S⁻¹ at S's places."""
        with one_blas_thread():
            return lapack.inverse(self.a).T.reshape(-1)


def dense_rest(layout: Layout) -> DenseRest:
    """Places for a dense Schur complement."""
    border, among, diagonal = layout.keys()
    rest = np.where(layout.pairs.own_upper, -1, among)
    return DenseRest(
        layout.q,
        border.astype(np.int32),
        rest.astype(np.int32),
        (diagonal.astype(np.int32), layout.prior.values),
        np.arange(layout.q),
    )

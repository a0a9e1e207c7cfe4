"""A root of a sparse precision matrix, Q = C C': draws and transformations by its covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from bayeslmm.linalg import sparse
from bayeslmm.linalg.ordering import ordering
from bayeslmm.linalg.symbolic import Symbolic, analyse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PrecisionRoot:
    """`Q = C C'`, C = P' L.

    Attributes
    ----------
    symbolic : Symbolic
    x : ndarray
        Values of L.
    """

    symbolic: Symbolic
    x: Floats

    @property
    def log_det(self) -> float:
        """log|Q|."""
        return 2.0 * float(sparse.log_diagonal(self.symbolic.colptr, self.x))

    @property
    def _pattern(self) -> tuple[Ints, Ints, Ints]:
        return self.symbolic.colptr, self.symbolic.rows, self.symbolic.panels

    def correlate(self, z: Floats) -> Floats:
        """`C⁻ᵀ z`, of covariance Q⁻¹ where z is standard normal; z of shape (J, r)."""
        out = np.array(z, dtype=np.float64, order="C")
        sparse.solve_upper(*self._pattern, self.x, out)
        back = np.empty_like(out)
        back[self.symbolic.perm] = out
        return back

    def correlate_transposed(self, z: Floats) -> Floats:
        """`C⁻¹ z`, z of shape (J, r)."""
        out = np.ascontiguousarray(z[self.symbolic.perm])
        sparse.solve_lower(*self._pattern, self.x, out)
        return out

    @property
    def _lower(self) -> csc_array:
        shape = (self.symbolic.size, self.symbolic.size)
        return csc_array((self.x, self.symbolic.rows, self.symbolic.colptr), shape=shape)

    def decorrelate(self, x: Floats) -> Floats:
        """`C' x`, the inverse of `correlate`; x of shape (J, r)."""
        return np.ascontiguousarray(self._lower.T @ x[self.symbolic.perm])

    def decorrelate_transposed(self, z: Floats) -> Floats:
        """`C z`, z of shape (J, r)."""
        back = np.empty(z.shape)
        back[self.symbolic.perm] = self._lower @ z
        return back


def precision_root(rows: Ints, columns: Ints, values: Floats, size: int) -> PrecisionRoot | None:
    """The root of a symmetric matrix given by its lower triangle; None where it is not positive
    definite.

    Parameters
    ----------
    rows, columns : ndarray of int64, shape (e,)
        rows >= columns; every entry once, every diagonal entry there.
    values : ndarray, shape (e,)
    size : int
    """
    order = np.lexsort((rows, columns))
    indptr = np.searchsorted(columns[order], np.arange(size + 1)).astype(np.int64)
    indices = np.ascontiguousarray(rows[order], dtype=np.int64)
    symbolic = analyse(indptr, indices, ordering(indptr, indices))
    x = np.zeros(symbolic.nnz)
    np.add.at(x, symbolic.place, values[order])
    if sparse.factor(*(symbolic.colptr, symbolic.rows, symbolic.panels), x, *symbolic.workspace()):
        return None
    return PrecisionRoot(symbolic, x)

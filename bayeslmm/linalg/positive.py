"""Cholesky factors of one positive definite matrix, dense or sparse, that solve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import scipy.linalg as sla
import scipy.sparse as sp
from numpy.typing import NDArray

from bayeslmm.linalg.sparse import factor, scatter, solve_lower, solve_upper
from bayeslmm.linalg.symbolic import Symbolic, analyse

Floats = NDArray[np.float64]


class Solver(Protocol):
    """Whatever solves `V x = b` for a positive definite V of order n."""

    def solve(self, b: Floats, /) -> Floats:
        """V⁻¹ b, shape (n, k), for b of shape (n, k)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class DenseFactor:
    """V = L L'.

    Attributes
    ----------
    root : ndarray, shape (n, n)
        L in the lower triangle.
    """

    root: Floats

    def solve(self, b: Floats, /) -> Floats:
        """V⁻¹ b."""
        return np.asarray(sla.cho_solve((self.root, True), b))


@dataclass(frozen=True, slots=True, eq=False)
class SparseFactor:
    """P V P' = L L'.

    Attributes
    ----------
    symbolic : Symbolic
        Order and pattern of L.
    values : ndarray, shape (nnz,)
        Values of L.
    """

    symbolic: Symbolic
    values: Floats

    def solve(self, b: Floats, /) -> Floats:
        """V⁻¹ b."""
        s = self.symbolic
        out = np.ascontiguousarray(b[s.perm], dtype=np.float64)
        solve_lower(s.colptr, s.rows, s.panels, self.values, out)
        solve_upper(s.colptr, s.rows, s.panels, self.values, out)
        return out[s.inverse]


def dense_factor(V: Floats) -> DenseFactor:
    """Factor a dense symmetric matrix.

    Raises
    ------
    numpy.linalg.LinAlgError
        If it is not positive definite.
    """
    return DenseFactor(np.asarray(sla.cholesky(V, lower=True)))


def sparse_factor(V: Any) -> SparseFactor:
    """Factor a symmetric scipy sparse matrix or array.

    Raises
    ------
    numpy.linalg.LinAlgError
        If it is not positive definite.
    """
    lower = sp.csc_array(sp.tril(V, format="csc"))
    symbolic = analyse(lower.indptr, lower.indices)
    values = np.empty(symbolic.nnz)
    scatter(symbolic.place, np.asarray(lower.data, dtype=np.float64), values)
    failed = factor(
        symbolic.colptr, symbolic.rows, symbolic.panels, values, *symbolic.workspace()
    )  # fmt: skip
    if failed:
        row = int(symbolic.perm[failed - 1])
        raise np.linalg.LinAlgError(f"not positive definite at row {row}")
    return SparseFactor(symbolic, values)

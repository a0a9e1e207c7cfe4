"""Known relationships between the levels of grouping factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from bayeslmm.covariance import Precision, precision_from_covariance, precision_of
from bayeslmm.errors import DataError, ModelError

Floats = NDArray[np.float64]
SYMMETRIC = 1e-8  # of the largest entry
MOST_DENSE = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Relationship:
    """A known covariance between levels, up to the variance that is estimated.

    Attributes
    ----------
    precision : Precision
        Its inverse.
    levels : ndarray or None
        The levels in its order; None where it has the factor's own, in theirs.
    """

    precision: Precision
    levels: NDArray[Any] | None


def relationship(
    matrix: Any, levels: Sequence[Any] | None = None, *, kind: str = "covariance"
) -> Relationship:
    """A known relationship between the levels of a factor.

    Parameters
    ----------
    matrix : DataFrame, ndarray or scipy sparse matrix, shape (J, J)
        Symmetric and positive definite. A DataFrame's index says the levels.
    levels : sequence, length J, optional
        The levels in the matrix's order; where neither this nor an index says them, they are the
        factor's own in their order. Levels without rows may be among them.
    kind : {"covariance", "precision"}
        What the matrix is; the inverse of a pedigree's relationship matrix is sparse.

    Returns
    -------
    Relationship
        For ``Model(relationship={"animal": ...})``.

    Raises
    ------
    DataError
        A matrix that is not square, not symmetric, not finite, or not positive definite; levels
        that are too few, too many, or not distinct.
    """
    if kind not in ("covariance", "precision"):
        raise ModelError("Unknown kind=", got=kind, allowed="covariance, precision")
    if isinstance(matrix, pd.DataFrame):
        if levels is None:
            if list(matrix.index) != list(matrix.columns):
                raise DataError(
                    "The rows and columns of a relationship matrix have different labels"
                )
            levels = list(matrix.index)
        matrix = matrix.to_numpy()
    found = matrix.tocoo() if sparse.issparse(matrix) else _dense(matrix)
    size = found.shape[0] if found.ndim == 2 else 0
    if not size or found.shape != (size, size):
        raise DataError("A relationship matrix must be square", got=f"shape {found.shape}")
    labels = None if levels is None else _labels(levels, size)
    return Relationship(_precision(found, kind), labels)


def _dense(matrix: Any) -> Floats:
    try:
        return np.asarray(matrix, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(
            "A relationship must be a matrix of numbers", got=type(matrix).__name__
        ) from None


def _labels(levels: Sequence[Any], size: int) -> NDArray[Any]:
    try:
        out = np.asarray(levels)
    except ValueError:  # ragged
        out = np.empty((0, 0))
    if out.ndim != 1:
        raise DataError("levels= of a relationship must be a list", got=repr(levels)[:60])
    if out.dtype.kind in "US":
        out = out.astype(object)
    if len(out) != size:
        raise DataError(
            "A relationship matrix needs one level for each row",
            got=f"{len(out)} levels, {size} rows",
        )
    if len(set(out.tolist())) < size:
        raise DataError("The levels of a relationship matrix must be distinct")
    return out


def _precision(matrix: Any, kind: str) -> Precision:
    what = "The relationship"
    if kind == "precision":
        found = matrix if sparse.issparse(matrix) else sparse.coo_array(matrix)
        full = found.tocsr().tocoo()
        _symmetric(full, float(np.abs(full.data).max(initial=0.0)))
        lower = full.row >= full.col
        rows, columns = full.row[lower].astype(np.int64), full.col[lower].astype(np.int64)
        values = np.asarray(full.data[lower], dtype=np.float64)
        return precision_of(rows, columns, values, full.shape[0], what)
    if matrix.shape[0] > MOST_DENSE:
        raise DataError(
            f"A dense covariance matrix of {matrix.shape[0]} levels is too large to be inverted",
            hint="Give the sparse inverse: bl.relationship(Q, levels, kind='precision')",
        )
    dense = np.asarray(matrix.todense() if sparse.issparse(matrix) else matrix, dtype=np.float64)
    if not np.all(np.isfinite(dense)):
        raise DataError("A relationship matrix must contain finite numbers only")
    if np.abs(dense - dense.T).max(initial=0.0) > SYMMETRIC * np.abs(dense).max(initial=0.0):
        raise DataError("A relationship is symmetric, and this is not")
    return precision_from_covariance(0.5 * (dense + dense.T), what)


def _symmetric(full: Any, size: float) -> None:
    off = (full.tocsr() - full.tocsr().T).tocoo()
    if np.abs(off.data).max(initial=0.0) > SYMMETRIC * size:
        raise DataError("A relationship is symmetric, and this is not")


def read_relationships(given: Mapping[str, Any] | None) -> dict[str, Relationship]:
    """The relationship matrices of ``relationship=``, by factor.

    Raises
    ------
    ModelError
        No mapping.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ModelError(
            "relationship= must be a dict from grouping factor to matrix",
            got=type(given).__name__,
            hint="Write relationship={'g': matrix}",
        )
    return {
        str(group): value if isinstance(value, Relationship) else relationship(value)
        for group, value in given.items()
    }

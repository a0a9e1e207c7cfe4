"""Reads and checks the arrays and tables that `blp` is given."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from bayeslmm.errors import DataError, ModelError
from bayeslmm.linalg.positive import Solver, dense_factor, sparse_factor

Floats = NDArray[np.float64]

EQUAL = 1e-7  # relative: what counts as the same number


def to_numbers(values: Any, name: str, hint: str | None = None) -> Floats:
    """A float array, dense, without missing or infinite entries."""
    try:
        out = np.asarray(values.toarray() if sp.issparse(values) else values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name} must be numbers", got=type(values).__name__) from None
    if not np.all(np.isfinite(out)):
        raise DataError(f"{name} has missing or infinite entries", hint=hint)
    return out


def to_data(values: Any) -> Floats:
    """y: one dimension, or one column."""
    out = to_numbers(values, "y")
    if out.ndim == 2 and out.shape[1] == 1:
        out = out[:, 0]
    if out.ndim != 1 or not len(out):
        raise DataError("y must be one column", got=f"shape {out.shape}", allowed="shape (n,)")
    return out


def to_columns(values: Any, name: str, n: int) -> Floats:
    """An array of n rows; one dimension is one column."""
    out = to_numbers(values, name)
    out = out[:, None] if out.ndim == 1 else out
    if out.ndim != 2 or len(out) != n:
        turned = out.ndim == 2 and out.shape[1] == n
        raise DataError(
            f"{name} must have one row for each of the {n} entries of y",
            got=f"shape {out.shape}",
            hint=f"Use the transpose, {name}.T" if turned else None,
        )  # fmt: skip
    return out


def to_new_rows(values: Any, m: int, p: int) -> Floats:
    """X0: one dimension is one column, or one row."""
    out = to_numbers(values, "X0")
    if out.ndim == 1:
        out = out[:, None] if p == 1 else out[None, :]
    if out.shape != (m, p):
        raise DataError("X0 must have a row for each prediction and the columns of X",
                        got=f"shape {out.shape}", allowed=f"shape ({m}, {p})")  # fmt: skip
    return out


def to_variance0(values: Any, m: int) -> Floats | None:
    """All of Var y0, its diagonal, or one variance of all."""
    if values is None:
        return None
    out = to_numbers(values, "V0")
    if out.ndim == 0:
        out = np.full((1, 1) if m == 1 else m, float(out))
    if out.shape not in ((m,), (m, m)):
        raise DataError("V0 must be Var(y0), its diagonal or a number", got=f"shape {out.shape}",
                        allowed=f"shape ({m}, {m}), ({m},) or ()")  # fmt: skip
    if out.ndim == 2 and not symmetric(out):
        raise DataError("V0 is not symmetric")
    if np.any((np.diag(out) if out.ndim == 2 else out) < 0):
        raise DataError("V0 has a negative variance")
    return out


def symmetric(A: Any) -> bool:
    """Whether a square matrix, dense or sparse, equals its transpose."""
    return bool(abs(A - A.T).max() <= EQUAL * abs(A).max()) if A.shape[0] else True


def to_solver(V: Any, n: int) -> Solver:
    """V's Cholesky factor, or the user's solver."""
    shape = getattr(V, "shape", (n, n))
    if tuple(shape) != (n, n):
        raise DataError("V must have a row and a column for each entry of y", got=f"shape {shape}",
                        allowed=f"shape ({n}, {n})")  # fmt: skip
    if callable(getattr(V, "solve", None)):
        return _Checked(V)
    matrix = sp.csc_array(V) if sp.issparse(V) else to_numbers(V, "V")
    if matrix.shape != (n, n):
        raise DataError("V must be a matrix, or have a method solve", got=type(V).__name__)
    if sp.issparse(V):
        to_numbers(matrix.data, "V")
    if not symmetric(matrix):
        raise DataError("V is not symmetric")
    try:
        return sparse_factor(matrix) if sp.issparse(matrix) else dense_factor(matrix)
    except np.linalg.LinAlgError as error:
        raise ModelError(
            "V is not positive definite", got=str(error),
            hint="With repeated places, add a nugget (independent error variance) to V's diagonal",
        ) from None  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Checked:
    """A user's solver, whose results are checked."""

    theirs: Any

    def solve(self, b: Floats, /) -> Floats:
        out = np.asarray(self.theirs.solve(b), dtype=np.float64)
        if out.shape != b.shape or not np.all(np.isfinite(out)):
            raise DataError("V.solve(b) must return finite numbers in the shape of b",
                            got=f"shape {out.shape}", allowed=f"shape {b.shape}")  # fmt: skip
        return out


def to_vector(values: Any, name: str, p: int) -> Floats:
    """One entry for each column of X."""
    out = to_numbers(values, name)
    if out.ndim == 0 and p == 1:
        out = out[None]
    if out.shape != (p,):
        raise DataError(f"{name} must have one entry per column of X", got=f"shape {out.shape}",
                        allowed=f"shape ({p},)")  # fmt: skip
    return out


def row_labels(values: Any) -> pd.Index | None:
    """A pandas table's index."""
    return values.index if isinstance(values, pd.Series | pd.DataFrame) else None


def column_labels(values: Any) -> pd.Index | None:
    """A pandas table's columns."""
    return values.columns if isinstance(values, pd.DataFrame) else None


def common_labels(what: str, *indexes: pd.Index | None) -> pd.Index | None:
    """The common labels of the tables; a default index (0, 1, …) is no label."""
    told = [i for i in indexes if i is not None and not isinstance(i, pd.RangeIndex)]
    for other in told[1:]:
        if not told[0].equals(other):
            first: Sequence[Hashable] = list(told[0][:3])
            raise DataError(
                f"Labels of {what} differ between tables", got=f"{first} … and {list(other[:3])} …",
                hint="Sort them in the same order, or give arrays (.to_numpy())",
            )  # fmt: skip
    return told[0] if told else None

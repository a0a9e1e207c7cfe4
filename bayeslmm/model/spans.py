"""Whether a response lies in the span of columns, decided on few rows wherever they suffice.

What is outside the span on some rows is outside on all of them, so that a few rows refuse at once
what data that vary refuse; only a response that is inside needs every row. Columns that are zero
but for some rows (a subject's own line) cut the rows into components that are solved one by one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bayeslmm.linalg.components import components
from bayeslmm.linalg.few_rows import sample

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
TOLERANCE = 1e-12  # of what is left over, relative to the largest response
RANK = 1e-9  # of a singular value, relative to the largest; columns have length one
LARGEST = 2e9  # operations that one component may take
FIRST, GROWTH = 64, 4


class Span:
    """The column space of a matrix, by components of its rows.

    Parameters
    ----------
    columns : ndarray, shape (n, p)
    """

    def __init__(self, columns: Floats) -> None:
        self._bases: list[tuple[Ints, Floats]] = []
        self.rank = 0
        for rows, own in components(columns):
            basis = _basis(columns[np.ix_(rows, own)])
            self.rank += basis.shape[1]
            self._bases.append((rows, basis))

    def outside(self, table: Floats) -> Floats:
        """The part of each column of a table, (n, c), that is orthogonal to the span."""
        out = np.array(table, dtype=np.float64)
        for rows, basis in self._bases:
            own = out[rows]
            for _ in range(2):  # what rounding left in the first pass goes in the second
                own = own - basis @ (basis.T @ own)
            out[rows] = own
        return out


def affordable(columns: Floats) -> bool:
    """Whether `Span` of these columns is quickly found."""
    n, p = columns.shape
    if n * p * min(n, p) <= LARGEST:
        return True
    return all(
        len(rows) * len(own) * min(len(rows), len(own)) <= LARGEST
        for rows, own in components(columns)
    )


def inside(y: Floats, columns: Callable[[Ints], Floats], size: int) -> bool:
    """Whether y, shape (n,), is a combination of columns; False also where that costs too much.

    Parameters
    ----------
    y : ndarray, shape (n,)
    columns : callable
        The columns at some of the rows, (rows) -> (len(rows), p).
    size : int
        How many columns there are.
    """
    n, take = len(y), FIRST if size > FIRST else 2 * size + 10
    ends = np.array([np.argmin(y), np.argmax(y)], dtype=np.intp) if n else np.arange(0)
    limit = TOLERANCE * float(np.abs(y[ends]).max(initial=0.0))
    while True:
        rows = np.union1d(sample(n, take), ends)
        here = columns(rows)
        if not affordable(here):
            return False
        left = Span(here).outside(y[rows, None])
        if float(np.abs(left).max(initial=0.0)) > limit:
            return False
        if len(rows) == n:
            return True
        take *= GROWTH


def indicators(codes: Ints, values: Floats) -> Floats:
    """Columns of Z, dense: each covariate in (n, k) `values` by the levels that occur."""
    seen, position = np.unique(codes, return_inverse=True)
    n, k = values.shape
    out = np.zeros((n, len(seen), k))
    out[np.arange(n), position] = values
    return out.reshape(n, -1)


def _basis(columns: Floats) -> Floats:
    """Orthonormal columns that span the same."""
    norms = np.sqrt(np.einsum("ij,ij->j", columns, columns))
    keep = norms > 0
    u, s, _ = np.linalg.svd(columns[:, keep] / norms[keep], full_matrices=False)
    return np.asarray(u[:, s > RANK * s.max(initial=0.0)])

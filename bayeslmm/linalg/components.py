"""Rows and columns of a matrix that hang together: what is block-diagonal but for their order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def components(columns: Floats) -> list[tuple[Ints, Ints]]:
    """Rows and columns of each block; rows and columns of nothing but zeros are in none.

    Parameters
    ----------
    columns : ndarray, shape (n, p)
    """
    n, p = columns.shape
    used = columns != 0
    if n == 0 or p == 0:
        return []
    if bool(np.any(np.all(used, axis=0))):
        return [(np.arange(n), np.flatnonzero(used.any(axis=0)))]
    rows, own = np.nonzero(used)
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, n + own)), shape=(n + p, n + p))
    count, label = connected_components(graph, directed=False)
    order = np.argsort(label, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(label, minlength=count))[:-1])
    found = [(part[part < n], part[part >= n] - n) for part in parts]
    return [(r, c) for r, c in found if len(r) and len(c)]

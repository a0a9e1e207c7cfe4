"""A fill-reducing order of a sparse symmetric matrix: minimum degree, approximate where it is
large (see `minimum_degree`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslmm.linalg.compiled import kernel
from bayeslmm.linalg.minimum_degree import DENSE, minimum_degree

Ints = NDArray[np.int64]
FEW = 150  # nodes of a pattern that plain Python orders


def integers(values: ArrayLike) -> Ints:
    """Index arrays as every kernel here takes them."""
    return np.ascontiguousarray(values, dtype=np.int64)


def columns(indptr: ArrayLike, indices: ArrayLike) -> tuple[Ints, Ints]:
    """The columns of a square pattern, checked: the kernels trust their indices."""
    start, rows = integers(indptr), integers(indices)
    n = len(start) - 1
    if n < 0 or start[0] != 0 or start[-1] != len(rows) or np.any(np.diff(start) < 0):
        raise ValueError("indptr must ascend from 0 to the number of row indices")
    if len(rows) and not (rows.min() >= 0 and rows.max() < n):
        raise ValueError(f"row indices must lie in 0..{n - 1}")
    return start, rows


def ordering(indptr: ArrayLike, indices: ArrayLike) -> Ints:
    """An order of elimination with little fill.

    Parameters
    ----------
    indptr, indices : integer arrays, (n + 1,) and (nnz,)
        Columns of the pattern: its lower triangle, its upper, or both. The diagonal doesn't
        matter, nor do repeated or unsorted entries.

    Returns
    -------
    perm : int64 array, (n,)
        `perm[k]` is the node eliminated as the k-th: factor `A[perm][:, perm]`. Nodes with more
        than `max(16, 10 sqrt(n))` neighbours come last.

    Raises
    ------
    ValueError
        If the arrays aren't the columns of a square pattern.

    References
    ----------
    Amestoy, Davis & Duff (1996), An approximate minimum degree ordering algorithm.
    """
    indptr, indices = columns(indptr, indices)
    if len(indptr) - 1 <= FEW:
        return _greedy(indptr, indices)
    start, neighbours = _adjacency(indptr, indices)
    return minimum_degree(start, neighbours)


def _greedy(indptr: Ints, indices: Ints) -> Ints:
    """Minimum degree, exactly and in plain Python: a small pattern is not worth compiling for."""
    n = len(indptr) - 1
    neighbours: list[set[int]] = [set() for _ in range(n)]
    for j in range(n):
        for i in indices[indptr[j] : indptr[j + 1]].tolist():
            if i != j:
                neighbours[i].add(j)
                neighbours[j].add(i)
    dense = max(16.0, DENSE * n**0.5)
    last = {i for i in range(n) if len(neighbours[i]) > dense}
    left, out = set(range(n)), []
    while left:
        node = min(left, key=lambda i: (i in last, len(neighbours[i]), i))
        left.remove(node)
        out.append(node)
        around = neighbours[node]
        for i in around:
            neighbours[i] |= around
            neighbours[i] -= {i, node}
    return np.array(out, dtype=np.int64)


@kernel
def _adjacency(indptr, indices):  # type: ignore[no-untyped-def]
    """Both triangles without diagonal and repeats, as lists `neighbours[start[i]:start[i + 1]]`."""
    n = len(indptr) - 1
    start = np.zeros(n + 1, np.int64)
    for j in range(n):
        for p in range(indptr[j], indptr[j + 1]):
            if indices[p] != j:
                start[j + 1] += 1
                start[indices[p] + 1] += 1
    for j in range(n):
        start[j + 1] += start[j]
    neighbours = np.empty(start[n], np.int64)
    end = start[:n].copy()
    for j in range(n):
        for p in range(indptr[j], indptr[j + 1]):
            i = indices[p]
            if i != j:
                neighbours[end[i]] = j
                neighbours[end[j]] = i
                end[i] += 1
                end[j] += 1
    seen = np.full(n, -1, np.int64)
    q = 0
    for i in range(n):
        first = start[i]
        start[i] = q
        for p in range(first, end[i]):
            j = neighbours[p]
            if seen[j] != i:
                seen[j] = i
                neighbours[q] = j
                q += 1
    start[n] = q
    return start, neighbours[:q]

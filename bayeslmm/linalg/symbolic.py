"""The symbolic work for sparse Cholesky factors: order, elimination tree and pattern of L.

Done once for all matrices of one pattern; the numeric kernels of `sparse` take its arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslmm.linalg.compiled import kernel
from bayeslmm.linalg.ordering import Ints, columns, integers, ordering

WIDTH = 32  # columns of a panel at most: a panel of a few hundred rows stays in the cache


@dataclass(frozen=True, slots=True)
class Symbolic:
    """What all matrices of one pattern share.

    Attributes
    ----------
    perm, inverse : (n,)
        `P A P' = A[perm][:, perm]`; node i of A is row `inverse[i]` of `P A P'`.
    parent : (n,)
        Elimination tree in permuted order, -1 at the roots; children come before parents.
    colptr, rows : (n + 1,), (nnz,)
        Columns of L: the diagonal first, then ascending rows.
    panels : (number of panels + 1,)
        First columns of the panels, and n.
    place : one for each entry of the given pattern
        Its index in L's values.
    flops : float
        Sum of squared column counts.
    """

    perm: Ints
    inverse: Ints
    parent: Ints
    colptr: Ints
    rows: Ints
    panels: Ints
    place: Ints
    flops: float

    @property
    def size(self) -> int:
        return len(self.perm)

    @property
    def nnz(self) -> int:
        return len(self.rows)

    def workspace(self) -> tuple[Ints, NDArray[np.float64]]:
        """Arrays for `factor` and `selected_inverse`; every thread needs its own."""
        return np.empty((5, self.size), np.int64), np.empty((2, self.size))


def cost(indptr: ArrayLike, indices: ArrayLike, perm: ArrayLike) -> tuple[int, float]:
    """Entries of L and operations of its factorisation, without forming its pattern.

    Parameters
    ----------
    indptr, indices : integer arrays
        Lower-triangle columns of a symmetric pattern.
    perm : integer array, (n,)
        Order of elimination, such as from `ordering`.

    Returns
    -------
    nnz : int
        Entries of L, its diagonal included.
    flops : float
        Sum of squared column counts (a dense factor of order n: about n³/3).

    Raises
    ------
    ValueError
        As `analyse`.

    References
    ----------
    Gilbert, Ng & Peyton (1994), An efficient algorithm to compute row and column counts.
    """
    counts = _prepared(*columns(indptr, indices), integers(perm))[3]
    return int(counts.sum()), float(np.sum(counts.astype(np.float64) ** 2))


def analyse(indptr: ArrayLike, indices: ArrayLike, perm: ArrayLike | None = None) -> Symbolic:
    """Order a pattern and find the pattern of its Cholesky factor.

    Parameters
    ----------
    indptr, indices : integer arrays, (n + 1,) and (nnz,)
        Lower-triangle columns of a symmetric pattern; rows may be unsorted, and diagonal entries
        may be missing (L has them all).
    perm : integer array, (n,), optional
        Order of elimination, `ordering` of the pattern unless given. It is refined to an
        equivalent one (same fill) in which every subtree is contiguous.

    Raises
    ------
    ValueError
        If `perm` is not a permutation, or the arrays aren't the columns of a square pattern.

    References
    ----------
    Liu (1990), The role of elimination trees in sparse factorization.
    """
    indptr, indices = columns(indptr, indices)
    order = ordering(indptr, indices) if perm is None else integers(perm)
    order, inverse, parent, counts = _prepared(indptr, indices, order)
    colptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    rows = _pattern(*_strict(indptr, indices, inverse, True), parent, colptr)
    return Symbolic(
        perm=order,
        inverse=inverse,
        parent=parent,
        colptr=colptr,
        rows=rows,
        panels=_panels(parent, counts, WIDTH),
        place=_places(indptr, indices, inverse, colptr, rows),
        flops=float(np.sum(counts.astype(np.float64) ** 2)),
    )


def _prepared(indptr: Ints, indices: Ints, perm: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Postordered permutation, its inverse, elimination tree and column counts of L."""
    n = len(indptr) - 1
    if len(perm) != n or not np.array_equal(np.sort(perm), np.arange(n)):
        raise ValueError(f"perm must be a permutation of 0..{n - 1}")
    perm = perm[_postorder(_tree(*_strict(indptr, indices, _inverse(perm), True)))]
    inverse = _inverse(perm)
    parent = _tree(*_strict(indptr, indices, inverse, True))
    return perm, inverse, parent, _counts(*_strict(indptr, indices, inverse, False), parent)


def _inverse(perm: Ints) -> Ints:
    inverse = np.empty_like(perm)
    inverse[perm] = np.arange(len(perm))
    return inverse


@kernel
def _strict(indptr, indices, inverse, by_row):  # type: ignore[no-untyped-def]
    """The permuted pattern below the diagonal: each row's columns, or each column's rows."""
    n = len(inverse)
    start = np.zeros(n + 1, np.int64)
    for j in range(n):
        for p in range(indptr[j], indptr[j + 1]):
            a, b = inverse[indices[p]], inverse[j]
            if a != b:
                start[1 + (max(a, b) if by_row else min(a, b))] += 1
    for i in range(n):
        start[i + 1] += start[i]
    end = start[:n].copy()
    other = np.empty(start[n], np.int64)
    for j in range(n):
        for p in range(indptr[j], indptr[j + 1]):
            a, b = inverse[indices[p]], inverse[j]
            if a != b:
                i = max(a, b) if by_row else min(a, b)
                other[end[i]] = a + b - i
                end[i] += 1
    return start, other


@kernel
def _tree(start, columns):  # type: ignore[no-untyped-def]
    """Elimination tree from rows, with compressed paths to each root (Liu 1986)."""
    n = len(start) - 1
    parent, ancestor = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    for i in range(n):
        for p in range(start[i], start[i + 1]):
            j = columns[p]
            while j >= 0 and j != i:
                above = ancestor[j]
                ancestor[j] = i
                if above < 0:
                    parent[j] = i
                j = above
    return parent


@kernel
def _postorder(parent):  # type: ignore[no-untyped-def]
    """Children before parents, every subtree contiguous."""
    n = len(parent)
    child, sibling = np.full(n + 1, -1, np.int64), np.full(n, -1, np.int64)
    for j in range(n - 1, -1, -1):
        above = parent[j] if parent[j] >= 0 else n  # node n stands above the roots
        sibling[j] = child[above]
        child[above] = j
    order, stack = np.empty(n, np.int64), np.empty(n + 1, np.int64)
    stack[0] = n
    top, k = 0, 0
    while top >= 0:
        j = stack[top]
        if child[j] >= 0:
            top += 1
            stack[top] = child[j]
            child[j] = sibling[child[j]]
        else:
            top -= 1
            if j < n:
                order[k] = j
                k += 1
    return order


@kernel
def _counts(start, below, parent):  # type: ignore[no-untyped-def]
    """Column counts of L for a postordered tree, in nearly linear time (Gilbert et al. 1994).

    The columns of row i of L are a subtree of the elimination tree. A column gets +1 for every
    row whose subtree has a leaf there, and -1 where two of its branches meet; sums over subtrees
    are then the counts.
    """
    n = len(parent)
    first = np.arange(n)  # first descendant
    counts = np.zeros(n, np.int64)
    for j in range(n):
        if first[j] == j:
            counts[j] += 1
        if parent[j] >= 0:
            first[parent[j]] = min(first[parent[j]], first[j])
            counts[parent[j]] -= 1
    latest, leaf = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    ancestor = np.arange(n)
    for j in range(n):
        for p in range(start[j], start[j + 1]):
            i = below[p]
            if first[j] > latest[i]:
                latest[i] = first[j]
                counts[j] += 1
                q = leaf[i]
                leaf[i] = j
                if q >= 0:
                    while ancestor[q] != q:
                        ancestor[q] = ancestor[ancestor[q]]
                        q = ancestor[q]
                    counts[q] -= 1
        if parent[j] >= 0:
            ancestor[j] = parent[j]
    for j in range(n):
        if parent[j] >= 0:
            counts[parent[j]] += counts[j]
    return counts


@kernel
def _pattern(start, columns, parent, colptr):  # type: ignore[no-untyped-def]
    """Rows of L, by climbing the elimination tree from every entry of every row."""
    n = len(parent)
    rows = np.empty(colptr[n], np.int64)
    end, seen = colptr[:n].copy(), np.full(n, -1, np.int64)
    for i in range(n):
        seen[i] = i
        rows[end[i]] = i
        end[i] += 1
        for p in range(start[i], start[i + 1]):
            j = columns[p]
            while seen[j] != i:
                seen[j] = i
                rows[end[j]] = i
                end[j] += 1
                j = parent[j]
    return rows


@kernel
def _panels(parent, counts, width):  # type: ignore[no-untyped-def]
    n = len(parent)
    panels = np.empty(n + 1, np.int64)
    k = 0
    for j in range(n):
        joined = j > 0 and parent[j - 1] == j and counts[j - 1] == counts[j] + 1
        if not joined or j - panels[k - 1] == width:
            panels[k] = j
            k += 1
    panels[k] = n
    return panels[: k + 1].copy()


@kernel
def _places(indptr, indices, inverse, colptr, rows):  # type: ignore[no-untyped-def]
    place = np.empty(len(indices), np.int64)
    for j in range(len(inverse)):
        for p in range(indptr[j], indptr[j + 1]):
            a, b = inverse[indices[p]], inverse[j]
            c = min(a, b)
            low, high = colptr[c], colptr[c + 1]
            place[p] = low + np.searchsorted(rows[low:high], max(a, b))
    return place

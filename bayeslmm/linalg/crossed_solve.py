"""Several grouping factors: right-hand sides through the factors that `crossed` makes."""

from __future__ import annotations

import numpy as np

from bayeslmm.linalg.compiled import kernel
from bayeslmm.linalg.crossed import lower_level


@kernel
def scale_rest(order_block, order_node, order_offset, sizes, stack, transpose, b, out):  # type: ignore[no-untyped-def]
    """Apply every level's Lambda (or Lambda') to rows of the rest in factoring order.

    Parameters
    ----------
    order_block, order_offset : ndarray of int64, shape (q,)
        Block of each column, and its place within its level.
    order_node : ndarray of int64, shape (q, K)
        The columns of the same level, in factoring order.
    sizes, stack : ndarray
    transpose : bool
    b, out : ndarray, shape (q, r)
    """
    for i in range(len(order_block)):
        lam, o = stack[order_block[i]], order_offset[i]
        for r in range(b.shape[1]):
            out[i, r] = 0.0
        for c in range(sizes[order_block[i]]):
            weight = lam[c, o] if transpose else lam[o, c]
            for r in range(b.shape[1]):
                out[i, r] += weight * b[order_node[i, c], r]


@kernel
def half_forward(start, column, levels, border, b, rest):  # type: ignore[no-untyped-def]
    """Eliminate the levels from a right-hand side, in place: `L_j⁻¹ b_j`, `rest -= F'b`.

    Parameters
    ----------
    start, column, levels, border : ndarray
    b : ndarray, shape (J, k, r)
    rest : ndarray, shape (q, r)
    """
    k, n = b.shape[1], b.shape[2]
    for j in range(b.shape[0]):
        factor = levels[j]
        for a in range(k):
            for c in range(a):
                for r in range(n):
                    b[j, a, r] -= factor[a, c] * b[j, c, r]
            for r in range(n):
                b[j, a, r] /= factor[a, a]
        for i in range(start[j], start[j + 1]):
            for a in range(k):
                weight = border[i, a]
                for r in range(n):
                    rest[column[i], r] -= weight * b[j, a, r]


@kernel
def half_backward(start, column, levels, border, b, rest):  # type: ignore[no-untyped-def]
    """The other half, in place: `b_j = L_j⁻ᵀ (b_j - F_j rest)`, with the rest solved."""
    k, n = b.shape[1], b.shape[2]
    for j in range(b.shape[0]):
        factor = levels[j]
        for i in range(start[j], start[j + 1]):
            for a in range(k):
                weight = border[i, a]
                for r in range(n):
                    b[j, a, r] -= weight * rest[column[i], r]
        for a in range(k - 1, -1, -1):
            for c in range(a + 1, k):
                for r in range(n):
                    b[j, a, r] -= factor[c, a] * b[j, c, r]
            for r in range(n):
                b[j, a, r] /= factor[a, a]


@kernel
def half_combinations(start, column, levels, border, level, values, rest):  # type: ignore[no-untyped-def]
    """As `half_forward` for right-hand sides of one eliminated level each.

    Parameters
    ----------
    start, column, levels, border : ndarray
    level : ndarray of int64, shape (r,)
        -1 for none.
    values : ndarray, shape (r, k)
        Lambda'z.
    rest : ndarray, shape (q, r)
        `rest -= F' L⁻¹ values`, in place.

    Returns
    -------
    squares : ndarray, shape (r,)
        Sum of squares of `L⁻¹ values`.
    """
    squares = np.zeros(len(level))
    half = np.empty(values.shape[1])
    for r in range(len(level)):
        j = level[r]
        if j < 0:
            continue
        for a in range(len(half)):
            half[a] = values[r, a]
        lower_level(levels[j], half)
        for a in range(len(half)):
            squares[r] += half[a] * half[a]
        for i in range(start[j], start[j + 1]):
            for a in range(len(half)):
                rest[column[i], r] -= border[i, a] * half[a]
    return squares


@kernel
def apply_pairs(start, other, values, x_a, x_b, y_a, y_b):  # type: ignore[no-untyped-def]
    """`y_a += V x_b` and `y_b += V' x_a` over the pairs of levels of two factors.

    Parameters
    ----------
    start, other : ndarray of int64
    values : ndarray, shape (pairs, k_a, k_b)
    x_a, y_a : ndarray, shape (J_a, k_a, r)
    x_b, y_b : ndarray, shape (J_b, k_b, r)
    """
    for j in range(len(start) - 1):
        for i in range(start[j], start[j + 1]):
            g = other[i]
            for a in range(values.shape[1]):
                for b in range(values.shape[2]):
                    v = values[i, a, b]
                    for r in range(x_a.shape[2]):
                        y_a[j, a, r] += v * x_b[g, b, r]
                        y_b[g, b, r] += v * x_a[j, a, r]

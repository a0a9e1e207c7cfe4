"""Several grouping factors: one eliminated level by level, the others as a Schur complement.

The eliminated factor has levels j with products A_j (k x k), H_j with the *rest* (the other
factors' columns, of which each level meets a few) and f_j with fixed columns and response:

    M_j = Lambda'A_j Lambda + I = L_j L_j',   F_j = L_j⁻¹ Lambda'H_j Lambda_rest,
    S = Lambda_rest'A_rest Lambda_rest + I - sum F_j'F_j.

S is kept as a flat array of values, dense or sparse alike: every product knows its *place*
there. The rest's columns stand in the order in which S is factored.

Border entries, one for each level of the eliminated factor and column of the rest that it
meets, are described by a `Border`-like tuple of arrays, in this order everywhere:

    start (J + 1)  where each level has its entries
    column (h)     the column of the rest
    node (h)       index of the first entry of the same pair of levels
    block (h)      which Lambda of the stack
    value (h, k)   H_j, a row for each column

and products among the rest by pair of levels (`a` not before `b`), in this order:

    column_a, column_b (r)   first columns, before the factoring order is applied
    block_a, block_b (r)     which Lambda of the stack
    start (r + 1)            where its values are, (k_a, k_b) row by row
    value (flat)
"""

from __future__ import annotations

import numpy as np

from bayeslmm.linalg.compiled import kernel


@kernel
def cholesky_level(a):  # type: ignore[no-untyped-def]
    k = a.shape[0]
    for j in range(k):
        for c in range(j):
            a[j, j] -= a[j, c] * a[j, c]
        a[j, j] = np.sqrt(a[j, j])
        for i in range(j + 1, k):
            for c in range(j):
                a[i, j] -= a[i, c] * a[j, c]
            a[i, j] /= a[j, j]


@kernel
def lower_level(factor, b):  # type: ignore[no-untyped-def]
    for j in range(factor.shape[0]):
        for i in range(j):
            b[j] -= factor[j, i] * b[i]
        b[j] /= factor[j, j]


@kernel
def upper_level(factor, b):  # type: ignore[no-untyped-def]
    k = factor.shape[0]
    for j in range(k - 1, -1, -1):
        for i in range(j + 1, k):
            b[j] -= factor[i, j] * b[i]
        b[j] /= factor[j, j]


@kernel
def _scaled_entry(i, node, block, value, stack, sizes, out):  # type: ignore[no-untyped-def]
    """Column of `H Lambda_rest` for border entry i, before Lambda'."""
    first, lam = node[i], stack[block[i]]
    o = i - first
    for a in range(out.shape[0]):
        total = 0.0
        for c in range(sizes[block[i]]):
            total += value[first + c, a] * lam[c, o]
        out[a] = total


@kernel
def factor_border(zz, start, node, block, value, lam, stack, sizes, levels, border):  # type: ignore[no-untyped-def]
    """L_j of every level and F_j of every border entry; returns log|L_e|.

    Parameters
    ----------
    zz : ndarray, shape (J, k, k)
    start, node, block, value : ndarray
        The border's entries.
    lam : ndarray, shape (k, k)
    stack : ndarray, shape (blocks, K, K)
        Lambdas of the rest, padded.
    sizes : ndarray of int64, shape (blocks,)
    levels : ndarray, shape (J, k, k)
        Filled.
    border : ndarray, shape (h, k)
        Filled.
    """
    n_levels, k = zz.shape[0], zz.shape[1]
    spare = np.empty((k, k))
    h = np.empty(k)
    total = 0.0
    for j in range(n_levels):
        factor = levels[j]
        for a in range(k):
            for b in range(k):
                sum_ = 0.0
                for c in range(k):
                    sum_ += zz[j, a, c] * lam[c, b]
                spare[a, b] = sum_
        for a in range(k):
            for b in range(k):
                sum_ = 1.0 if a == b else 0.0
                for c in range(k):
                    sum_ += lam[c, a] * spare[c, b]
                factor[a, b] = sum_
        cholesky_level(factor)
        for a in range(k):
            total += np.log(factor[a, a])
        for i in range(start[j], start[j + 1]):
            _scaled_entry(i, node, block, value, stack, sizes, h)
            for a in range(k):
                sum_ = 0.0
                for c in range(k):
                    sum_ += lam[c, a] * h[c]
                border[i, a] = sum_
            lower_level(factor, border[i])
    return total


@kernel
def assemble(start, border, place, rest, rest_place, stack, sizes, diagonal, x):  # type: ignore[no-untyped-def]
    """The values of S into x, which the caller has set to zero.

    Parameters
    ----------
    start : ndarray, shape (J + 1,)
    border : ndarray, shape (h, k)
        F.
    place : ndarray of int32
        For each level, and each two of its entries (i, then c >= i), where their product goes.
    rest : tuple
        Products among the rest (see the module).
    rest_place : ndarray of int32, shape of rest's values
        Where each goes, -1 for the upper half of a level's own.
    stack, sizes : ndarray
        As in `factor_border`.
    diagonal : tuple
        Places (int32) and values of the prior precision of b: ones on the diagonal of S, where
        levels are independent.
    x : ndarray
    """
    column_a, _, block_a, block_b, first, value = rest
    spare = np.empty((stack.shape[1], stack.shape[1]))
    for r in range(len(column_a)):
        a, b = block_a[r], block_b[r]
        k_a, k_b = sizes[a], sizes[b]
        for i in range(k_a):
            for c in range(k_b):
                total = 0.0
                for d in range(k_b):
                    total += value[first[r] + i * k_b + d] * stack[b, d, c]
                spare[i, c] = total
        for i in range(k_a):
            for c in range(k_b):
                to = rest_place[first[r] + i * k_b + c]
                if to >= 0:
                    total = 0.0
                    for d in range(k_a):
                        total += stack[a, d, i] * spare[d, c]
                    x[to] += total
    unit_place, unit = diagonal
    for i in range(len(unit)):
        x[unit_place[i]] += unit[i]
    k = border.shape[1]
    to = 0
    if k == 1:
        for j in range(len(start) - 1):
            for i in range(start[j], start[j + 1]):
                weight = border[i, 0]
                for c in range(i, start[j + 1]):
                    x[place[to]] -= weight * border[c, 0]
                    to += 1
        return
    for j in range(len(start) - 1):
        for i in range(start[j], start[j + 1]):
            for c in range(i, start[j + 1]):
                total = 0.0
                for a in range(k):
                    total += border[i, a] * border[c, a]
                x[place[to]] -= total
                to += 1


@kernel
def _level_border(factor, border, first, n, w, place, to, b, t):  # type: ignore[no-untyped-def]
    """Fills b = L⁻ᵀF and T = W b' of a level's n entries; where the next level's places begin."""
    k = border.shape[1]
    for i in range(n):
        for a in range(k):
            b[i, a] = border[first + i, a]
            t[i, a] = 0.0
        upper_level(factor, b[i])
    for i in range(n):
        weight = w[place[to]]
        to += 1
        for a in range(k):
            t[i, a] += weight * b[i, a]
        for c in range(i + 1, n):
            weight = w[place[to]]
            to += 1
            for a in range(k):
                t[i, a] += weight * b[c, a]
                t[c, a] += weight * b[i, a]
    return to


@kernel
def _level_inverse(factor, zz, lam, product, inverse):  # type: ignore[no-untyped-def]
    """Fills A Lambda and (L L')⁻¹ of a level."""
    k = len(zz)
    for a in range(k):
        for c in range(k):
            total = 0.0
            for d in range(k):
                total += zz[a, d] * lam[d, c]
            product[a, c] = total
            inverse[a, c] = 1.0 if a == c else 0.0
    for a in range(k):
        lower_level(factor, inverse[a])
        upper_level(factor, inverse[a])


@kernel
def slope_border(  # type: ignore[no-untyped-def]
    zz, start, node, block, value, lam, stack, sizes, levels, border, place, w,
    own, rest_own, blocks,
):  # fmt: skip
    """Derivatives of log|L_Z| with respect to the Lambdas through the eliminated levels, and
    the levels' own blocks of M⁻¹.

    With W = S⁻¹, b = L⁻ᵀF and T = W b' of a level's entries,

        d/dLambda      = sum A Lambda M⁻¹ - (H Lambda_rest - A Lambda b) T,
        d/dLambda_rest = -sum H'Lambda T'   (by pair of levels).

    Parameters
    ----------
    zz, start, node, block, value, lam, stack, sizes, levels, border, place : ndarray
        As above.
    w : ndarray
        Values of W at S's places.
    own : ndarray, shape (k, k)
        Added to.
    rest_own : ndarray, shape (blocks, K, K)
        Added to.
    blocks : ndarray, shape (J, k, k)
        Filled with the levels' blocks of the inverse.
    """
    n_levels, k = zz.shape[0], zz.shape[1]
    widest = 0
    for j in range(n_levels):
        widest = max(widest, start[j + 1] - start[j])
    b = np.empty((widest, k))
    t = np.empty((widest, k))
    h = np.empty(k)
    spare = np.empty((k, k))
    inverse = np.empty((k, k))
    to = 0
    for j in range(n_levels):
        first, n = start[j], start[j + 1] - start[j]
        to = _level_border(levels[j], border, first, n, w, place, to, b, t)
        _level_inverse(levels[j], zz[j], lam, spare, inverse)
        for a in range(k):
            for c in range(k):
                for d in range(k):
                    own[a, c] += spare[a, d] * inverse[d, c]
        for i in range(n):
            _scaled_entry(first + i, node, block, value, stack, sizes, h)
            for a in range(k):
                left = h[a]
                for c in range(k):
                    left -= spare[a, c] * b[i, c]
                for c in range(k):
                    own[a, c] -= left * t[i, c]
                    inverse[a, c] += b[i, a] * t[i, c]
            r, base = block[first + i], node[first + i]
            o = first + i - base
            for a in range(k):
                total = 0.0
                for c in range(k):
                    total += lam[a, c] * t[i, c]
                for c in range(sizes[r]):
                    rest_own[r, c, o] -= value[base + c, a] * total
        for a in range(k):
            for c in range(k):
                blocks[j, a, c] = inverse[a, c]


@kernel
def slope_rest(rest, rest_place, stack, sizes, w, rest_own):  # type: ignore[no-untyped-def]
    """Derivatives of log|L_Z| through the products among the rest, added to `rest_own`:
    `A_ab Lambda_b W_ba` for a, and the same the other way round."""
    column_a, column_b, block_a, block_b, first, value = rest
    for r in range(len(column_a)):
        a, b = block_a[r], block_b[r]
        k_a, k_b = sizes[a], sizes[b]
        same = column_a[r] == column_b[r]
        for i in range(k_a):
            for c in range(k_b):
                to = first[r] + i * k_b + c
                if rest_place[to] < 0:  # the upper half: its mirror image
                    to = first[r] + c * k_b + i
                weight = w[rest_place[to]]  # W[a's i, b's c]
                for d in range(k_a):
                    total = 0.0
                    for e in range(k_b):
                        total += value[first[r] + d * k_b + e] * stack[b, e, c]
                    rest_own[a, d, i] += total * weight
                if same:
                    continue
                for d in range(k_b):
                    total = 0.0
                    for e in range(k_a):
                        total += value[first[r] + e * k_b + d] * stack[a, e, i]
                    rest_own[b, d, c] += total * weight


@kernel
def border_keys(start, column, q):  # type: ignore[no-untyped-def]
    """Where the products of a level's border entries (i, then c >= i) belong in the lower
    triangle of a (q, q) matrix, as `column * q + row`."""
    total = 0
    for j in range(len(start) - 1):
        n = start[j + 1] - start[j]
        total += n * (n + 1) // 2
    out = np.empty(total, np.int64)
    to = 0
    for j in range(len(start) - 1):
        for i in range(start[j], start[j + 1]):
            for c in range(i, start[j + 1]):
                a, b = column[i], column[c]
                out[to] = min(a, b) * q + max(a, b)
                to += 1
    return out

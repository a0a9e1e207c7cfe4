"""The likelihood with (beta, u) integrated out for several factors with a sparse rest: value and
gradient in one compiled evaluation. See `integrated`; the letters are those of `crossed`."""

from __future__ import annotations

import numpy as np

from bayeslmm.linalg.compiled import kernel
from bayeslmm.linalg.crossed import assemble, factor_border, slope_border, slope_rest
from bayeslmm.linalg.crossed_solve import half_backward, half_forward, scale_rest
from bayeslmm.linalg.integrated import (
    closed,
    fixed_columns,
    inner_root,
    prepared,
    put_rest,
    put_slopes,
)
from bayeslmm.linalg.sparse import (
    factor,
    log_diagonal,
    selected_inverse,
    solve_lower,
    solve_upper,
)


@kernel
def several_factors(x, has_sigma, inward, where, system, prior, scales, out):  # type: ignore[no-untyped-def]
    """log p(y | x) of a design of several grouping factors; its gradient into `out`.

    Parameters
    ----------
    x, out : ndarray, shape (size,)
    has_sigma : bool
    inward : ndarray, shape (blocks, K, K)
        C⁻¹ of the eliminated factor, then of the rest's, padded to one size.
    where : ndarray of int64, shape (blocks,)
        Where each one's root begins in x.
    system : tuple
        (zz, zf, rest_f, border, rest, places, order, sizes, pattern) as in
        `crossed_batch.draw_sparse`, the rest's columns' factoring positions, and ff.
    prior, scales : tuple
        As in `integrated.one_factor`.
    """
    zz, zf, rest_f, border, rest, places, order, sizes, pattern, _, ff = system
    n_levels, k, m = zf.shape
    n_roots = k * k + np.sum(sizes * sizes)
    out[:] = 0.0
    sigma, precision = prepared(x, n_roots, has_sigma, scales)
    if not sigma > 0.0:
        return -np.inf
    lam, stack = np.empty((k, k)), np.zeros((len(sizes), inward.shape[1], inward.shape[1]))
    inner_root(x, where[0], inward[0], k, sigma, lam)
    for i in range(len(sizes)):
        inner_root(x, where[i + 1], inward[i + 1], sizes[i], sigma, stack[i])

    colptr, rows, panels = pattern
    levels, entries = np.empty((n_levels, k, k)), np.empty_like(border[4])
    values, n = np.zeros(len(rows)), len(colptr) - 1
    links, spare = np.empty((5, n), np.int64), np.empty((2, n))
    log_det = factor_border(
        zz, border[0], border[2], border[3], border[4], lam, stack, sizes, levels, entries
    )
    assemble(border[0], entries, places[0], rest, places[1], stack, sizes, places[2], values)
    if factor(colptr, rows, panels, values, links, spare) != 0:
        return -np.inf
    log_det += log_diagonal(colptr, values)
    b, r, raw = _right(zf, lam), np.empty_like(rest_f), np.empty_like(rest_f)
    scale_rest(order[0], order[1], order[2], sizes, stack, True, rest_f, r)
    half_forward(border[0], border[1], levels, entries, b, r)
    solve_lower(colptr, rows, panels, values, r)
    tail, weight, shares = _tail(ff, b, r), np.empty((m, m)), np.empty(len(precision))
    deviance, by_sigma2 = fixed_columns(
        log_det, tail, sigma * sigma, prior, precision, weight, shares
    )
    if not np.isfinite(deviance):
        return -np.inf

    solve_upper(colptr, rows, panels, values, r)
    half_backward(border[0], border[1], levels, entries, b, r)
    own, rest_own = _log_det_slopes(
        zz, border, rest, places, sizes, pattern, lam, stack, levels, entries, values, links, spare
    )
    _add_tails(system, lam, stack, b, r, raw, weight, own, rest_own)
    through = put_slopes(own, lam, where[0], inward[0], k, sigma, out)
    for i in range(len(sizes)):
        through += put_slopes(
            rest_own[i], stack[i], where[i + 1], inward[i + 1], sizes[i], sigma, out
        )
    put_rest(by_sigma2, through, shares, scales[0], x, n_roots, has_sigma, out)
    return closed(-0.5 * deviance, out)


@kernel
def _right(zf, lam):  # type: ignore[no-untyped-def]
    """Lambda'Z'WF of every level."""
    out = np.zeros_like(zf)
    for j in range(zf.shape[0]):
        for a in range(zf.shape[1]):
            for d in range(zf.shape[1]):
                for c in range(zf.shape[2]):
                    out[j, a, c] += lam[d, a] * zf[j, d, c]
    return out


@kernel
def _tail(ff, b, r):  # type: ignore[no-untyped-def]
    """`F'F - B'B` of the half-solved levels and rest."""
    m = ff.shape[0]
    out = ff.copy()
    for c in range(m):
        for d in range(c + 1):
            total = 0.0
            for j in range(b.shape[0]):
                for a in range(b.shape[1]):
                    total += b[j, a, c] * b[j, a, d]
            for i in range(len(r)):
                total += r[i, c] * r[i, d]
            out[c, d] -= total
    return out


@kernel
def _log_det_slopes(  # type: ignore[no-untyped-def]
    zz, border, rest, places, sizes, pattern, lam, stack, levels, entries, values, links, spare
):
    """Derivatives of 2 log|L_Z| by every Lambda."""
    start, _, node, block, value = border
    own, rest_own = np.zeros_like(lam), np.zeros_like(stack)
    inverse, blocks = np.empty_like(values), np.empty_like(levels)
    selected_inverse(pattern[0], pattern[1], pattern[2], values, inverse, links, spare)
    slope_border(
        zz, start, node, block, value, lam, stack, sizes, levels, entries, places[0], inverse,
        own, rest_own, blocks,
    )  # fmt: skip
    slope_rest(rest, places[1], stack, sizes, inverse, rest_own)
    return 2 * own, 2 * rest_own


@kernel
def _add_tails(system, lam, stack, b, r, raw, weight, own, rest_own):  # type: ignore[no-untyped-def]
    """Add `-2 sum (Z'W(F - Z Lambda b)) W b'` to every block's slopes.

    b and r hold the solutions, by level and in factoring order; raw is overwritten.
    """
    zz, zf, rest_f, border, rest, _, order, sizes, _, position, _ = system
    start, column, _, _, value = border
    order_block, order_node, order_offset = order
    n_levels, k, m = zf.shape
    scale_rest(order_block, order_node, order_offset, sizes, stack, False, r, raw)
    left = rest_f.copy()
    _less_rest(rest, sizes, position, raw, left)
    mine, scaled = np.empty((k, m)), np.empty((k, m))
    for j in range(n_levels):
        for a in range(k):
            for c in range(m):
                mine[a, c], scaled[a, c] = zf[j, a, c], 0.0
                for d in range(k):
                    scaled[a, c] += lam[a, d] * b[j, d, c]
        for a in range(k):
            for d in range(k):
                for c in range(m):
                    mine[a, c] -= zz[j, a, d] * scaled[d, c]
        for i in range(start[j], start[j + 1]):
            for a in range(k):
                for c in range(m):
                    mine[a, c] -= value[i, a] * raw[column[i], c]
                    left[column[i], c] -= value[i, a] * scaled[a, c]
        for a in range(k):
            for d in range(k):
                own[a, d] -= 2 * _between(mine[a], weight, b[j, d])
    for i in range(len(r)):
        for c in range(sizes[order_block[i]]):
            rest_own[order_block[i], order_offset[i], c] -= 2 * _between(
                left[i], weight, r[order_node[i, c]]
            )


@kernel
def _less_rest(rest, sizes, position, scaled, left):  # type: ignore[no-untyped-def]
    """Subtract the products among the rest, times what was solved, from the rest's rows."""
    column_a, column_b, block_a, block_b, first, value = rest
    for r in range(len(column_a)):
        k_a, k_b = sizes[block_a[r]], sizes[block_b[r]]
        for i in range(k_a):
            to = position[column_a[r] + i]
            for d in range(k_b):
                v, other = value[first[r] + i * k_b + d], position[column_b[r] + d]
                for c in range(left.shape[1]):
                    left[to, c] -= v * scaled[other, c]
                    if column_a[r] != column_b[r]:
                        left[other, c] -= v * scaled[to, c]


@kernel
def _between(a, weight, b):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(len(a)):
        part = 0.0
        for j in range(len(b)):
            part += weight[i, j] * b[j]
        total += a[i] * part
    return total

"""Several factors with a sparse rest at many points, within one compiled loop.

For small designs, where a call from Python costs more than a factorisation. The border, the
rest's products and the pattern are the tuples of `crossed` and `sparse`.
"""

from __future__ import annotations

import numpy as np

from bayeslmm.linalg.compiled import kernel
from bayeslmm.linalg.crossed import assemble, factor_border
from bayeslmm.linalg.crossed_solve import half_backward, half_forward, scale_rest
from bayeslmm.linalg.sparse import factor, log_diagonal, solve_lower, solve_upper


@kernel
def _factor_point(  # type: ignore[no-untyped-def]
    zz, border, rest, places, sizes, pattern, lam, stack, levels, entries, x, links, spare
):
    """Everything up to the factor of S; log|L_Z|, NaN where there is none."""
    start, _, node, block, value = border
    border_place, rest_place, diagonal = places
    colptr, rows, panels = pattern
    log_det = factor_border(zz, start, node, block, value, lam, stack, sizes, levels, entries)
    x[:] = 0.0
    assemble(start, entries, border_place, rest, rest_place, stack, sizes, diagonal, x)
    if factor(colptr, rows, panels, x, links, spare) != 0:
        return np.nan
    return log_det + log_diagonal(colptr, x)


@kernel
def _right(zf, rest_f, order, sizes, lam, stack, v, b, raw, r):  # type: ignore[no-untyped-def]
    """`Lambda'Z'WF v` of the levels into b, and of the rest (factoring order) into r."""
    block, node, offset = order
    for j in range(zf.shape[0]):
        for a in range(zf.shape[1]):
            for c in range(v.shape[1]):
                total = 0.0
                for i in range(zf.shape[1]):
                    for d in range(zf.shape[2]):
                        total += lam[i, a] * zf[j, i, d] * v[d, c]
                b[j, a, c] = total
    for i in range(len(block)):
        for c in range(v.shape[1]):
            total = 0.0
            for d in range(zf.shape[2]):
                total += rest_f[i, d] * v[d, c]
            raw[i, c] = total
    scale_rest(block, node, offset, sizes, stack, True, raw, r)


@kernel
def reduce_sparse(  # type: ignore[no-untyped-def]
    zz, zf, rest_f, ff, border, rest, places, order, sizes, pattern, lam, stack, log_det, tail
):
    """log|L_Z| and the tail at S points, into `log_det` and `tail`.

    Parameters
    ----------
    zz, zf : ndarray, shapes (J, k, k) and (J, k, m)
        Of the eliminated factor.
    rest_f : ndarray, shape (q, m)
        The rest's products with F, in factoring order.
    ff : ndarray, shape (m, m)
    border, rest, places, order, sizes, pattern : tuples of arrays
        As in `crossed` and `sparse`.
    lam : ndarray, shape (S, k, k)
    stack : ndarray, shape (S, blocks, K, K)
    log_det, tail : ndarray, shapes (S,) and (S, m, m)
        Filled.
    """
    n_levels, k, m = zf.shape
    q, n = rest_f.shape[0], len(pattern[0]) - 1
    start, column = border[0], border[1]
    colptr, rows, panels = pattern
    levels, entries = np.empty((n_levels, k, k)), np.empty_like(border[4])
    x = np.empty(len(rows))
    links, spare = np.empty((5, n), np.int64), np.empty((2, n))
    b, raw, r = np.empty((n_levels, k, m)), np.empty((q, m)), np.empty((q, m))
    identity = np.eye(m)
    for s in range(lam.shape[0]):
        log_det[s] = _factor_point(
            zz, border, rest, places, sizes, pattern, lam[s], stack[s], levels, entries, x,
            links, spare,
        )  # fmt: skip
        if not np.isfinite(log_det[s]):
            tail[s] = np.nan
            continue
        _right(zf, rest_f, order, sizes, lam[s], stack[s], identity, b, raw, r)
        half_forward(start, column, levels, entries, b, r)
        solve_lower(colptr, rows, panels, x, r)
        for c in range(m):
            for d in range(c + 1):
                total = ff[c, d]
                for j in range(n_levels):
                    for a in range(k):
                        total -= b[j, a, c] * b[j, a, d]
                for i in range(q):
                    total -= r[i, c] * r[i, d]
                tail[s, c, d] = tail[s, d, c] = total


@kernel
def draw_sparse(  # type: ignore[no-untyped-def]
    zz, zf, rest_f, border, rest, places, order, sizes, pattern, lam, stack, v,
    noise, rest_noise, out, rest_out,
):  # fmt: skip
    """`M⁻¹ Lambda'Z'WF v + L_Z⁻ᵀ noise` at S points.

    Parameters
    ----------
    zz, zf, rest_f, border, rest, places, order, sizes, pattern, lam, stack : ndarray or tuple
        As in `reduce_sparse`.
    v : ndarray, shape (S, m)
    noise, rest_noise : ndarray, shapes (S, J, k) and (S, q), or of length 0
    out, rest_out : ndarray, shapes (S, J, k) and (S, q)
        Filled; the rest in factoring order.
    """
    n_levels, k, m = zf.shape
    q, n = rest_f.shape[0], len(pattern[0]) - 1
    start, column = border[0], border[1]
    colptr, rows, panels = pattern
    levels, entries = np.empty((n_levels, k, k)), np.empty_like(border[4])
    x = np.empty(len(rows))
    links, spare = np.empty((5, n), np.int64), np.empty((2, n))
    b, raw, r = np.empty((n_levels, k, 1)), np.empty((q, 1)), np.empty((q, 1))
    one = np.empty((m, 1))
    for s in range(lam.shape[0]):
        _factor_point(
            zz, border, rest, places, sizes, pattern, lam[s], stack[s], levels, entries, x,
            links, spare,
        )  # fmt: skip
        for c in range(m):
            one[c, 0] = v[s, c]
        _right(zf, rest_f, order, sizes, lam[s], stack[s], one, b, raw, r)
        half_forward(start, column, levels, entries, b, r)
        solve_lower(colptr, rows, panels, x, r)
        if len(noise):
            for j in range(n_levels):
                for a in range(k):
                    b[j, a, 0] += noise[s, j, a]
            for i in range(q):
                r[i, 0] += rest_noise[s, i]
        solve_upper(colptr, rows, panels, x, r)
        half_backward(start, column, levels, entries, b, r)
        for j in range(n_levels):
            for a in range(k):
                out[s, j, a] = b[j, a, 0]
        for i in range(q):
            rest_out[s, i] = r[i, 0]

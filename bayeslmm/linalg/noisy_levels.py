"""One grouping factor under structured residuals: products of whitened rows, then levels, at many
points within one compiled loop."""

from __future__ import annotations

import numpy as np

from bayeslmm.linalg.compiled import kernel
from bayeslmm.linalg.levels import draw_levels, reduce_levels


@kernel
def whiten_chains(steps, which, starts, scales, table, out, log_det):  # type: ignore[no-untyped-def]
    """Whiten rows whose residuals are a Markov chain: `L⁻¹ M` at S points, and log|L|.

    A row becomes `(m_i / s_i - r m_(i-1) / s_(i-1)) / sqrt(1 - r²)`.

    Parameters
    ----------
    steps : ndarray, shape (S, u)
        Correlations of the distinct pairs of places that follow each other.
    which : ndarray, shape (n,)
        That of each row and the one before it.
    starts : ndarray of bool, shape (n,)
        Whether a group begins there.
    scales : ndarray, shape (S, n)
    table : ndarray, shape (n, c)
    out, log_det : ndarray, shapes (S, n, c) and (S,)
        Filled.
    """
    n, width = table.shape
    pairs = steps.shape[1]
    root = np.empty(pairs)
    for s in range(steps.shape[0]):
        for u in range(pairs):
            left = (1.0 - steps[s, u]) * (1.0 + steps[s, u])
            root[u] = np.sqrt(left) if left > 0.0 else np.nan
        total = 0.0
        for i in range(n):
            total += np.log(scales[s, i])
            if starts[i]:
                for c in range(width):
                    out[s, i, c] = table[i, c] / scales[s, i]
                continue
            u = which[i]
            total += np.log(root[u])
            own = 1.0 / (scales[s, i] * root[u])
            other = steps[s, u] / (scales[s, i - 1] * root[u])
            for c in range(width):
                out[s, i, c] = table[i, c] * own - table[i - 1, c] * other
        log_det[s] = total


@kernel
def _products(white, codes, m, k, zz, zf, ff):  # type: ignore[no-untyped-def]
    """Cross-products of whitened rows at one point: by level, (k, k, J) and (k, m, J), and of the
    fixed columns and the response, (m, m)."""
    zz[:] = 0.0
    zf[:] = 0.0
    ff[:] = 0.0
    for i in range(white.shape[0]):
        for a in range(m):
            for b in range(a + 1):
                ff[a, b] += white[i, a] * white[i, b]
        if zz.shape[2] == 0:
            continue
        j = codes[i]
        for a in range(k):
            z = white[i, m + a]
            if z == 0.0:
                continue
            for b in range(a + 1):
                zz[a, b, j] += z * white[i, m + b]
            for b in range(m):
                zf[a, b, j] += z * white[i, b]
    for a in range(m):
        for b in range(a):
            ff[b, a] = ff[a, b]
    for a in range(k):
        for b in range(a):
            for j in range(zz.shape[2]):
                zz[b, a, j] = zz[a, b, j]


@kernel
def reduce_white(white, codes, m, k, n_levels, lam, log_det, tail):  # type: ignore[no-untyped-def]
    """log|L_Z| and the tail of whitened rows at S points.

    Parameters
    ----------
    white : ndarray, shape (S, n, m + k)
        Fixed columns and response, then the factor's covariates; m columns alone without one.
    codes : ndarray of int64, shape (n,)
    m, k, n_levels : int
    lam : ndarray, shape (S, k, k)
    log_det, tail : ndarray, shapes (S,) and (S, m, m)
        Filled.
    """
    zz, zf, ff = np.empty((k, k, n_levels)), np.empty((k, m, n_levels)), np.empty((m, m))
    for s in range(white.shape[0]):
        _products(white[s], codes, m, k, zz, zf, ff)
        reduce_levels(zz, zf, ff, lam[s : s + 1], log_det[s : s + 1], tail[s : s + 1])


@kernel
def draw_white(white, codes, m, lam, outer, v, noise, u):  # type: ignore[no-untyped-def]
    """Draws of the levels' effects from whitened rows, as `levels.draw_levels`, at S points.

    Parameters
    ----------
    white, codes, m : ndarray and int
        As in `reduce_white`.
    lam, outer, v, noise : ndarray
        As in `levels.draw_levels`, the last of shape (S, J, k).
    u : ndarray, shape (S, J, k)
        Filled.
    """
    k, n_levels = lam.shape[1], u.shape[1]
    zz, zf, ff = np.empty((k, k, n_levels)), np.empty((k, m, n_levels)), np.empty((m, m))
    for s in range(white.shape[0]):
        _products(white[s], codes, m, k, zz, zf, ff)
        here = slice(s, s + 1)
        draw_levels(zz, zf, lam[here], outer[here], v[here], noise[here], u[here])

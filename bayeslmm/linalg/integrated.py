"""The likelihood with (beta, u) integrated out, and its gradient, in one compiled evaluation.

For samplers that ask for one point at a time: the same sums as `gaussian.likelihood`, without a
call from Python between them. A point is a vector x of every block's root L (absolute, k x k,
rows first), sigma where it is estimated, and the multipliers of heavy-tailed coefficient priors.
With the room's maps C of the blocks, Lambda = C⁻¹ L / sigma.

With e_r = precision_r (sigma² r'(L_X L_X')⁻¹ r + (l_r - r'beta)²) of every prior row r,

    d deviance = 2 d log|L_Z| + <(L_X L_X')⁻¹ + v v'/sigma², d tail>      (v = (-beta, 1))
               + (n - p - rho²/sigma² + sum e_r) d log sigma²  at Lambda held
               + (e_r - 1) d log precision_r.
"""

from __future__ import annotations

import numpy as np

from bayeslmm.linalg.compiled import kernel
from bayeslmm.linalg.levels import reduce_levels, slope_levels


@kernel
def _lower(a):  # type: ignore[no-untyped-def]
    """Cholesky factor in place of the lower half; NaN where there is none."""
    m = a.shape[0]
    for j in range(m):
        for c in range(j):
            a[j, j] -= a[j, c] * a[j, c]
        a[j, j] = np.sqrt(a[j, j])
        for i in range(j + 1, m):
            for c in range(j):
                a[i, j] -= a[i, c] * a[j, c]
            a[i, j] /= a[j, j]


@kernel
def fixed_columns(log_det, tail, sigma2, prior, precision, weight, shares):  # type: ignore[no-untyped-def]
    """The marginal deviance from what elimination left, and what its gradient needs.

    Parameters
    ----------
    log_det : float
        log|L_Z|.
    tail : ndarray, shape (m, m)
        Overwritten.
    sigma2 : float
    prior : tuple
        Rows (r, p) and locations (r,) of the prior in the room's coordinates, n - p, and the
        deviance's constant.
    precision : ndarray, shape (r,)
    weight : ndarray, shape (m, m)
        Filled: what multiplies d tail.
    shares : ndarray, shape (r,)
        Filled with e_r.

    Returns
    -------
    deviance, by_log_sigma2 : float
        NaN where the equations have no factor.
    """
    rows, location, degrees, constant = prior
    m, r = tail.shape[0], rows.shape[0]
    p = m - 1
    for i in range(r):
        for a in range(p):
            scaled = sigma2 * precision[i] * rows[i, a]
            for b in range(a + 1):
                tail[a, b] += scaled * rows[i, b]
            tail[p, a] += scaled * location[i]
        tail[p, p] += sigma2 * precision[i] * location[i] ** 2
    _lower(tail)
    deviance = constant + 2 * log_det + degrees * np.log(sigma2)
    for a in range(p):
        deviance += 2 * np.log(tail[a, a])
    for i in range(r):
        deviance -= np.log(precision[i])
    by_sigma2 = degrees - tail[p, p] ** 2 / sigma2
    deviance += tail[p, p] ** 2 / sigma2
    _weights(tail, weight)
    beta = -weight[p, :p].copy()
    for i in range(r):
        miss, spread = location[i], 0.0
        for a in range(p):
            miss -= rows[i, a] * beta[a]
            for b in range(p):
                spread += rows[i, a] * weight[a, b] * rows[i, b]
        shares[i] = precision[i] * (sigma2 * spread + miss * miss)
        by_sigma2 += shares[i]
    for a in range(m):
        for b in range(m):
            left = weight[p, a] * weight[p, b] / sigma2
            weight[a, b] = left if a == p or b == p else weight[a, b] + left
    return deviance, by_sigma2


@kernel
def _weights(lower, out):  # type: ignore[no-untyped-def]
    """(L_X L_X')⁻¹ into the leading block, and (-beta, 1) into the last row and column."""
    p = lower.shape[0] - 1
    half = np.zeros((p + 1, p))  # a column: L_X⁻¹ e_c; the last row's own: L_X⁻ᵀ of the response
    for c in range(p):
        for i in range(c, p):
            total = 1.0 if i == c else 0.0
            for j in range(c, i):
                total -= lower[i, j] * half[j, c]
            half[i, c] = total / lower[i, i]
    for a in range(p):
        for b in range(a + 1):
            total = 0.0
            for i in range(a, p):
                total += half[i, a] * half[i, b]
            out[a, b] = out[b, a] = total
        total = 0.0
        for i in range(a, p):
            total += half[i, a] * lower[p, i]
        out[p, a] = out[a, p] = -total
    out[p, p] = 1.0


@kernel
def prepared(x, n_roots, has_sigma, prior):  # type: ignore[no-untyped-def]
    """sigma and the prior rows' precisions at x; sigma 0 outside the domain."""
    heavy, base = prior
    precision = base.copy()
    sigma = x[n_roots] if has_sigma else 1.0
    for i in range(len(x)):
        if not np.isfinite(x[i]):
            sigma = 0.0
    first = n_roots + (1 if has_sigma else 0)
    for i in range(len(heavy)):
        precision[heavy[i]] *= x[first + i]
        if not x[first + i] > 0.0:
            sigma = 0.0
    return sigma, precision


@kernel
def inner_root(x, first, inward, k, sigma, out):  # type: ignore[no-untyped-def]
    """`C⁻¹ L / sigma` of the root that begins at `first`, into the leading block of `out`."""
    for a in range(k):
        for b in range(k):
            total = 0.0
            for c in range(k):
                total += inward[a, c] * x[first + c * k + b]
            out[a, b] = total / sigma


@kernel
def put_slopes(slope, lam, first, inward, k, sigma, out):  # type: ignore[no-untyped-def]
    """The value's derivatives by a root from the deviance's by Lambda; returns `<slope, lam>`."""
    through = 0.0
    for a in range(k):
        for b in range(k):
            total = 0.0
            for c in range(k):
                total += inward[c, a] * slope[c, b]
            out[first + a * k + b] = -0.5 * total / sigma
            through += slope[a, b] * lam[a, b]
    return through


@kernel
def put_rest(by_sigma2, through, shares, heavy, x, n_roots, has_sigma, out):  # type: ignore[no-untyped-def]
    """The derivatives by sigma and by the multipliers."""
    first = n_roots
    if has_sigma:
        out[first] = -0.5 * (2 * by_sigma2 - through) / x[first]
        first += 1
    for i in range(len(heavy)):
        out[first + i] = -0.5 * (shares[heavy[i]] - 1.0) / x[first + i]


@kernel
def closed(value, out):  # type: ignore[no-untyped-def]
    """The value, or −inf and zeros where it or a derivative is not finite."""
    good = np.isfinite(value)
    for i in range(len(out)):
        good = good and np.isfinite(out[i])
    if good:
        return value
    out[:] = 0.0
    return -np.inf


@kernel
def one_factor(x, has_sigma, inward, zz, zf, ff, prior, scales, out):  # type: ignore[no-untyped-def]
    """log p(y | x) of a design of one grouping factor, or none; its gradient into `out`.

    Parameters
    ----------
    x, out : ndarray, shape (size,)
    has_sigma : bool
    inward : ndarray, shape (k, k)
        C⁻¹; of shape (0, 0) without a factor.
    zz, zf, ff : ndarray
        As in `reduce_levels`.
    prior : tuple
        As in `fixed_columns`.
    scales : tuple
        Which prior rows are heavy-tailed, and the precisions (r,) at multipliers of one.
    """
    k, n_roots = inward.shape[0], inward.size
    out[:] = 0.0
    sigma, precision = prepared(x, n_roots, has_sigma, scales)
    if not sigma > 0.0:
        return -np.inf
    lam = np.ones((1, zz.shape[0], zz.shape[0]))
    inner_root(x, 0, inward, k, sigma, lam[0])
    m = ff.shape[0]
    log_det, tail = np.empty(1), np.empty((1, m, m))
    reduce_levels(zz, zf, ff, lam, log_det, tail)
    weight, shares = np.empty((1, m, m)), np.empty(len(precision))
    deviance, by_sigma2 = fixed_columns(
        log_det[0], tail[0], sigma * sigma, prior, precision, weight[0], shares
    )
    through = 0.0
    if k:
        own, tails = np.empty((k, k)), np.empty((1, k, k))
        slope_levels(zz, zf, lam[0], weight, own, tails)
        through = put_slopes(2 * own + tails[0], lam[0], 0, inward, k, sigma, out)
    put_rest(by_sigma2, through, shares, scales[0], x, n_roots, has_sigma, out)
    return closed(-0.5 * deviance, out)

"""One grouping factor: a loop over levels of small dense factors.

For a level with products A = zz (k x k) and H = zf (k x m), and for Lambda (k x k),

    M = Lambda'A Lambda + I = L L',   B = L⁻¹ Lambda'H,

log|L_Z| is the sum of log|L|, and what the levels leave of the fixed columns and the response
is the tail, `F'F - sum B'B` (m x m). Levels stand in the last axis, and the inner loops run
over a chunk of them, so that the compiler makes vector instructions of them.
"""

from __future__ import annotations

import numpy as np

from bayeslmm.linalg.compiled import vector_kernel

CHUNK = 64  # levels of a chunk: what is worked on stays in the first cache
LARGE = 1e100


@vector_kernel
def _scaled(lam, a, start, width, out, spare):  # type: ignore[no-untyped-def]
    """`Lambda'A Lambda + I` of a chunk of levels."""
    k = lam.shape[0]
    for i in range(k):
        for c in range(k):
            for t in range(width):
                spare[i, c, t] = 0.0
            for b in range(k):
                weight = lam[b, c]
                for t in range(width):
                    spare[i, c, t] += a[i, b, start + t] * weight
    for r in range(k):
        for c in range(r + 1):
            one = 1.0 if r == c else 0.0
            for t in range(width):
                out[r, c, t] = one
            for i in range(k):
                weight = lam[i, r]
                for t in range(width):
                    out[r, c, t] += weight * spare[i, c, t]


@vector_kernel
def _bordered(lam, h, start, width, out):  # type: ignore[no-untyped-def]
    """`Lambda'H` of a chunk of levels."""
    k, m = h.shape[0], h.shape[1]
    for r in range(k):
        for c in range(m):
            for t in range(width):
                out[r, c, t] = 0.0
            for i in range(k):
                weight = lam[i, r]
                for t in range(width):
                    out[r, c, t] += weight * h[i, c, start + t]


@vector_kernel
def _factored(a, width, inverse):  # type: ignore[no-untyped-def]
    """Cholesky factors of a chunk in place; the diagonals' inverses beside them."""
    k = a.shape[0]
    for j in range(k):
        for c in range(j):
            for t in range(width):
                a[j, j, t] -= a[j, c, t] * a[j, c, t]
        for t in range(width):
            a[j, j, t] = np.sqrt(a[j, j, t])
            inverse[j, t] = 1.0 / a[j, j, t]
        for i in range(j + 1, k):
            for c in range(j):
                for t in range(width):
                    a[i, j, t] -= a[i, c, t] * a[j, c, t]
            for t in range(width):
                a[i, j, t] *= inverse[j, t]


@vector_kernel
def _forward(a, inverse, width, b):  # type: ignore[no-untyped-def]
    """`L⁻¹ B` of a chunk, in place."""
    k, m = b.shape[0], b.shape[1]
    for j in range(k):
        for c in range(m):
            for i in range(j):
                for t in range(width):
                    b[j, c, t] -= a[j, i, t] * b[i, c, t]
            for t in range(width):
                b[j, c, t] *= inverse[j, t]


@vector_kernel
def _backward(a, inverse, width, b):  # type: ignore[no-untyped-def]
    """`L⁻ᵀ B` of a chunk, in place."""
    k, m = b.shape[0], b.shape[1]
    for j in range(k - 1, -1, -1):
        for c in range(m):
            for i in range(j + 1, k):
                for t in range(width):
                    b[j, c, t] -= a[i, j, t] * b[i, c, t]
            for t in range(width):
                b[j, c, t] *= inverse[j, t]


@vector_kernel
def reduce_levels(zz, zf, ff, lam, log_det, tail):  # type: ignore[no-untyped-def]
    """log|L_Z| and the tail at S points, into `log_det` and `tail`.

    Parameters
    ----------
    zz : ndarray, shape (k, k, J)
    zf : ndarray, shape (k, m, J)
    ff : ndarray, shape (m, m)
    lam : ndarray, shape (S, k, k)
    log_det : ndarray, shape (S,)
    tail : ndarray, shape (S, m, m)
    """
    k, m, n_levels = zf.shape
    a = np.empty((k, k, CHUNK))
    spare = np.empty((k, k, CHUNK))
    b = np.empty((k, m, CHUNK))
    inverse = np.empty((k, CHUNK))
    product = np.empty(CHUNK)
    for s in range(lam.shape[0]):
        total = 0.0
        product[:] = 1.0
        for c in range(m):
            for d in range(c + 1):
                tail[s, c, d] = ff[c, d]
        for start in range(0, n_levels, CHUNK):
            width = min(CHUNK, n_levels - start)
            _scaled(lam[s], zz, start, width, a, spare)
            _bordered(lam[s], zf, start, width, b)
            _factored(a, width, inverse)
            _forward(a, inverse, width, b)
            for j in range(k):
                highest = 0.0
                for t in range(width):
                    product[t] *= a[j, j, t]
                    highest = max(highest, product[t])
                if not highest < LARGE:  # take logs before the product overflows
                    for t in range(width):
                        total += np.log(product[t])
                        product[t] = 1.0
            for c in range(m):
                for d in range(c + 1):
                    gone = 0.0
                    for j in range(k):
                        for t in range(width):
                            gone += b[j, c, t] * b[j, d, t]
                    tail[s, c, d] -= gone
        for t in range(CHUNK):
            total += np.log(product[t])
        log_det[s] = total
        for c in range(m):
            for d in range(c):
                tail[s, d, c] = tail[s, c, d]


@vector_kernel
def solve_levels(zz, zf, lam, inverses, solutions):  # type: ignore[no-untyped-def]
    """Each level's `M⁻¹` and `M⁻¹ Lambda'H` at one point.

    Parameters
    ----------
    zz, zf : ndarray
        As in `reduce_levels`.
    lam : ndarray, shape (k, k)
    inverses : ndarray, shape (J, k, k)
        Filled.
    solutions : ndarray, shape (J, k, m)
        Filled.
    """
    k, m, n_levels = zf.shape
    a = np.empty((k, k, CHUNK))
    spare = np.empty((k, k, CHUNK))
    b = np.empty((k, m, CHUNK))
    inverse = np.empty((k, CHUNK))
    for start in range(0, n_levels, CHUNK):
        width = min(CHUNK, n_levels - start)
        _scaled(lam, zz, start, width, a, spare)
        _bordered(lam, zf, start, width, b)
        _factored(a, width, inverse)
        _forward(a, inverse, width, b)
        _backward(a, inverse, width, b)
        spare[:] = 0.0
        for c in range(k):
            spare[c, c, :] = 1.0
        _forward(a, inverse, width, spare)
        _backward(a, inverse, width, spare)
        for t in range(width):
            for j in range(k):
                for c in range(k):
                    inverses[start + t, j, c] = spare[j, c, t]
                for c in range(m):
                    solutions[start + t, j, c] = b[j, c, t]


@vector_kernel
def slope_levels(zz, zf, lam, weights, log_det, tails):  # type: ignore[no-untyped-def]
    """Derivatives with respect to Lambda at one point, in one pass over the levels.

    With b = M⁻¹ Lambda'H and r = H - A Lambda b of a level,

        d log|L_Z|  = sum A Lambda M⁻¹,   d <W, tail> = -2 sum r W b'.

    Parameters
    ----------
    zz, zf : ndarray
        As in `reduce_levels`.
    lam : ndarray, shape (k, k)
    weights : ndarray, shape (r, m, m)
        Symmetric W's.
    log_det : ndarray, shape (k, k)
        Filled.
    tails : ndarray, shape (r, k, k)
        Filled.
    """
    k, m, n_levels = zf.shape
    a = np.empty((k, k, CHUNK))
    spare = np.empty((k, k, CHUNK))
    b = np.empty((k, m, CHUNK))
    residual = np.empty((k, m, CHUNK))
    weighted = np.empty((m, CHUNK))
    inverse = np.empty((k, CHUNK))
    log_det[:] = 0.0
    tails[:] = 0.0
    for start in range(0, n_levels, CHUNK):
        width = min(CHUNK, n_levels - start)
        _scaled(lam, zz, start, width, a, spare)
        _bordered(lam, zf, start, width, b)
        _factored(a, width, inverse)
        _forward(a, inverse, width, b)
        _backward(a, inverse, width, b)
        for i in range(k):  # residual = H - (A Lambda) b, spare = A Lambda
            for c in range(m):
                for t in range(width):
                    residual[i, c, t] = zf[i, c, start + t]
                for j in range(k):
                    for t in range(width):
                        residual[i, c, t] -= spare[i, j, t] * b[j, c, t]
        for r in range(weights.shape[0]):
            for j in range(k):
                for c in range(m):
                    for t in range(width):
                        weighted[c, t] = 0.0
                    for d in range(m):
                        w = weights[r, c, d]
                        for t in range(width):
                            weighted[c, t] += w * b[j, d, t]
                for i in range(k):
                    total = 0.0
                    for c in range(m):
                        for t in range(width):
                            total += residual[i, c, t] * weighted[c, t]
                    tails[r, i, j] -= 2.0 * total
        for i in range(k):  # (A Lambda) M⁻¹: solve M x = (row i of A Lambda)'
            for j in range(k):
                for t in range(width):
                    residual[j, 0, t] = spare[i, j, t]
            one = residual[:, :1]
            _forward(a, inverse, width, one)
            _backward(a, inverse, width, one)
            for j in range(k):
                total = 0.0
                for t in range(width):
                    total += one[j, 0, t]
                log_det[i, j] += total


@vector_kernel
def draw_levels(zz, zf, lam, outer, v, noise, u):  # type: ignore[no-untyped-def]
    """`u = outer (M⁻¹ Lambda'H v + L⁻ᵀ noise)` at S points, level by level.

    Parameters
    ----------
    zz, zf : ndarray
        As in `reduce_levels`.
    lam, outer : ndarray, shape (S, k, k)
        The latter takes b to the users' u.
    v : ndarray, shape (S, m)
        (-beta, 1).
    noise : ndarray, shape (S, J, k) or (0, J, k)
        Standard normals times sigma; none for the mean.
    u : ndarray, shape (S, J, k)
        Filled.
    """
    k, m, n_levels = zf.shape
    noisy = noise.shape[0] > 0
    a = np.empty((k, k, CHUNK))
    spare = np.empty((k, k, CHUNK))
    b = np.empty((k, 1, CHUNK))
    raw = np.empty((k, 1, CHUNK))
    inverse = np.empty((k, CHUNK))
    for s in range(lam.shape[0]):
        for start in range(0, n_levels, CHUNK):
            width = min(CHUNK, n_levels - start)
            _scaled(lam[s], zz, start, width, a, spare)
            for j in range(k):
                for t in range(width):
                    raw[j, 0, t] = 0.0
                for c in range(m):
                    weight = v[s, c]
                    for t in range(width):
                        raw[j, 0, t] += zf[j, c, start + t] * weight
            _bordered(lam[s], raw, 0, width, b)
            _factored(a, width, inverse)
            _forward(a, inverse, width, b)
            if noisy:
                for t in range(width):
                    for j in range(k):
                        b[j, 0, t] += noise[s, start + t, j]
            _backward(a, inverse, width, b)
            for t in range(width):
                for i in range(k):
                    total = 0.0
                    for j in range(k):
                        total += outer[s, i, j] * b[j, 0, t]
                    u[s, start + t, i] = total

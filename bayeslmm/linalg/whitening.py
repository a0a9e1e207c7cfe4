"""Rows of correlated residuals to rows of independent ones: `L⁻¹ M` with R = L L'."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from bayeslmm.linalg.compiled import kernel

Floats = NDArray[np.float64]
LARGE = 48  # from this size on, one triangular solve a point beats a batched general one


@kernel
def unwhiten_chain(step, scale, rows, out):  # type: ignore[no-untyped-def]
    """The inverse of `noisy_levels.whiten_chains` at one point: `L M`."""
    n, width = rows.shape
    for i in range(n):
        r = step[i]
        root = np.sqrt((1.0 - r) * (1.0 + r))
        for c in range(width):
            value = rows[i, c] * root
            if r != 0.0:
                value += r * out[i - 1, c] / scale[i - 1]
            out[i, c] = value * scale[i]


def solve_groups(roots: Floats, rows: Floats) -> Floats:
    """`L⁻¹` times every group's rows at S points.

    Parameters
    ----------
    roots : ndarray, shape (S, k, k)
        Lower triangular; NaN where there is none.
    rows : ndarray, shape (S, G, k, c)

    Returns
    -------
    ndarray, shape (S, G, k, c)
    """
    size, groups, k, width = rows.shape
    flat = rows.swapaxes(1, 2).reshape(size, k, groups * width)
    out = np.full_like(flat, np.nan)
    ok = np.flatnonzero(np.isfinite(roots[:, -1, -1]))
    if k < LARGE:
        out[ok] = np.linalg.solve(roots[ok], flat[ok])
    else:
        for s in ok:
            out[s] = solve_triangular(roots[s], flat[s], lower=True, check_finite=False)
    return out.reshape(size, k, groups, width).swapaxes(1, 2)

"""Correlation matrices by canonical partial correlations.

Row i of the Cholesky factor of R is built from the partial correlations c_ij, j < i:
L_ij = c_ij * sqrt(prod_{l<j} (1 - c_il²)), L_ii = sqrt(prod_{l<i} (1 - c_il²))
(Lewandowski, Kurowicka & Joe, 2009; the order is row by row: (1,0), (2,0), (2,1), …).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def correlation_cholesky(z: Floats, k: int) -> tuple[Floats, Floats]:
    """Cholesky factor of R and log |d R / d z| at partial correlations tanh(z).

    Parameters
    ----------
    z : ndarray, shape (S, k(k-1)/2)
        Unconstrained coordinates, row by row of the lower triangle.
    k : int
        Size of R.

    Returns
    -------
    factor : ndarray, shape (S, k, k)
    log_jacobian : ndarray, shape (S,)
        With column j (from 0), |dR/dc| = prod (1 - c_ij²)^((k - 2 - j)/2) and
        dc/dz = 1 - c².
    """
    s = z.shape[0]
    out = np.zeros((s, k, k))
    log_jacobian = np.zeros(s)
    out[:, 0, 0] = 1.0
    index = 0
    for i in range(1, k):
        log_left = np.zeros(s)
        for j in range(i):
            # log(1 - tanh(z)²) without cancellation for large |z|
            log_rest = -2 * (
                np.abs(z[:, index]) + np.log1p(np.exp(-2 * np.abs(z[:, index])))
            ) + 2 * np.log(2)
            out[:, i, j] = np.tanh(z[:, index]) * np.exp(0.5 * log_left)
            log_left = log_left + log_rest
            log_jacobian += (0.5 * (k - 2 - j) + 1.0) * log_rest
            index += 1
        out[:, i, i] = np.exp(0.5 * log_left)
    return out, log_jacobian


def partial_correlations(factor: Floats) -> Floats:
    """The canonical partial correlations, row by row, of a correlation Cholesky factor (k, k)."""
    k = factor.shape[0]
    out = []
    for i in range(1, k):
        left = 1.0
        for j in range(i):
            out.append(np.clip(factor[i, j] / np.sqrt(left), -1 + 1e-12, 1 - 1e-12))
            left = max(left * (1 - out[-1] ** 2), 1e-300)
    return np.array(out)

"""Small dense algebra over leading batch axes: plain float64 arrays in and out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


SMALL = 4  # up to this size a loop over columns beats one LAPACK call a matrix


def cholesky(a: Floats) -> Floats:
    """Lower Cholesky factors of a batch, shape (..., m, m); NaN where a matrix has none."""
    if a.shape[-1] <= SMALL:
        return _small_cholesky(a)
    try:
        return np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        flat = a.reshape(-1, *a.shape[-2:])
        out = np.full_like(flat, np.nan)
        for i, matrix in enumerate(flat):
            try:
                out[i] = np.linalg.cholesky(matrix)
            except np.linalg.LinAlgError:
                continue
        return out.reshape(a.shape)


def cholesky_to_last(a: Floats) -> Floats:
    """As `cholesky`, where the last pivot may be zero: what rounding makes negative is zero."""
    out = cholesky(a)
    failed = np.isnan(out[..., -1, -1])
    if not np.any(failed):
        return out
    matrices = a[failed]
    inner = cholesky(matrices[:, :-1, :-1])
    fixed = np.zeros_like(matrices)
    fixed[:, :-1, :-1] = inner
    fixed[:, -1, :-1] = solve_lower(inner, matrices[:, :-1, -1:])[..., 0]
    lost = np.isnan(inner).any(axis=(1, 2)) | ~np.isfinite(matrices).all(axis=(1, 2))
    fixed[lost] = np.nan
    out[failed] = fixed
    return out


def _small_cholesky(a: Floats) -> Floats:
    out = np.zeros(a.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        for j in range(a.shape[-1]):
            row = out[..., j, :j]
            pivot = a[..., j, j] - np.sum(row**2, axis=-1)
            out[..., j, j] = np.sqrt(np.where(pivot > 0, pivot, np.nan))
            for i in range(j + 1, a.shape[-1]):
                rest = a[..., i, j] - np.sum(out[..., i, :j] * row, axis=-1)
                out[..., i, j] = rest / out[..., j, j]
    if a.shape[-1]:
        out[np.isnan(out[..., -1, -1])] = np.nan  # a pivot's NaN has gone on to the last one
    return out


def solve_lower(factor: Floats, b: Floats) -> Floats:
    """x in `factor x = b` by forward substitution; (..., m, m), (..., m, r) to (..., m, r)."""
    m = factor.shape[-1]
    x = np.empty(np.broadcast_shapes(factor.shape[:-2], b.shape[:-2]) + b.shape[-2:])
    for i in range(m):
        known = np.einsum("...j,...jr->...r", factor[..., i, :i], x[..., :i, :])
        x[..., i, :] = (b[..., i, :] - known) / factor[..., i, i, None]
    return x


def solve_upper(factor: Floats, b: Floats) -> Floats:
    """x in `factor' x = b`, factor lower triangular; (..., m, m), (..., m, r) to (..., m, r)."""
    m = factor.shape[-1]
    x = np.empty(np.broadcast_shapes(factor.shape[:-2], b.shape[:-2]) + b.shape[-2:])
    for i in reversed(range(m)):
        known = np.einsum("...j,...jr->...r", factor[..., i + 1 :, i], x[..., i + 1 :, :])
        x[..., i, :] = (b[..., i, :] - known) / factor[..., i, i, None]
    return x


def log_diagonal(factor: Floats) -> Floats:
    """Sum of the logs of the diagonal, (..., m, m) to (...)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1))

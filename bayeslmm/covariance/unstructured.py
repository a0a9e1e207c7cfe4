"""A free covariance matrix: every standard deviation and every correlation."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from bayeslmm.covariance.base import Flags, Floats, Scales, Structure
from bayeslmm.covariance.vine import correlation_cholesky, partial_correlations

ROUNDING = 1e-13  # of a variance: a smaller pivot is none


class Unstructured(Structure):
    """`us`: theta is the lower triangle of Lambda column by column, as in lme4."""

    name: ClassVar[str] = "us"
    correlated: ClassVar[bool] = True

    def n_parameters(self, k: int) -> int:
        return k * (k + 1) // 2

    def theta_lower(self, k: int) -> Floats:
        row, col = _triangle(k)
        return np.where(row == col, 0.0, -np.inf)

    def theta_start(self, k: int) -> Floats:
        row, col = _triangle(k)
        return (row == col).astype(np.float64)

    def theta_unit(self, scale: Floats) -> Floats:
        return np.asarray(scale[_triangle(len(scale))[0]])

    def canonical(self, theta: Floats, k: int) -> tuple[Floats, Flags]:
        row, col = _triangle(k)
        root = self.factor(theta[None], k)[0]
        empty = np.diag(root) == 0
        if np.any(root[:, empty]):
            root = _semidefinite_root(root @ root.T)
            empty = np.diag(root) == 0
        return root[row, col], empty[col] & (row != col)

    def inside(self, theta: Floats, k: int, size: float) -> Floats:
        root = self.factor(theta[None], k)[0]
        return np.asarray(np.linalg.cholesky(root @ root.T + size**2 * np.eye(k))[_triangle(k)])

    def releases(self, theta: Floats, near: Floats, slope: Floats, k: int, size: float) -> Floats:
        """Along single coefficients, and along the directions in which the value falls.

        At a minimum over semidefinite matrices the derivative by the covariance is
        semidefinite too; an eigenvector of a negative eigenvalue leads down. It comes from the
        gradient by the Cholesky factor (Murray, 2016, arXiv:1602.07527, eq. 9).
        """
        root, L = self.factor(theta[None], k)[0], self.factor(near[None], k)[0]
        if np.all(np.diag(root) > 0):
            return np.empty((0, len(theta)))
        inner = np.tril(L.T @ self.factor(slope[None], k)[0])
        inner[np.diag_indices(k)] /= 2
        by_covariance = np.linalg.solve(L.T, np.linalg.solve(L.T, inner.T).T)
        values, vectors = np.linalg.eigh(by_covariance + by_covariance.T)
        lines = np.vstack([vectors.T[values < 0], np.eye(k)[np.diag(root) == 0]])
        moved = root @ root.T + size**2 * lines[:, :, None] * lines[:, None, :]
        roots = np.array([_semidefinite_root(m) for m in moved])
        return np.asarray(roots[(slice(None), *_triangle(k))])

    def factor(self, theta: Floats, k: int) -> Floats:
        row, col = _triangle(k)
        out = np.zeros((theta.shape[0], k, k))
        out[:, row, col] = theta
        return out

    def scales(self, psi: Floats, k: int) -> Scales:
        sd = np.exp(psi[:, :k])
        corr, log_jacobian = correlation_cholesky(psi[:, k:], k)
        return Scales(sd[:, :, None] * corr, sd, log_jacobian + psi[:, :k].sum(axis=1))

    def psi(self, covariance: Floats) -> Floats:
        sd = np.sqrt(np.diag(covariance))
        corr = np.linalg.cholesky(covariance / np.outer(sd, sd))
        return np.concatenate([np.log(sd), np.arctanh(partial_correlations(corr))])


def _semidefinite_root(covariance: Floats) -> Floats:
    """The Cholesky factor whose columns are zero where a pivot is."""
    left, out = covariance.copy(), np.zeros_like(covariance)
    for i, total in enumerate(np.diag(covariance)):
        if left[i, i] > ROUNDING * total:
            out[i:, i] = left[i:, i] / np.sqrt(left[i, i])
            left -= np.outer(out[:, i], out[:, i])
    return out


def _triangle(k: int) -> tuple[np.ndarray, np.ndarray]:
    col, row = np.triu_indices(k)
    return row, col

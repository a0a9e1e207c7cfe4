"""A free covariance matrix: every standard deviation and every correlation."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from bayeslmm.covariance.base import Floats, Scales, Structure
from bayeslmm.covariance.vine import correlation_cholesky, partial_correlations


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


def _triangle(k: int) -> tuple[np.ndarray, np.ndarray]:
    col, row = np.triu_indices(k)
    return row, col

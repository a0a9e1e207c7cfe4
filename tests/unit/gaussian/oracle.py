"""The dense textbook formulas, n x n matrices and all, in extended precision.

The oracle forms V = Z G Z' + R for the rows of positive weight and works from there: log
densities, generalised least squares, prediction error variances (Searle, Casella & McCulloch,
1992, ch. 7). It shares no formula with the room under test, and its numbers are long doubles
(where the machine has them), so that ill-conditioned V's don't blur the comparison.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from bayeslmm.gaussian.variances import Variances
from bayeslmm.model import Model

Array = NDArray[np.floating]
LOG_2PI = np.log(2 * np.pi)


def lower_of(a: Array) -> Array:
    """Cholesky factor, a column at a time, in the precision of its argument."""
    out = np.zeros_like(a)
    for j in range(len(a)):
        out[j:, j] = a[j:, j] - out[j:, :j] @ out[j, :j]
        out[j:, j] /= np.sqrt(out[j, j])
    return out


def solve_by(lower: Array, b: Array) -> Array:
    """`(L L')⁻¹ b`."""
    x = b.astype(lower.dtype)
    for j in range(len(lower)):
        x[j] = (x[j] - lower[j, :j] @ x[:j]) / lower[j, j]
    for j in range(len(lower) - 1, -1, -1):
        x[j] = (x[j] - lower[j + 1 :, j] @ x[j + 1 :]) / lower[j, j]
    return x


def log_det(lower: Array) -> float:
    return float(2 * np.log(np.diag(lower)).sum())


@dataclass(frozen=True)
class Dense:
    """A model at one point of the variances as dense matrices, rows of weight zero left out."""

    X: Array
    Z: Array
    y: Array
    G: Array
    R: Array

    @property
    def V(self) -> Array:
        Z = self.Z.astype(np.longdouble)
        return Z @ self.G @ Z.T + self.R

    def solve(self, b: Array) -> Array:
        """V⁻¹ b."""
        return solve_by(lower_of(self.V), b)

    @property
    def precision(self) -> Array:
        return self.X.T @ self.solve(self.X)

    def _blue(self) -> Array:
        return solve_by(lower_of(self.precision), self.X.T @ self.solve(self.y))

    def _residual(self) -> Array:
        return self.y - self.X @ self._blue()

    def blue(self) -> NDArray[np.float64]:
        return self._blue().astype(np.float64)

    def blup(self) -> NDArray[np.float64]:
        return (self.G @ self.Z.T @ self.solve(self._residual())).astype(np.float64)

    def ml(self) -> float:
        """−2 log N(y; X b, V) at the generalised least squares b."""
        r = self._residual()
        return float(len(r) * LOG_2PI + log_det(lower_of(self.V)) + r @ self.solve(r))

    def reml(self) -> float:
        """−2 log of the integral of N(y; X b, V) over b (Harville, 1974)."""
        return self.ml() + log_det(lower_of(self.precision)) - self.X.shape[1] * LOG_2PI

    def effects_covariance(self) -> tuple[NDArray[np.float64], ...]:
        """Var(beta), Var(u − û), Cov(u − û, beta) and Var(u | beta, y), singular G or not."""
        beta = solve_by(lower_of(self.precision), np.eye(self.X.shape[1]))
        C = self.Z.astype(np.longdouble) @ self.G
        given = self.G - C.T @ self.solve(C)
        slope = C.T @ self.solve(self.X)
        parts = beta, given + slope @ beta @ slope.T, -slope @ beta, given
        return tuple(part.astype(np.float64) for part in parts)

    def joint_covariance(self) -> NDArray[np.float64]:
        """Covariance of (u − û, beta − b)."""
        beta, u, u_beta, _ = self.effects_covariance()
        return np.block([[u, u_beta], [u_beta.T, beta]])


def dense_of(model: Model, at: Variances, point: int = 0) -> Dense:
    used = model.used
    design = model.design
    columns, covs = [np.empty((design.n, 0))], [np.empty((0, 0))]
    for block, cov in zip(design.blocks, at.covariances, strict=True):
        Z = np.zeros((design.n, block.n_levels, block.n_coefs))
        Z[np.arange(design.n), block.codes] = block.values
        columns.append(Z.reshape(design.n, -1))
        covs.append(np.kron(np.eye(block.n_levels), cov[point]))
    extras = design.extras
    sd = extras.get(
        "known_sd", at.sigma[point] / np.sqrt(extras.get("weights", np.ones(design.n))[used])
    )
    return Dense(
        design.X[used],
        np.column_stack(columns)[used],
        (design.y - design.offset)[used],
        linalg.block_diag(*covs),
        np.diag(np.broadcast_to(sd, int(used.sum())) ** 2),
    )


def stacked(u: tuple[Array, ...]) -> Array:
    return np.concatenate([np.empty(0), *(part.ravel() for part in u)])


def own_blocks(model: Model, dense: Array) -> list[Array]:
    """Each level's own rows of a matrix with a row for each random effect, (J, k, ...) a factor."""
    out, start = [], 0
    for block in model.design.blocks:
        stop = start + block.n_levels * block.n_coefs
        out.append(dense[start:stop].reshape(block.n_levels, block.n_coefs, -1))
        start = stop
    return out


def diagonal_blocks(model: Model, dense: Array) -> list[Array]:
    """Each level's own covariance out of that of all random effects, (J, k, k) a factor."""
    out, start = [], 0
    for block in model.design.blocks:
        k = block.n_coefs
        places = [slice(start + k * j, start + k * (j + 1)) for j in range(block.n_levels)]
        out.append(np.stack([dense[s, s] for s in places]))
        start += k * block.n_levels
    return out

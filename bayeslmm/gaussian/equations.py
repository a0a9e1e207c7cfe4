"""One factorisation of the mixed-model equations serves likelihood, posterior and draws.

With `G = sigma² Lambda Lambda'` and `u = Lambda b`, the matrix

    [Lambda'Z'WZ Lambda + I   Lambda'Z'WX   Lambda'Z'Wy]
    [          .                X'WX + sigma² P   X'Wy + sigma² P m]
    [          .                    .        y'Wy + sigma² m'P m   ]  =  L L'

is factored with the eliminated block first, level by level, then the Schur complement of the
rest (Henderson, 1953; Bates et al., 2015, J. Stat. Softw. 67(1), sec. 3). G is never inverted,
so a singular Lambda is as good as any other. Every array has a leading batch axis S: one
point of the variance parameters each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.moments import Moments
from bayeslmm.linalg.batched import cholesky, congruence, log_diagonal, solve_lower, solve_upper

Floats = NDArray[np.float64]
BATCH = 4_000_000  # numbers in the factors of one batch


@dataclass(frozen=True, slots=True)
class BetaPrior:
    """A normal prior of beta in the equations' units, at S points.

    Attributes
    ----------
    precision : ndarray, shape (S, p, p)
        P, in units of one over the response squared.
    linear : ndarray, shape (S, p)
        P m, with m about the moments' shift.
    constant : ndarray, shape (S,)
        m'P m.
    log_determinant : ndarray, shape (S,)
        log|P| over its proper rows.
    n_proper : int
        Rows that are proper.
    """

    precision: Floats
    linear: Floats
    constant: Floats
    log_determinant: Floats
    n_proper: int


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """The factored equations at S points.

    Attributes
    ----------
    moments : Moments
    lambdas : tuple of ndarray, each of shape (S, k, k)
        Relative factors, in the order of the design's blocks.
    levels : ndarray, shape (S, J, k, k)
        Cholesky factors of the eliminated block.
    border : ndarray, shape (S, J, k, m)
        `levels⁻¹` times its rows against the rest.
    schur : ndarray, shape (S, m, m)
        Cholesky factor of the rest's Schur complement; the last row is the response's.
    """

    moments: Moments
    lambdas: tuple[Floats, ...]
    levels: Floats
    border: Floats
    schur: Floats

    @property
    def log_det_z(self) -> Floats:
        """log|L_Z|, shape (S,)."""
        q = self.moments.q_rest
        return log_diagonal(self.levels).sum(axis=-1) + log_diagonal(self.schur[:, :q, :q])

    @property
    def log_det_x(self) -> Floats:
        """log|L_X|, shape (S,)."""
        q, p = self.moments.q_rest, self.moments.p
        return log_diagonal(self.schur[:, q : q + p, q : q + p])

    @property
    def rho2(self) -> Floats:
        """rho², the penalised residual sum of squares, shape (S,)."""
        return np.asarray(self.schur[:, -1, -1] ** 2)


def batches(m: Moments, size: int) -> list[slice]:
    """Slices of S = `size` points, each of which is factored within a bound on memory."""
    step = max(1, BATCH // max(1, m.zr.size + m.rr.size))
    return [slice(i, i + step) for i in range(0, size, step)]


def factorise(
    m: Moments,
    lambdas: tuple[Floats, ...],
    sigma2: Floats | None = None,
    prior: BetaPrior | None = None,
) -> Factor:
    """Factor the equations at S points.

    Parameters
    ----------
    m : Moments
    lambdas : tuple of ndarray, each of shape (S, k, k)
        The relative factor of every block of the design.
    sigma2 : ndarray, shape (S,), optional
        Residual variances; needed with a prior.
    prior : BetaPrior, optional
        None for flat beta.
    """
    size = lambdas[0].shape[0] if lambdas else (1 if sigma2 is None else len(sigma2))
    corner = np.broadcast_to(m.rr, (size, *m.rr.shape)).copy()
    _scale_rest(corner, m, lambdas)
    _scale_rest(corner.swapaxes(1, 2), m, lambdas)
    diagonal = np.arange(m.q_rest)
    corner[:, diagonal, diagonal] += 1.0
    if prior is not None:
        assert sigma2 is not None
        q, p = m.q_rest, m.p
        corner[:, q : q + p, q : q + p] += sigma2[:, None, None] * prior.precision
        corner[:, q : q + p, -1] += sigma2[:, None] * prior.linear
        corner[:, -1, q : q + p] += sigma2[:, None] * prior.linear
        corner[:, -1, -1] += sigma2 * prior.constant
    if m.eliminated is None:
        empty = np.zeros((size, *m.zz.shape))
        return Factor(m, lambdas, empty, np.zeros((size, *m.zr.shape)), cholesky(corner))
    lam = lambdas[m.eliminated]
    levels = cholesky(congruence(lam, m.zz) + np.eye(m.zz.shape[-1]))
    n_levels, k, width = m.zr.shape
    rows = lam.swapaxes(1, 2) @ m.zr.swapaxes(0, 1).reshape(k, n_levels * width)
    border = rows.reshape(size, k, n_levels, width).swapaxes(1, 2)
    _scale_rest(border, m, lambdas)
    border = solve_lower(levels, border)
    stacked = border.reshape(size, -1, border.shape[-1])
    corner -= stacked.swapaxes(-1, -2) @ stacked
    return Factor(m, lambdas, levels, border, cholesky(corner))


def _scale_rest(a: Floats, m: Moments, lambdas: tuple[Floats, ...]) -> None:
    """Multiply the rest's random columns (last axis) by their Lambda, in place."""
    for r in m.rest:
        lam = lambdas[r.block]
        view = a[..., r.start : r.stop]
        split = view.reshape(*view.shape[:-1], r.n_levels, r.n_coefs)
        extra = split.ndim - 3
        scaled = split @ lam.reshape(lam.shape[0], *(1,) * extra, *lam.shape[1:])
        a[..., r.start : r.stop] = scaled.reshape(view.shape)


@dataclass(frozen=True, slots=True)
class Effects:
    """Random and fixed effects at S points, in the users' units.

    Attributes
    ----------
    beta : ndarray, shape (S, p)
    u : tuple of ndarray, each of shape (S, J, k)
        In the order of the design's blocks.
    """

    beta: Floats
    u: tuple[Floats, ...]


def solve(factor: Factor, noise: tuple[Floats, Floats] | None = None) -> Effects:
    """The solution of the equations, or a joint draw: `(b, beta) = mean + L⁻ᵀ noise`.

    Parameters
    ----------
    factor : Factor
    noise : tuple of ndarray, shapes (S, J, k) and (S, m - 1), optional
        Standard normals times sigma, for the eliminated levels and the rest. Equations
        factored at one point serve any number S of draws.
    """
    m = factor.moments
    target, level_target = factor.schur[:, -1, :-1], factor.border[..., -1]
    if noise is not None:
        level_target = level_target + noise[0]
        target = target + noise[1]
    rest = solve_upper(factor.schur[:, :-1, :-1], target[..., None])[..., 0]
    level_target = level_target - np.einsum("sjkm,sm->sjk", factor.border[..., :-1], rest)
    b = solve_upper(factor.levels, level_target[..., None])[..., 0]
    u: dict[int, Floats] = {
        r.block: _times(factor.lambdas[r.block], rest[:, r.start : r.stop], r.n_levels)
        for r in m.rest
    }
    if m.eliminated is not None:
        u[m.eliminated] = np.einsum("sab,sjb->sja", factor.lambdas[m.eliminated], b)
    beta = rest[:, m.q_rest :] + m.shift
    return Effects(beta, tuple(u[i] for i in range(len(u))))


def _times(lam: Floats, b: Floats, n_levels: int) -> Floats:
    return np.einsum("sab,sjb->sja", lam, b.reshape(b.shape[0], n_levels, -1))

"""Mean, covariance and draws of (beta, u) at given variances, from one factorisation.

`Var(b, beta | y) = sigma² M⁻¹`, `M` the leading block of the equations. Only the parts that
anybody asks for are formed: the rest's inverse, and for each eliminated level its own block
and its covariance with the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.equations import BetaPrior, Effects, Factor, solve
from bayeslmm.linalg.batched import solve_lower, solve_upper
from bayeslmm.model import PriorRows

Floats = NDArray[np.float64]


def normal_prior(
    rows: PriorRows, shift: Floats, precision_factor: Floats | None, size: int
) -> BetaPrior:
    """The prior rows as precision and linear term at S points.

    Parameters
    ----------
    rows : PriorRows
    shift : ndarray, shape (p,)
        The moments' shift, which the locations are taken about.
    precision_factor : ndarray, shape (S, heavy rows), optional
        lambda of the scale mixtures; 1 where not given.
    size : int
        S.
    """
    scale_free = np.broadcast_to(rows.scale**-2.0, (size, len(rows.scale))).copy()
    if precision_factor is not None:
        scale_free[:, rows.heavy] *= precision_factor
    location = rows.location - rows.rows @ shift
    return BetaPrior(
        precision=np.einsum("sr,ri,rj->sij", scale_free, rows.rows, rows.rows),
        linear=(scale_free * location) @ rows.rows,
        constant=scale_free @ location**2,
        log_determinant=np.log(scale_free).sum(axis=1),
        n_proper=len(rows.scale),
    )


def draw(factor: Factor, sigma2: Floats, rng: np.random.Generator) -> Effects:
    """Exact joint draws of (beta, u), one for each sigma².

    Parameters
    ----------
    factor : Factor
        At S points, or at one for all draws.
    sigma2 : ndarray, shape (S,)
        Residual variances.
    rng : Generator
    """
    sigma = np.sqrt(sigma2)
    levels = rng.standard_normal((len(sigma), *factor.border.shape[1:-1])) * sigma[:, None, None]
    rest = rng.standard_normal((len(sigma), factor.schur.shape[1] - 1)) * sigma[:, None]
    return solve(factor, (levels, rest))


@dataclass(frozen=True, slots=True, eq=False)
class Covariance:
    """Posterior covariance at one point: `sigma²` times parts of `M⁻¹`, in users' units.

    Attributes
    ----------
    beta : ndarray, shape (p, p)
    u : tuple of ndarray, each of shape (J, k, k)
        Each level's own covariance, the uncertainty of beta included.
    u_beta : tuple of ndarray, each of shape (J, k, p)
        Covariance of each level's effects with beta.
    u_given_beta : tuple of ndarray, each of shape (J, k, k)
        Covariance with beta held fixed: lme4's conditional variances.
    """

    beta: Floats
    u: tuple[Floats, ...]
    u_beta: tuple[Floats, ...]
    u_given_beta: tuple[Floats, ...]


def covariance(factor: Factor, sigma2: float) -> Covariance:
    """The covariances of a factorisation at one point (S = 1)."""
    m = factor.moments
    whole = _inverse(factor.schur[0, :-1, :-1]) * sigma2
    given = _inverse(factor.schur[0, : m.q_rest, : m.q_rest]) * sigma2
    u: dict[int, Floats] = {}
    u_beta: dict[int, Floats] = {}
    u_given: dict[int, Floats] = {}
    for r in m.rest:
        lam = factor.lambdas[r.block][0]
        shape = (r.n_levels, r.n_coefs)
        u[r.block] = lam @ _own_blocks(whole[r.start : r.stop, r.start : r.stop], *shape) @ lam.T
        u_given[r.block] = (
            lam @ _own_blocks(given[r.start : r.stop, r.start : r.stop], *shape) @ lam.T
        )
        u_beta[r.block] = lam @ whole[r.start : r.stop, m.q_rest :].reshape(*shape, m.p)
    if m.eliminated is not None:
        lam = factor.lambdas[m.eliminated][0]
        levels, border = factor.levels[0], factor.border[0, :, :, :-1]
        weights = lam @ solve_upper(levels, border)  # Lambda D⁻¹ B, shape (J, k, m - 1)
        half = solve_lower(levels, np.broadcast_to(lam.T, levels.shape))
        own = sigma2 * half.swapaxes(1, 2) @ half
        u[m.eliminated] = own + weights @ whole @ weights.swapaxes(1, 2)
        inner = weights[:, :, : m.q_rest]
        u_given[m.eliminated] = own + inner @ given @ inner.swapaxes(1, 2)
        u_beta[m.eliminated] = -weights @ whole[:, m.q_rest :]
    order = range(len(u))
    return Covariance(
        whole[m.q_rest :, m.q_rest :],
        tuple(u[i] for i in order),
        tuple(u_beta[i] for i in order),
        tuple(u_given[i] for i in order),
    )


def linear_variance(
    factor: Factor,
    sigma2: float,
    fixed: Floats,
    random: tuple[tuple[NDArray[np.intp], Floats] | None, ...],
) -> Floats:
    """Posterior variance of `x'beta + sum_g z_g'u_g` for each of r combinations, shape (r,).

    Parameters
    ----------
    factor : Factor
        At one point (S = 1).
    sigma2 : float
        Residual variance there.
    fixed : ndarray, shape (r, p)
        Coefficients of beta.
    random : tuple of (codes, values) or None
        For each block of the design, the level and the k coefficients of its effects in each
        combination; code -1, or None for the block, leaves it out.
    """
    m = factor.moments
    dense = np.zeros((len(fixed), m.q_rest + m.p))
    dense[:, m.q_rest :] = fixed
    for r in m.rest:
        pair = random[r.block]
        if pair is not None:
            rows = np.flatnonzero(pair[0] >= 0)
            scaled = pair[1][rows] @ factor.lambdas[r.block][0]
            columns = r.start + pair[0][rows, None] * r.n_coefs + np.arange(r.n_coefs)
            dense[rows[:, None], columns] = scaled
    variance = np.zeros(len(fixed))
    pair = random[m.eliminated] if m.eliminated is not None else None
    if m.eliminated is not None and pair is not None:
        rows = np.flatnonzero(pair[0] >= 0)
        scaled = pair[1][rows] @ factor.lambdas[m.eliminated][0]
        half = solve_lower(factor.levels[0, pair[0][rows]], scaled[:, :, None])
        variance[rows] = np.sum(half[..., 0] ** 2, axis=1)
        dense[rows] -= np.einsum(
            "rk,rkm->rm", half[..., 0], factor.border[0, pair[0][rows], :, :-1]
        )
    half = solve_lower(factor.schur[0, :-1, :-1], dense.T)
    return np.asarray(sigma2 * (variance + np.sum(half**2, axis=0)))


def _inverse(factor: Floats) -> Floats:
    """(L L')⁻¹."""
    half = np.linalg.solve(factor, np.eye(len(factor)))
    return np.asarray(half.T @ half)


def _own_blocks(a: Floats, n_levels: int, k: int) -> Floats:
    """The k x k blocks on the diagonal of a (J k, J k) matrix, shape (J, k, k)."""
    return np.asarray(np.einsum("jajb->jab", a.reshape(n_levels, k, n_levels, k)))

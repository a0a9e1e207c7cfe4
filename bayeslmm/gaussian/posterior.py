"""Mean, covariance and draws of (beta, u) at given variances, from one factorisation.

`Var(b, beta | y) = sigma² M⁻¹`, M the leading block of the equations. Only the parts that
anybody asks for are formed: each level's own block by the inverse on the pattern of the
factors, and its covariance with beta. No dense inverse of the random part is ever made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.coordinates import Coordinates
from bayeslmm.gaussian.equations import BetaPrior, Effects, Factor, FactorPoint, solve
from bayeslmm.gaussian.moments import Moments
from bayeslmm.linalg.batched import solve_lower, solve_upper
from bayeslmm.model import PriorRows

Floats = NDArray[np.float64]


def normal_prior(
    rows: PriorRows, about: Coordinates, precision_factor: Floats | None, size: int
) -> BetaPrior:
    """The prior rows as precision and linear term at S points, for the room's beta.

    Parameters
    ----------
    rows : PriorRows
    about : Coordinates
        With beta = T beta~ + shift, a row r'beta ~ N(l, s²) is r'T beta~ ~ N(l - r'shift, s²).
    precision_factor : ndarray, shape (S, heavy rows), optional
        lambda of the scale mixtures; 1 where not given.
    size : int
        S.
    """
    scale_free = np.broadcast_to(rows.scale**-2.0, (size, len(rows.scale))).copy()
    if precision_factor is not None:
        scale_free[:, rows.heavy] *= precision_factor
    location = rows.location - rows.rows @ about.shift
    inner = rows.rows @ about.T
    r, p = inner.shape
    squares = np.einsum("ri,rj->rij", inner, inner).reshape(r, p * p)
    return BetaPrior(
        precision=(scale_free @ squares).reshape(size, p, p),
        linear=(scale_free * location) @ inner,
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
    return solve(factor, standard_noise(factor.equations.moments, np.sqrt(sigma2), rng))


def standard_noise(
    m: Moments, sigma: Floats, rng: np.random.Generator
) -> tuple[Floats, tuple[Floats, ...]]:
    """Standard normals times sigma (S,) for beta, (S, p), and for b by block, (S, J, k)."""
    beta = rng.standard_normal((len(sigma), m.p)) * sigma[:, None]
    blocks = []
    for size in m.sizes:
        z = rng.standard_normal((len(sigma), *size))
        z *= sigma[:, None, None]
        blocks.append(z)
    return beta, tuple(blocks)


def draw_beta(factor: Factor, sigma2: Floats, rng: np.random.Generator) -> Floats:
    """Exact draws of beta alone, u integrated out: shape (S, p), one for each sigma²."""
    m = factor.equations.moments
    noise = rng.standard_normal((len(sigma2), m.p, 1)) * np.sqrt(sigma2)[:, None, None]
    step = solve_upper(factor.lower[:, :-1, :-1], noise)[..., 0]
    return m.coordinates.beta(factor.inner_beta + step)


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


def covariance(factor: FactorPoint, sigma2: float) -> Covariance:
    """The covariances of a factorisation at one point.

    With B the random part's solutions for the fixed columns and C = (L_X L_X')⁻¹, the inverse
    of M has the blocks C, -B C and M_Z⁻¹ + B C B' (Henderson, 1975, Biometrics 31(2)).
    """
    m = factor.equations.moments
    T = m.coordinates.T
    inner = factor.inner_covariance
    beta = sigma2 * T @ inner @ T.T
    if not m.zz:
        return Covariance(beta, (), (), ())
    found = factor.point.inverse()
    u, u_beta, u_given = [], [], []
    for i, (own, solutions) in enumerate(zip(found.own, found.solutions, strict=True)):
        outer = m.coordinates.blocks[i] @ factor.lambdas[i][0]
        fixed = outer @ solutions[:, :, :-1]  # (J, k, p)
        given = sigma2 * outer @ own @ outer.T
        spread = fixed @ inner
        u_given.append(given)
        u_beta.append(-sigma2 * spread @ T.T)
        u.append(given + sigma2 * spread @ fixed.swapaxes(1, 2))
    return Covariance(beta, tuple(u), tuple(u_beta), tuple(u_given))


def linear_variance(
    factor: FactorPoint,
    sigma2: float,
    fixed: Floats,
    random: tuple[tuple[NDArray[np.intp], Floats] | None, ...],
) -> Floats:
    """Posterior variance of `x'beta + sum_g z_g'u_g` for each of r combinations, shape (r,).

    Parameters
    ----------
    factor : FactorPoint
    sigma2 : float
        Residual variance there.
    fixed : ndarray, shape (r, p)
        Coefficients of beta.
    random : tuple of (codes, values) or None
        For each block of the design, the level and the k coefficients of its effects in each
        combination; code -1, or None for the block, leaves it out.
    """
    m = factor.equations.moments
    rows = fixed @ m.coordinates.T
    own = np.zeros(len(fixed))
    if m.zz:
        none = np.full(len(fixed), -1, dtype=np.intp)
        combinations = tuple(
            (none, np.zeros((len(fixed), k))) if pair is None else (pair[0], pair[1] @ C)
            for pair, (_, k), C in zip(random, m.sizes, m.coordinates.blocks, strict=True)
        )
        own = factor.point.variance(combinations)
        solutions = factor.point.inverse().solutions
        for (codes, values), b, lam in zip(combinations, solutions, factor.lambdas, strict=False):
            seen = codes >= 0
            scaled = values[seen] @ lam[0]
            rows[seen] -= np.einsum("rk,rkp->rp", scaled, b[codes[seen], :, :-1])
    half = solve_lower(factor.lower[0, :-1, :-1], rows.T)
    return np.asarray(sigma2 * (own + np.sum(half**2, axis=0)))

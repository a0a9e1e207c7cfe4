"""Draws and moments of (beta, u) over many draws of the variance parameters, batch by batch.

What is asked for at once stays within a bound, whatever the number of random effects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.equations import Effects, Equations, outer_maps, solve
from bayeslmm.gaussian.posterior import covariance, draw, draw_beta, standard_noise
from bayeslmm.gaussian.target import Target
from bayeslmm.gaussian.variances import Variances, lambdas_from_covariances
from bayeslmm.linalg.compiled import one_blas_thread, sweep
from bayeslmm.linalg.sums import add_effects

Floats = NDArray[np.float64]
Blocks = tuple[Floats, ...]
WORKING = 30_000_000  # numbers of a batch
LONG = 1e-3  # seconds of a factorisation that is done once for equal points


def slices(size: int, each: int) -> Iterator[slice]:
    """Slices of `range(size)` whose points, of `each` numbers, fit the working memory."""
    step = max(1, WORKING // max(1, each))
    return (slice(a, min(size, a + step)) for a in range(0, size, step))


def drawn_effects(density: Target, psi: Floats, rng: np.random.Generator) -> Iterator[Effects]:
    """Exact joint draws of (beta, u), one for each psi, in batches.

    Equal psi should stand together: the equations are factored once for them.
    """
    for part in slices(len(psi), 4 * density.equations.moments.q + 100):
        if density.equations.solver.seconds < LONG:
            point = density.at(psi[part])
            yield draw(point.factor, point.sigma2, rng)
        else:
            yield _drawn_one_by_one(density, psi[part], rng)


def _drawn_one_by_one(density: Target, psi: Floats, rng: np.random.Generator) -> Effects:
    """As above, with every distinct psi factored once for all that is asked of it."""
    m = density.equations.moments
    first = np.flatnonzero(np.any(np.diff(psi, axis=0, prepend=np.nan) != 0, axis=1))
    edges = np.append(first, len(psi))
    beta, blocks = standard_noise(m, np.sqrt(density.read(psi)[1]), rng)
    out = Effects(np.empty_like(beta), tuple(np.empty_like(z) for z in blocks))

    def task(a: int, b: int) -> None:
        for i in range(a, b):
            here = slice(edges[i], edges[i + 1])
            factor, _ = density.point(psi[edges[i]])
            found = solve(factor, (beta[here], tuple(z[here] for z in blocks)))
            out.beta[here] = found.beta
            for block, u in zip(out.u, found.u, strict=True):
                block[here] = u

    with one_blas_thread():
        sweep(task, len(first))
    return out


@dataclass(frozen=True, slots=True, eq=False)
class EffectMoments:
    """Draws of beta, with mean and covariances of beta and the random effects.

    What is said of beta goes together with what is said of u: sums of both cancel as they should.

    Attributes
    ----------
    draws : ndarray, shape (S, p)
        Exact draws of beta, one for each psi.
    beta, beta_cov : ndarray, shapes (p,) and (p, p)
    u : tuple of ndarray, each of shape (J, k)
    u_cov : tuple of ndarray, each of shape (J, k, k)
    u_beta_cov : tuple of ndarray, each of shape (J, k, p)
    error : float
        Relative Monte Carlo error of the conditional variances' mean: the median over effects.
    """

    draws: Floats
    beta: Floats
    beta_cov: Floats
    u: Blocks
    u_cov: Blocks
    u_beta_cov: Blocks
    error: float


def effect_moments(
    density: Target, psi: Floats, subsample: Floats, rng: np.random.Generator
) -> EffectMoments:
    """Mean and covariance of u by the law of total variance, without its draws.

    Parameters
    ----------
    density : Target
    psi : ndarray, shape (S, d)
        Draws of the variance parameters: u's conditional means are averaged over all of them.
    subsample : ndarray, shape (s, d)
        Those over which the conditional covariances are averaged.
    rng : Generator
        For the draws of beta.
    """
    m = density.equations.moments
    conditional, own = [_Sums(size, m.p) for size in m.sizes], _Sums((1, m.p), 0)
    draws = []
    for part in slices(len(psi), 2 * m.q + 100):
        point = density.at(psi[part])
        draws.append(draw_beta(point.factor, point.sigma2, rng))
        found = solve(point.factor)
        own.add(found.beta[:, None], found.beta[:, :0])
        for sums, u in zip(conditional, found.u, strict=True):
            sums.add(u, found.beta)
    within = [np.zeros((*size, size[1])) for size in m.sizes]
    cross = [np.zeros((*size, m.p)) for size in m.sizes]
    squares = [np.zeros(size) for size in m.sizes]
    within_beta = np.zeros((m.p, m.p))
    for point in subsample:
        cov = covariance(*density.point(point))
        within_beta += cov.beta / len(subsample)
        for i, (u, u_beta) in enumerate(zip(cov.u, cov.u_beta, strict=True)):
            within[i] += u / len(subsample)
            cross[i] += u_beta / len(subsample)
            squares[i] += np.einsum("jaa->ja", u) ** 2 / len(subsample)
    errors = [
        np.sqrt(np.maximum(s / np.einsum("jaa->ja", w) ** 2 - 1, 0) / len(subsample)).ravel()
        for s, w in zip(squares, within, strict=True)
    ]
    return EffectMoments(
        np.concatenate(draws),
        own.mean[0],
        within_beta + own.covariance[0],
        tuple(s.mean for s in conditional),
        tuple(w + s.covariance for w, s in zip(within, conditional, strict=True)),
        tuple(c + s.cross for c, s in zip(cross, conditional, strict=True)),
        float(np.median(np.concatenate(errors))),
    )


class _Sums:
    """Running sums of a block's conditional means, about the first one."""

    def __init__(self, size: tuple[int, int], p: int) -> None:
        self.count = 0
        self.about: tuple[Floats, Floats] | None = None
        self.u, self.beta = np.zeros(size), np.zeros(p)
        self.uu, self.u_beta = np.zeros((*size, size[1])), np.zeros((*size, p))

    def add(self, u: Floats, beta: Floats) -> None:
        if self.about is None:
            self.about = u[0].copy(), beta[0].copy()
        about_u, about_beta = self.about
        self.count += len(u)
        self.beta += (beta - about_beta).sum(axis=0)
        sums = self.u, self.uu, self.u_beta
        u, beta = np.ascontiguousarray(u), np.ascontiguousarray(beta)

        def task(a: int, b: int) -> None:
            add_effects(u, beta, about_u, about_beta, a, b, *sums)

        sweep(task, len(self.u), 100)

    @property
    def mean(self) -> Floats:
        assert self.about is not None
        return self.about[0] + self.u / self.count

    @property
    def covariance(self) -> Floats:
        u = self.u / self.count
        return np.asarray(self.uu / self.count - u[:, :, None] * u[:, None, :])

    @property
    def cross(self) -> Floats:
        u, beta = self.u / self.count, self.beta / self.count
        return np.asarray(self.u_beta / self.count - u[:, :, None] * beta)


def effects_given_beta(
    system: Equations,
    at: Variances,
    beta: Floats,
    rng: np.random.Generator,
) -> Blocks:
    """Exact draws of u given variances and beta, shape (S, J, k) by block.

    Parameters
    ----------
    system : Equations
    at : Variances
        At S points.
    beta : ndarray, shape (S, p)
        In the users' coordinates.
    rng : Generator
    """
    m = system.moments
    about = m.coordinates
    inner = np.linalg.solve(about.T, (beta - about.shift).T).T
    v = np.concatenate([-inner, np.ones((len(beta), 1))], axis=1)
    lambdas = lambdas_from_covariances(about, at)
    noise = standard_noise(m, at.sigma, rng)[1]
    return system.solver.draw(lambdas, outer_maps(m, lambdas), v, noise)

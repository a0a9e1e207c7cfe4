"""How a mixture proposal learns from weighted draws.

Expectation-maximisation moves the mixture p(x) -> q(x) in Kullback-Leibler divergence; draws
that the mixture covers too thinly, p/q > 1, count for more, since it is these that make
weights large (for the divergences see Cappé et al., 2008, and Douc, Guillin, Marin & Robert,
2007, ESAIM: Probability and Statistics 11).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.linalg.proposal import Mixture, mixture

Floats = NDArray[np.float64]
COMPONENTS = 8
LEAST_SHARE = 0.02
FIRST_GUARD, GUARD_SHARE = 0.1, 0.15  # more once the density is known not to be Gaussian
GUARD_WIDTH = 2.0
PASSES, FEWER = 4, 2  # of components that begin, and of those that go on
PRIOR = 0.3  # draws' worth of the whole's covariance, for each dimension and one more
THIN_POWER, THIN_MOST = 0.7, 30.0


def first_mixture(covariance: Floats) -> Mixture:
    """A component of this covariance, shape (d, d), at the origin, and the guard around it."""
    factor = np.linalg.cholesky(covariance)
    return mixture(
        np.zeros((2, len(factor))),
        np.stack([GUARD_WIDTH * factor, factor]),
        np.array([FIRST_GUARD, 1 - FIRST_GUARD]),
    )


def split(x: Floats, weights: Floats, rng: np.random.Generator) -> Mixture:
    """The guard, and components of the whole's covariance around randomly picked draws.

    Parameters
    ----------
    x : ndarray, shape (S, d)
    weights : ndarray, shape (S,)
        Normalised.
    rng : Generator
    """
    mean, covariance = _moments(x, weights)
    factor = np.linalg.cholesky(covariance)
    cumulative = np.cumsum(weights)
    picks = np.searchsorted(cumulative / cumulative[-1], rng.random(COMPONENTS))
    return mixture(
        np.concatenate([mean[None], x[picks]]),
        np.stack([GUARD_WIDTH * factor, *[factor] * COMPONENTS]),
        _shares(np.ones(COMPONENTS + 1)),
    )


def learn(
    proposal: Mixture, x: Floats, weights: Floats, density: Floats, *, passes: int
) -> Mixture:
    """The mixture after some passes of expectation-maximisation for t densities.

    The guard stays wide over all draws (Peel & McLachlan, 2000, Stat. Comput. 10, for the
    rest). Each component has some draws' worth of the whole's covariance besides its own draws,
    which keeps it in shape where these are few.

    Parameters
    ----------
    proposal : Mixture
    x : ndarray, shape (S, d)
    weights : ndarray, shape (S,)
        Normalised.
    density : ndarray, shape (S,)
        Normalised density that is to be followed.
    passes : int
    """
    mean, covariance = _moments(x, weights)
    guard = GUARD_WIDTH * np.linalg.cholesky(covariance)
    prior = PRIOR * (x.shape[1] + 1.0)
    covered = proposal.density(x)
    for _ in range(passes):
        thin = np.clip(density / covered, 1.0, THIN_MOST) ** THIN_POWER
        w = weights * thin
        sums, covered = proposal.sums(x, w * (w.sum() / (w @ w)))
        robust = np.maximum(sums.robust, 1e-12)
        shift = sums.first / robust[:, None]
        within = sums.second - sums.first[:, :, None] * shift[:, None, :]
        scales = (within + prior * covariance) / (sums.mass + prior)[:, None, None]
        means = proposal.means + shift * (robust / (robust + 1.0))[:, None]
        factors = np.linalg.cholesky(scales)
        means[0], factors[0] = mean, guard
        proposal = mixture(means, factors, _shares(sums.mass))
    return proposal


def tempered(log_weights: Floats, least: float) -> Floats:
    """Normalised weights, flattened while few draws, fewer than `least`, carry them all."""
    log_w = log_weights - log_weights.max()
    for temper in (1.0, 0.5, 0.25, 0.1):
        w = np.exp(temper * log_w)
        w /= w.sum()
        if 1 / (w @ w) > least:
            break
    return np.asarray(w)


def _moments(x: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Weighted mean and covariance, kept from being singular."""
    mean = weights @ x
    centred = x - mean
    return mean, (centred * weights[:, None]).T @ centred + 1e-6 * np.eye(x.shape[1])


def _shares(mass: Floats) -> Floats:
    """Shares by mass, none negligible, the guard's fixed."""
    shares = np.maximum(mass / mass[1:].sum(), LEAST_SHARE)
    shares[0] = GUARD_SHARE
    shares[1:] *= (1 - GUARD_SHARE) / shares[1:].sum()
    return shares

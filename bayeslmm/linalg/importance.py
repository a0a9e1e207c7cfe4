"""Adaptive importance sampling of a smooth density of a few variables.

A mixture of multivariate t densities starts at the mode with the curvature there. For a few
rounds its shares, locations and scales are moved towards the weighted draws (mixture
population Monte Carlo: Cappé, Douc, Guillin, Marin & Robert, 2008, Stat. Comput. 18, sec. 4),
which follows bent and skewed densities where one t can't. Then a final, independent set of
draws from the adapted proposal, which alone is weighted.

Log standard deviations and atanh of correlations have exponential tails. The search works in
coordinates x that such tails fall off in like a Gaussian's: y = location + scale g(x),
g(x) = x sqrt(1 + (x/c)²), which is quadratic far out. So the proposal always has the heavier
tails, and the weights are bounded in practice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from bayeslmm.linalg.differences import Batched, gradient, hessian

Floats = NDArray[np.float64]
COMPONENTS = 6
LEAST_SHARE = 0.02
GUARD_SHARE = 0.15
GUARD_WIDTH = 2.0
GUARD_NU = 4.0
NU = 15.0
WARP = 1.75
LEAST_ROUNDS = 4
GAIN = 1.02


@dataclass(frozen=True, slots=True)
class StudentProposal:
    """A mixture of multivariate t densities.

    Attributes
    ----------
    locations : ndarray, shape (K, d)
    factors : ndarray, shape (K, d, d)
        Lower Cholesky factors of the scale matrices.
    shares, nu : ndarray, shape (K,)
        Shares, and degrees of freedom.
    """

    locations: Floats
    factors: Floats
    shares: Floats
    nu: Floats

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        """Draws, shape (size, d); the components' counts are their shares, rounded."""
        d = self.locations.shape[1]
        counts = np.diff(np.round(np.cumsum([0.0, *self.shares]) * size).astype(int))
        which = np.repeat(np.arange(len(counts)), counts)
        normal = rng.standard_normal((size, d))
        chi = rng.chisquare(self.nu[which]) / self.nu[which]
        steps = np.einsum("sij,sj->si", self.factors[which], normal / np.sqrt(chi)[:, None])
        return self.locations[which] + steps

    def log_components(self, x: Floats) -> tuple[Floats, Floats]:
        """Log of share times density, and squared distance, of each component, (K, S) each."""
        d = x.shape[1]
        logs, distances = [], []
        parts = zip(self.locations, self.factors, self.shares, self.nu, strict=True)
        for location, factor, share, nu in parts:
            z = np.linalg.solve(factor, (x - location).T)
            distance = np.sum(z**2, axis=0)
            constant = (
                special.gammaln((nu + d) / 2)
                - special.gammaln(nu / 2)
                - 0.5 * d * np.log(nu * np.pi)
                - np.log(np.diag(factor)).sum()
            )
            logs.append(np.log(share) + constant - 0.5 * (nu + d) * np.log1p(distance / nu))
            distances.append(distance)
        return np.array(logs), np.array(distances)

    def log_density(self, x: Floats) -> Floats:
        """Log density of the mixture, shape (S,)."""
        return np.asarray(special.logsumexp(self.log_components(x)[0], axis=0))


@dataclass(frozen=True, slots=True)
class Weighted:
    """A final weighted set: points, shape (N, d), and raw log weights, shape (N,)."""

    points: Floats
    log_weights: Floats

    @property
    def weights(self) -> Floats:
        """Normalised weights."""
        return np.exp(self.log_weights - special.logsumexp(self.log_weights))

    @property
    def efficiency(self) -> float:
        """1 / (N sum w²): the share of the set that independent draws would need."""
        w = self.weights
        return float(1 / (len(w) * np.sum(w**2)))

    @property
    def log_mean(self) -> tuple[float, float]:
        """Log of the mean raw weight, and its standard error."""
        n = len(self.log_weights)
        value = float(special.logsumexp(self.log_weights) - np.log(n))
        relative = np.exp(self.log_weights - value)
        return value, float(relative.std(ddof=1) / np.sqrt(n))


def mode(f: Batched, start: Floats) -> tuple[Floats, Floats]:
    """Mode of a log density and the inverse of its negative Hessian there."""

    def descent(x: Floats) -> tuple[float, Floats]:
        value = float(f(x[None])[0])
        if not np.isfinite(value):
            return 1e300, np.zeros_like(x)
        return -value, -np.nan_to_num(gradient(f, x))

    found = optimize.minimize(descent, start, jac=True, method="BFGS", options={"gtol": 1e-3})
    x = np.asarray(found.x, dtype=np.float64)
    values, vectors = np.linalg.eigh(-np.nan_to_num(hessian(f, x, step=1e-2)))
    return x, (vectors / np.clip(values, 0.05, None)) @ vectors.T


@dataclass(frozen=True, slots=True)
class Warp:
    """The map from x to the target's coordinates, elementwise.

    Attributes
    ----------
    location, scale : ndarray, shape (d,)
    """

    location: Floats
    scale: Floats

    def forward(self, x: Floats) -> Floats:
        """y at x, shape (S, d)."""
        return self.location + self.scale * x * np.sqrt(1 + (x / WARP) ** 2)

    def log_slope(self, x: Floats) -> Floats:
        """Sum of log dy/dx, shape (S,)."""
        ratio = (x / WARP) ** 2
        slope = self.scale * (1 + 2 * ratio) / np.sqrt(1 + ratio)
        return np.asarray(np.log(slope).sum(axis=1))


def sample(
    f: Batched,
    start: Floats,
    rng: np.random.Generator,
    *,
    size: int,
    rounds: int = 15,
    round_size: int = 2000,
) -> Weighted:
    """A weighted sample of a log density.

    Parameters
    ----------
    f : callable
        Batched log density, −inf outside its domain.
    start : ndarray, shape (d,)
        Where the search for the mode begins.
    rng : Generator
    size : int
        Draws in the final set.
    rounds, round_size : int
        Adaptation: at most so many rounds, fewer where another one would gain little.
    """
    location, spread = mode(f, start)
    scale = np.sqrt(np.diag(spread))
    warp = Warp(location, scale)

    def warped(x: Floats) -> Floats:
        return f(warp.forward(x)) + warp.log_slope(x)

    proposal = _first(spread / np.outer(scale, scale), rng)
    reached = [0.0]
    for _ in range(rounds):
        trial = weigh(warped, proposal, rng, round_size)
        reached.append(trial.efficiency)
        if len(reached) > LEAST_ROUNDS and max(reached[-2:]) < GAIN * max(reached[:-2]):
            break
        proposal = _adapt(proposal, trial)
    found = weigh(warped, proposal, rng, size)
    return Weighted(warp.forward(found.points), found.log_weights)


def weigh(f: Batched, proposal: StudentProposal, rng: np.random.Generator, size: int) -> Weighted:
    """Independent draws of a proposal with their log weights."""
    points = proposal.draw(rng, size)
    with np.errstate(over="ignore"):  # a point far out is of no weight, whatever overflows there
        return Weighted(points, f(points) - proposal.log_density(points))


def resample(found: Weighted, rng: np.random.Generator, size: int) -> NDArray[np.intp]:
    """Indices of `size` draws by systematic resampling, in random order."""
    grid = (rng.random() + np.arange(size)) / size
    cumulative = np.cumsum(found.weights)
    picks = np.searchsorted(cumulative / cumulative[-1], grid)
    return rng.permutation(np.minimum(picks, len(cumulative) - 1))


def _first(spread: Floats, rng: np.random.Generator) -> StudentProposal:
    """A wide component at the origin, and narrower ones around it for the adaptation to move."""
    factor = np.linalg.cholesky(spread)
    steps = rng.standard_normal((COMPONENTS - 1, len(spread))) @ factor.T
    return StudentProposal(
        np.concatenate([np.zeros((1, len(spread))), steps]),
        np.stack([GUARD_WIDTH * factor, *[factor] * (COMPONENTS - 1)]),
        np.full(COMPONENTS, 1 / COMPONENTS),
        np.array([GUARD_NU, *[NU] * (COMPONENTS - 1)]),
    )


def _adapt(proposal: StudentProposal, found: Weighted) -> StudentProposal:
    """One step of expectation-maximisation on weighted draws, for a mixture of t densities.

    The first component is kept wide over all draws, with a fixed share: it guards the tails.
    """
    log_parts, distances = proposal.log_components(found.points)
    weights = _tempered(found)
    share = np.exp(log_parts - special.logsumexp(log_parts, axis=0)) * weights
    d = found.points.shape[1]
    robust = share * (proposal.nu[:, None] + d) / (proposal.nu[:, None] + distances)
    shares = share.sum(axis=1)
    locations, factors = proposal.locations.copy(), proposal.factors.copy()
    locations[0], factors[0] = _fitted(found.points, weights, 1.0, factors[0] / GUARD_WIDTH)
    factors[0] *= GUARD_WIDTH
    for k in range(1, len(shares)):
        # A component that few draws speak for keeps its place.
        if shares[k] ** 2 / np.sum(share[k] ** 2) > 4 * d:
            locations[k], factors[k] = _fitted(found.points, robust[k], shares[k], factors[k])
    shares = np.maximum(shares / shares.sum(), LEAST_SHARE)
    shares[0] = GUARD_SHARE
    shares[1:] *= (1 - GUARD_SHARE) / shares[1:].sum()
    return StudentProposal(locations, factors, shares, proposal.nu)


def _fitted(points: Floats, weights: Floats, total: float, old: Floats) -> tuple[Floats, Floats]:
    """Weighted mean, and factor of the weighted squares over `total`."""
    location = weights @ points / weights.sum()
    centred = points - location
    values, vectors = np.linalg.eigh((centred * weights[:, None]).T @ centred / total)
    if not np.all(np.isfinite(values)):
        return location, old
    return location, np.linalg.cholesky((vectors * np.maximum(values, 1e-6)) @ vectors.T)


def _tempered(found: Weighted) -> Floats:
    """Normalised weights, flattened while a few draws carry them all."""
    log_w = found.log_weights - found.log_weights.max()
    for temper in (1.0, 0.5, 0.25, 0.1):
        w = np.exp(temper * log_w)
        w = w / w.sum()
        if 1 / np.sum(w**2) > 20 * found.points.shape[1]:
            break
    return w

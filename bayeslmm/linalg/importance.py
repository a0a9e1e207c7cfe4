"""Adaptive importance sampling of a smooth density of a few variables.

A mixture of t densities starts at the mode with the curvature there, in coordinates that bend
exponential tails (`warp`). Where a small first round says that this is not good enough already,
its shares, means and scales are moved towards the weighted draws (mixture population Monte
Carlo: Cappé, Douc, Guillin, Marin & Robert, 2008, Stat. Comput. 18, sec. 4). Every round learns
from all draws so far, each weighted by the mixture of all proposals that were used (adaptive
multiple importance sampling: Cornuet, Marin, Mira & Robert, 2012, Scand. J. Stat. 39). The
final set is drawn from the last proposal alone and independently of all that: the mean of its
raw weights is the integral, with an honest standard error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.linalg.learn import (
    FEWER,
    PASSES,
    first_mixture,
    learn,
    split,
    tempered,
)
from bayeslmm.linalg.mode import Density, Differenced, Mode, find_mode
from bayeslmm.linalg.proposal import Mixture
from bayeslmm.linalg.warp import Warp, fit_warp

Floats = NDArray[np.float64]
GOOD = 0.72  # efficiency at which adaptation costs more than it wins
FIRST = 400  # draws of the first round at most: enough to see whether the mode's shape serves

CAUTIOUS = 2.0  # the latest bend of a density that isn't Gaussian: its ridges may hide from axes
FRESH = 2  # rounds after which the components begin anew from what has been drawn
LEAST_ROUNDS = 4  # before one may be judged by the gain over those before it


@dataclass(frozen=True, eq=False)
class Weighted:
    """A final weighted set: points, shape (N, d), and raw log weights, shape (N,)."""

    points: Floats
    log_weights: Floats

    @cached_property
    def weights(self) -> Floats:
        """Normalised weights."""
        w = np.exp(self.log_weights - self.log_weights.max())
        return np.asarray(w / w.sum())

    @property
    def efficiency(self) -> float:
        """1 / (N sum w²): the share of the set that independent draws would need."""
        w = self.weights
        return float(1 / (len(w) * (w @ w)))

    @property
    def log_mean(self) -> tuple[float, float]:
        """Log of the mean raw weight, and its standard error."""
        top = float(self.log_weights.max())
        relative = np.exp(self.log_weights - top)
        mean = float(relative.mean())
        return top + float(np.log(mean)), float(
            relative.std(ddof=1) / (mean * np.sqrt(len(relative)))
        )


def sample(
    density: Density | Callable[[Floats], Floats],
    start: Floats | Mode,
    rng: np.random.Generator,
    *,
    size: int,
    round_size: int = 1500,
    rounds: int = 8,
    cheap: bool = False,
) -> Weighted:
    """A weighted sample of a log density.

    Parameters
    ----------
    density : Density
        Log density in batches, −inf outside its domain, and its gradient; a bare function's
        gradient is taken by differences.
    start : ndarray, shape (d,), or Mode
        Where the search for the mode begins, or the mode.
    rng : Generator
    size : int
        Draws in the final set.
    round_size, rounds : int
        Adaptation: at most so many rounds of so many draws, fewer where another one would
        gain less than it costs.
    cheap : bool
        Whether a batch of values costs little more than a few.

    Raises
    ------
    ValueError
        The density is not finite at the start.
    """
    if isinstance(start, Mode):
        mode = start
    else:
        exact = density if isinstance(density, Density) else Differenced(density)
        mode = find_mode(exact, start, batched=cheap)
    with np.errstate(over="ignore"):  # a point far out is of no weight, whatever overflows there
        warp = fit_warp(density, mode.x, mode.covariance)
        mixture = first_mixture(mode.covariance / np.outer(warp.scale, warp.scale))
        trial = _weigh(_Warped(density, warp), mixture, rng, min(FIRST, round_size))
        if rounds > 1 and trial.efficiency < GOOD:
            warp = warp.bent(CAUTIOUS)
            mixture = adapt(
                _Warped(density, warp), mixture, rng,
                size=size, round_size=round_size, rounds=rounds - 1,
            )  # fmt: skip
        found = _weigh(_Warped(density, warp), mixture, rng, size)
    return Weighted(warp.forward(found.points)[0], found.log_weights)


@dataclass(frozen=True, slots=True)
class _Warped:
    """A log density in the coordinates of a warp."""

    density: Callable[[Floats], Floats]
    warp: Warp

    def __call__(self, x: Floats) -> Floats:
        y, log_slope = self.warp.forward(x)
        return self.density(y) + log_slope


def adapt(
    target: Callable[[Floats], Floats],
    mixture: Mixture,
    rng: np.random.Generator,
    *,
    size: int,
    round_size: int,
    rounds: int,
) -> Mixture:
    """The mixture after as many rounds as pay for themselves in a final set of `size` draws."""
    used: list[tuple[int, Mixture]] = []
    x, log_f = np.empty((0, mixture.means.shape[1])), np.empty(0)
    best = 0.0
    for i in range(rounds):
        count = min(FIRST, round_size) if i == 0 else round_size
        trial = _weigh(target, mixture, rng, count)
        reached = trial.efficiency
        if reached > GOOD or (i >= LEAST_ROUNDS and reached < best * (1 + round_size / size)):
            break
        best = max(best, reached)
        used.append((count, mixture))
        x = np.concatenate([x, trial.points])
        new_f = trial.log_weights + np.log(mixture.density(trial.points))
        log_f = np.concatenate([log_f, new_f])
        mixture = _learnt(mixture, used, x, log_f, rng)
    return mixture


def _learnt(
    mixture: Mixture,
    used: list[tuple[int, Mixture]],
    x: Floats,
    log_f: Floats,
    rng: np.random.Generator,
) -> Mixture:
    """The mixture that all draws so far suggest; its components begin afresh while few are."""
    past = sum(count * proposal.density(x) for count, proposal in used) / len(x)
    log_weights = log_f - np.log(past)
    weights = tempered(log_weights, 20.0 * x.shape[1])
    fresh = len(used) <= FRESH
    if fresh:
        mixture = split(x, weights, rng)
    log_integral = special.logsumexp(log_weights) - np.log(len(x))
    followed = np.exp(np.minimum(log_f - log_integral, 500.0))
    return learn(mixture, x, weights, followed, passes=PASSES if fresh else FEWER)


def _weigh(
    target: Callable[[Floats], Floats], mixture: Mixture, rng: np.random.Generator, size: int
) -> Weighted:
    """Independent draws of a mixture with their log weights."""
    x = mixture.draw(rng, size)
    return Weighted(x, target(x) - np.log(mixture.density(x)))


def resample(found: Weighted, rng: np.random.Generator, size: int) -> NDArray[np.intp]:
    """Indices of `size` draws by systematic resampling, in random order."""
    grid = (rng.random() + np.arange(size)) / size
    cumulative = np.cumsum(found.weights)
    picks = np.searchsorted(cumulative / cumulative[-1], grid)
    return rng.permutation(np.minimum(picks, len(cumulative) - 1))

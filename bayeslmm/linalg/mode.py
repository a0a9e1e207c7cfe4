"""The mode of a smooth log density with an exact gradient, and the curvature there.

Quasi-Newton steps (BFGS: Nocedal & Wright, 2006, Numerical Optimization, ch. 6) stop by the
predicted rise of the log density, which is free of units: near the mode in standard deviations
is near enough. The Hessian, from central differences of the gradient, then gives the last step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bayeslmm.linalg.differences import gradient, hessian

Floats = NDArray[np.float64]
RISE = 1e-2  # of the log density: a tenth of a standard deviation, before the last step
LONGEST = 3.0  # of one step: coordinates are logs, where more is a leap into a flat tail
LEAST_CURVATURE = 0.05  # a flatter direction has no scale of its own; the search widens it
DIFFERENCE = 1e-3
AGAIN = 4  # climbs from where the first one ended
MOST, MOST_EACH = 200, 50  # gradients of the climbs in all, and more for each coordinate
MOST_CONDITION = 1e12  # of the covariance: a Cholesky factor exists, and rounding is far off


def most_gradients(d: int) -> int:
    """Gradients that a search over d coordinates takes at most, with those for the curvature."""
    return MOST + MOST_EACH * d + 2 * d * (1 + AGAIN) + 1


@runtime_checkable
class Density(Protocol):
    """A log density, in batches, and its gradient at one point."""

    def __call__(self, psi: Floats, /) -> Floats:
        """Log density at psi, (S, d) to (S,); −inf outside the domain."""
        ...

    def value_and_gradient(self, psi: Floats, /) -> tuple[float, Floats]:
        """Log density and its exact gradient, shape (d,), at psi, shape (d,)."""
        ...


@dataclass(frozen=True, slots=True)
class Differenced:
    """A batched log density whose gradient is taken by central differences."""

    f: Callable[[Floats], Floats]

    def __call__(self, psi: Floats, /) -> Floats:
        return self.f(psi)

    def value_and_gradient(self, psi: Floats, /) -> tuple[float, Floats]:
        with np.errstate(invalid="ignore"):  # between two points outside the domain
            return float(self.f(psi[None])[0]), gradient(self.f, psi)


@dataclass(frozen=True, slots=True)
class Mode:
    """Where a log density is highest.

    Attributes
    ----------
    x : ndarray, shape (d,)
    value : float
    covariance : ndarray, shape (d, d)
        Inverse of the negative Hessian, its curvatures at least `LEAST_CURVATURE`; its condition
        is at most `MOST_CONDITION`.
    """

    x: Floats
    value: float
    covariance: Floats


def find_mode(density: Density, start: Floats, *, batched: bool = False) -> Mode:
    """Climb to the mode, and measure the curvature there.

    The climbs take `MOST` + d `MOST_EACH` gradients at most, and end at the highest point of these.

    Parameters
    ----------
    density : Density
    start : ndarray, shape (d,)
        Where the density is positive.
    batched : bool
        Take the curvature from 2d² + 1 values in one batch, which is quicker where a value is
        cheap; else from 2d gradients.

    Raises
    ------
    ValueError
        The density is zero or its gradient not finite at the start.
    """
    x = np.asarray(start, dtype=np.float64)
    density = _Bounded(density, MOST + MOST_EACH * len(x))
    value, slope = _at(density, x)
    if not np.isfinite(value):
        raise ValueError("the log density is not finite at the starting point")
    inverse = np.eye(len(x)) / max(1.0, float(np.linalg.norm(slope)))
    for scaled in (False, *[True] * AGAIN):
        x, value, slope = _climb(density, x, value, slope, inverse, scaled=scaled)
        # After a cliff the climb may have believed in too short a scale; this one is exact.
        inverse = covariance = _covariance(density, x, batched)
        if density.spent or float(slope @ covariance @ slope) < 4 * RISE:
            break
    # Close to the mode this step lands on it; elsewhere it may not help.
    last = x + _bounded(covariance @ slope)
    last_value, _ = _at(density, last)
    return Mode(last, last_value, covariance) if last_value > value else Mode(x, value, covariance)


class _Bounded:
    """A density whose gradients are counted; past the bound on them a climb ends."""

    def __init__(self, density: Density, left: int) -> None:
        self.density, self.left = density, left

    def __call__(self, psi: Floats, /) -> Floats:
        return self.density(psi)

    def value_and_gradient(self, psi: Floats, /) -> tuple[float, Floats]:
        self.left -= 1
        return self.density.value_and_gradient(psi)

    @property
    def spent(self) -> bool:
        return self.left <= 0


def _climb(
    density: _Bounded, x: Floats, value: float, slope: Floats, inverse: Floats, *, scaled: bool
) -> tuple[Floats, float, Floats]:
    """BFGS with backtracking, to within `RISE` of the mode as far as it can tell.

    `inverse` is the first guess at the inverse Hessian, and of no scale unless `scaled`.
    """
    for count in range(200):
        rise = float(slope @ inverse @ slope)
        if density.spent or rise == 0 or (count and rise < RISE):
            break
        step = _bounded(inverse @ slope)
        found = _backtrack(density, x, value, step, float(slope @ step))
        if found is None:
            break
        moved, value, new_slope = found
        inverse = _updated(inverse, moved - x, slope - new_slope, first=count == 0 and not scaled)
        x, slope = moved, new_slope
    return x, value, slope


def _backtrack(
    density: _Bounded, x: Floats, value: float, step: Floats, rate: float
) -> tuple[Floats, float, Floats] | None:
    """The first of ever shorter steps that rises enough (Armijo); None if none does."""
    t = 1.0
    for _ in range(30):
        if density.spent:
            break
        moved = x + t * step
        there, slope = _at(density, moved)
        if there >= value + 1e-4 * t * rate:
            return moved, there, slope
        # The parabola through both values and the slope, within reason.
        drop = value + t * rate - there
        t *= float(np.clip(0.5 * t * rate / drop, 0.1, 0.5)) if np.isfinite(drop) else 0.1
    return None


def _updated(inverse: Floats, s: Floats, y: Floats, *, first: bool) -> Floats:
    """Inverse BFGS update (Nocedal & Wright, eq. 6.17, 6.20)."""
    product = float(s @ y)
    if product <= 1e-8 * float(np.linalg.norm(s) * np.linalg.norm(y)):
        return 4.0 * inverse  # bent upwards, or straight: a tail, so go faster
    if first:
        inverse = np.eye(len(s)) * product / float(y @ y)
    left = np.eye(len(s)) - np.outer(s, y) / product
    return left @ inverse @ left.T + np.outer(s, s) / product


def _covariance(density: Density, x: Floats, batched: bool) -> Floats:
    """Inverse of the negative Hessian, its curvatures from a floor to a ceiling."""
    if batched:
        with np.errstate(invalid="ignore"):  # no density beyond a bound of a prior
            curvature = -hessian(density, x, step=10 * DIFFERENCE)
    else:
        h = DIFFERENCE * np.maximum(1.0, np.abs(x))
        rows = [
            (_at(density, x - move)[1] - _at(density, x + move)[1]) / (2 * move.max())
            for move in np.diag(h)
        ]
        curvature = np.array(rows).reshape(len(x), len(x))
    curvature = np.where(np.isfinite(curvature), curvature, 0.0)
    values, vectors = np.linalg.eigh(0.5 * (curvature + curvature.T))
    floor = max(LEAST_CURVATURE, float(values.min(initial=np.inf)) if len(x) else 0.0)
    return (vectors / np.clip(values, floor, MOST_CONDITION * floor)) @ vectors.T


def _at(density: Density, x: Floats) -> tuple[float, Floats]:
    """Value and gradient; −inf wherever one of them is not finite."""
    value, slope = density.value_and_gradient(x)
    if np.isfinite(value) and np.all(np.isfinite(slope)):
        return float(value), np.asarray(slope, dtype=np.float64)
    return -np.inf, np.zeros_like(x)


def _bounded(step: Floats) -> Floats:
    longest = float(np.abs(step).max(initial=0.0))
    return step * min(1.0, LONGEST / longest) if longest > 0 else step

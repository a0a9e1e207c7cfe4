"""Bound-constrained minimisation of a smooth function of a few variables with its gradient.

BFGS (Nocedal & Wright, 2006, ch. 6) finds the neighbourhood from a given curvature, in few
evaluations; Newton steps with the Hessian of the free variables, by differences of the gradient,
finish it, so that the answer is right to the accuracy of the function and not of a stopping
rule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Smooth = Callable[[Floats], tuple[float, Floats]]
Many = Callable[[list[Floats]], list[tuple[float, Floats]]]
STEP = 1e-5  # of a difference of gradients
NEAR = 1e-3  # this close to its bound a variable is tried at it
FAR = 0.03  # this share of its upper bound on, the same
LEVEL = 1e-3  # a rise of f by the log of a variable at its upper bound that doesn't lead inwards
SMALL = 1e-6  # a predicted decrease after which the same Hessian serves once more
NEARLY = 1e-7  # a predicted decrease at which Newton's steps take over
WIDEST = 2.0  # a step's most in units of the variable
MOST_STEPS, MOST_NEWTON = 200, 60
MOST_CALLS, MOST_CALLS_EACH = 300, 40  # evaluations in all, and more for each variable
ESCAPES = (0.01, 0.1, 1.0)


class Boundary(Protocol):
    """What a function knows of the edge of its domain."""

    def canonical(self, x: Floats) -> tuple[Floats, Flags]:
        """An x of the same value, and which variables to hold: moves along them do nothing."""
        ...

    def releases(self, f: Smooth, x: Floats, size: float) -> Floats:
        """Points about `size` off the boundary that may be lower, shape (some, d)."""
        ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """A boundary whose variables have nothing to do with each other."""

    lower: Floats

    def canonical(self, x: Floats) -> tuple[Floats, Flags]:
        return x, np.zeros(len(x), dtype=bool)

    def releases(self, f: Smooth, x: Floats, size: float) -> Floats:
        return np.asarray(x + size * np.eye(len(x))[x <= self.lower])


@dataclass(frozen=True, slots=True)
class Minimum:
    """Where a minimisation ended.

    Attributes
    ----------
    x : ndarray, shape (d,)
    value : float
    gradient : ndarray, shape (d,)
        Projected: zero for a variable held at its bound.
    hessian : ndarray, shape (d, d)
    converged : bool
        Newton's predicted decrease is negligible and the curvature is positive on the free
        variables.
    evaluations : int
    """

    x: Floats
    value: float
    gradient: Floats
    hessian: Floats
    converged: bool
    evaluations: int


def minimise(
    f: Smooth,
    start: Floats,
    lower: Floats,
    curvature: Floats | None = None,
    *,
    many: Many | None = None,
    boundary: Boundary | None = None,
    upper: Floats | None = None,
    tolerance: float = 1e-8,
) -> Minimum:
    """Minimise f from `start`, lower <= x <= upper.

    Parameters
    ----------
    f : callable
        From a point, shape (d,), to value and gradient; the value is not finite outside its
        domain. At a bound it is taken to be even in the distance from it, as a likelihood is
        in a standard deviation: its gradient there says nothing, its curvature does.
    start, lower : ndarray, shape (d,)
    curvature : ndarray, shape (d,), optional
        About f's second derivatives at the start; ones where not given.
    many : callable, optional
        f at several points at once, where that is quicker than one after the other.
    boundary : Boundary, optional
        How points on the boundary are written and left, where that is more than bounds.
    upper : ndarray, shape (d,), optional
        Where f is about level at the latest; none where not given.
    tolerance : float
        The predicted decrease of f at which a point counts as the minimum.
    """
    counted = _Counted(f, many)
    if len(start) == 0:
        value = counted(start)[0]
        return Minimum(start, value, start, np.empty((0, 0)), bool(np.isfinite(value)), 1)
    about = np.ones_like(start) if curvature is None else curvature
    edge = boundary or Bounds(lower)
    box = _Box(lower, np.full(len(start), np.inf) if upper is None else upper)
    counted.limit = MOST_CALLS + MOST_CALLS_EACH * len(start)
    try:
        x = _descend(counted, start, box, about)
        for _ in range(2 * len(start) + 1):
            found = _polish(counted, x, box, edge, tolerance)
            better = _escape(counted, found, edge)
            if better is None:
                return found
            x = _descend(counted, better, box, about)
    except _Spent:
        return counted.lowest()
    return found


class _Spent(Exception):
    """The evaluations that a search may take are spent."""


@dataclass(frozen=True, slots=True)
class _Box:
    """Lower bounds, at which f is even, and upper ones, at which it is about level."""

    lower: Floats
    upper: Floats

    def free(self, x: Floats, slope: Floats) -> Flags:
        """Variables that may move from where they are, downhill."""
        level = (x >= self.upper) & (slope * x < LEVEL)
        return ((x > self.lower) | (slope < 0)) & ~level

    def clipped(self, x: Floats) -> Floats:
        return np.minimum(np.maximum(x, self.lower), self.upper)

    def within(self, x: Floats, trial: Floats) -> Floats:
        """A trial from x that ends near a lower bound that it would cross, never on it: what lies
        on a bound has no gradient to leave it with."""
        out = np.minimum(trial, self.upper)
        beyond = out < self.lower
        out[beyond] = self.lower[beyond] + 0.1 * (x[beyond] - self.lower[beyond])
        return out

    def at_edge(self, x: Floats) -> bool:
        near = (x > self.lower) & (x < self.lower + NEAR)
        return bool(np.any(near | (x >= self.upper)))


class _Counted:
    """The function with its calls counted and its points remembered."""

    def __init__(self, f: Smooth, many: Many | None = None) -> None:
        self.f = f
        self.together = many
        self.calls = 0
        self.limit = MOST_CALLS
        self._known: dict[bytes, tuple[float, Floats]] = {}

    def __call__(self, x: Floats) -> tuple[float, Floats]:
        key = x.tobytes()
        if key not in self._known:
            if self.calls >= self.limit:
                raise _Spent
            self.calls += 1
            self._known[key] = _finite(*self.f(x))
        return self._known[key]

    def lowest(self) -> Minimum:
        """The lowest point so far, as one that has not converged and has no curvature."""
        key = min(self._known, key=lambda k: self._known[k][0])
        x, (value, slope) = np.frombuffer(key).copy(), self._known[key]
        nothing = np.full((len(x), len(x)), np.nan)
        return Minimum(x, value, slope, nothing, False, self.calls)

    def many(self, points: list[Floats]) -> list[tuple[float, Floats]]:
        """The function at several points."""
        if self.together is None:
            return [self(x) for x in points]
        self.calls += len(points)
        return [_finite(*found) for found in self.together(points)]


def _finite(value: float, slope: Floats) -> tuple[float, Floats]:
    if not np.isfinite(value):
        return 1e300, np.zeros_like(slope)
    return float(value), np.nan_to_num(slope)


def _descend(f: _Counted, x: Floats, box: _Box, curvature: Floats) -> Floats:
    """BFGS from a diagonal curvature until little decrease is predicted, or a bound is near."""
    H = np.diag(curvature)
    value, slope = f(x)
    for _ in range(MOST_STEPS):
        step = _quasi_newton(H, slope, curvature)
        room = WIDEST * np.maximum(1.0, np.abs(x)) / np.maximum(np.abs(step), 1e-300)
        step *= min(1.0, float(room.min()))
        if -float(slope @ step) < NEARLY:
            return x
        size, trial = 1.0, x
        for _ in range(30):
            trial = box.within(x, x + size * step)
            trial_value, trial_slope = f(trial)
            gain = float(slope @ (trial - x))
            if trial_value <= value + 1e-4 * gain:
                break
            # The minimum of the parabola through what is known, within bounds.
            size *= float(np.clip(-gain / (2 * (trial_value - value - gain) + 1e-300), 0.1, 0.5))
        else:
            return x
        if np.array_equal(trial, x):  # a step that rounding swallows
            return x
        H = _updated(H, trial - x, trial_slope - slope)
        x, value, slope = trial, trial_value, trial_slope
        if box.at_edge(x):
            return x
    return x


def _quasi_newton(H: Floats, slope: Floats, curvature: Floats) -> Floats:
    """-H⁻¹ slope, or a step by the diagonal curvature where updates made H singular."""
    try:
        return np.asarray(-np.linalg.solve(H, slope))
    except np.linalg.LinAlgError:
        return np.asarray(-slope / curvature)


def _updated(H: Floats, move: Floats, change: Floats) -> Floats:
    """The BFGS update, damped so that H stays positive definite (Powell, 1978)."""
    moved = H @ move
    old, new = float(move @ moved), float(move @ change)
    if not old > 1e-250:
        return H
    share = 1.0 if new >= 0.2 * old else 0.8 * old / (old - new)
    change = share * change + (1 - share) * moved
    return np.asarray(
        H - np.outer(moved, moved) / old + np.outer(change, change) / float(move @ change)
    )


def _polish(f: _Counted, x: Floats, box: _Box, edge: Boundary, tolerance: float) -> Minimum:
    """Newton steps on the free variables."""
    x, held = edge.canonical(_snap(f, x, box))
    curvature: Floats | None = None
    for _ in range(MOST_NEWTON):
        value, slope = f(x)
        fresh = curvature is None
        curvature = hessian(f, x, f.many) if curvature is None else curvature
        free = box.free(x, slope) & ~held
        inner = curvature[np.ix_(free, free)]
        values, vectors = np.linalg.eigh(inner) if free.any() else (np.ones(0), np.empty((0, 0)))
        floor = 1e-10 * max(1.0, float(np.abs(values).max(initial=0.0)))
        step = np.zeros_like(x)
        step[free] = -vectors @ ((vectors.T @ slope[free]) / np.maximum(np.abs(values), floor))
        predicted = -float(slope @ step)
        positive = bool(np.all(values > -1e-6 * np.abs(values).max(initial=0.0)))
        # Along a bent valley the steps get short before they get nowhere: `SMALL` is near enough.
        near = positive and predicted < SMALL
        done = Minimum(x, value, np.where(free, slope, 0.0), curvature, near, f.calls)
        if predicted < tolerance:
            return _with(done, positive)
        moved = _line_search(f, x, step, box, value)
        if moved is None and fresh:  # below what the function can tell
            small = predicted < max(1e-5, 1e-12 * abs(value))
            return _with(done, small and bool(np.all(values > 0)))
        if moved is not None:
            x, held = edge.canonical(_snap(f, moved, box))
        if moved is None or predicted > SMALL or np.any((x > box.lower) != (done.x > box.lower)):
            curvature = None
    return done


def _with(minimum: Minimum, converged: bool) -> Minimum:
    m = minimum
    return Minimum(m.x, m.value, m.gradient, m.hessian, converged, m.evaluations)


def _line_search(f: _Counted, x: Floats, step: Floats, box: _Box, value: float) -> Floats | None:
    for scale in 0.5 ** np.arange(12):
        trial = box.clipped(x + scale * step)
        if f(trial)[0] < value:
            return trial
    return None


def hessian(f: Smooth, x: Floats, many: Many | None = None) -> Floats:
    """Hessian of f at x, shape (d, d), from d further gradients."""
    here = f(x)[1]
    size = STEP * np.maximum(1.0, np.abs(x))
    points = [x + move for move in np.diag(size)]
    found = [f(point) for point in points] if many is None else many(points)
    out = np.array([(slope - here) / h for (_, slope), h in zip(found, size, strict=True)])
    return np.asarray((out + out.T) / 2)


def _snap(f: _Counted, x: Floats, box: _Box) -> Floats:
    """Move variables that are near their bound onto it where f does not rise by that."""
    for bound, near in (
        (box.lower, (x > box.lower) & (x < box.lower + NEAR)),
        (box.upper, (x < box.upper) & (x > box.upper * FAR)),
    ):
        for i in np.flatnonzero(near):
            moved = x.copy()
            moved[i] = bound[i]
            here, there = f(x)[0], f(moved)[0]
            if there <= here + 1e-10 * max(1.0, abs(here)):
                x = moved
    return x


def _escape(f: _Counted, found: Minimum, edge: Boundary) -> Floats | None:
    """A lower point off the boundary, near or further away, if there is one."""
    enough = found.value - 1e-7 * max(1.0, abs(found.value) * 1e-3)
    for size in ESCAPES:
        for trial in edge.releases(f, found.x, size):
            if f(trial)[0] < enough:
                return np.asarray(trial)
    return None

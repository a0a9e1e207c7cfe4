"""Bound-constrained minimisation of a smooth batched function of a few variables.

L-BFGS-B finds the neighbourhood; Newton steps with the Hessian of the free variables finish
it, so that the answer is right to the accuracy of the function and not of a stopping rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from bayeslmm.linalg.differences import Batched, gradient, hessian

Floats = NDArray[np.float64]


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
    """

    x: Floats
    value: float
    gradient: Floats
    hessian: Floats
    converged: bool


def minimise(f: Batched, start: Floats, lower: Floats, *, tolerance: float = 1e-8) -> Minimum:
    """Minimise f from `start`, x >= lower.

    Parameters
    ----------
    f : callable
        From points, shape (S, d), to values, shape (S,); not finite outside its domain.
    start, lower : ndarray, shape (d,)
    tolerance : float
        The predicted decrease of f at which a point counts as the minimum.
    """
    if len(start) == 0:
        value = float(f(start[None])[0])
        return Minimum(start, value, start, np.empty((0, 0)), bool(np.isfinite(value)))

    def value_and_gradient(x: Floats) -> tuple[float, Floats]:
        value = float(f(x[None])[0])
        slope = gradient(f, x)
        if not np.isfinite(value):
            return 1e300, np.zeros_like(x)
        return value, np.nan_to_num(slope)

    bounds = [(None if np.isinf(b) else b, None) for b in lower]
    found = optimize.minimize(
        value_and_gradient, start, jac=True, bounds=bounds, method="L-BFGS-B",
        options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-7},
    )  # fmt: skip
    return _polish(f, np.asarray(found.x, dtype=np.float64), lower, tolerance)


def _polish(f: Batched, x: Floats, lower: Floats, tolerance: float) -> Minimum:
    x = _snap(f, x, lower)
    for _ in range(20):
        value = float(f(x[None])[0])
        slope, curvature = gradient(f, x), hessian(f, x)
        free = ~((x <= lower) & (slope > 0))
        inner = curvature[np.ix_(free, free)]
        values, vectors = np.linalg.eigh(inner) if free.any() else (np.ones(0), np.empty((0, 0)))
        floor = 1e-10 * max(1.0, float(np.abs(values).max(initial=0.0)))
        step = np.zeros_like(x)
        step[free] = -vectors @ ((vectors.T @ slope[free]) / np.maximum(np.abs(values), floor))
        predicted = -float(slope @ step)
        if predicted < tolerance:
            positive = bool(np.all(values > -1e-6 * np.abs(values).max(initial=1.0)))
            return Minimum(x, value, np.where(free, slope, 0.0), curvature, positive)
        scales = 0.5 ** np.arange(12)
        trials = np.maximum(x + scales[:, None] * step, lower)
        trial_values = f(trials)
        best = int(np.nanargmin(np.where(np.isfinite(trial_values), trial_values, np.inf)))
        if not trial_values[best] < value:
            small = predicted < 1e-5  # below what differences of the function can tell
            return Minimum(x, value, np.where(free, slope, 0.0), curvature, small)
        x = _snap(f, trials[best], lower)
    return Minimum(x, float(f(x[None])[0]), slope, curvature, False)


def _snap(f: Batched, x: Floats, lower: Floats, close: float = 1e-3) -> Floats:
    """Move variables that are near their bound onto it where f does not rise by that."""
    for i in np.flatnonzero((x > lower) & (x < lower + close)):
        moved = x.copy()
        moved[i] = lower[i]
        here, there = f(np.stack([x, moved]))
        if there <= here + 1e-10 * max(1.0, abs(here)):
            x = moved
    return x

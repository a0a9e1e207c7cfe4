"""Derivatives of a batched function by central differences: one call for all points."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Batched = Callable[[Floats], Floats]


def gradient(f: Batched, x: Floats, step: float = 1e-5) -> Floats:
    """Gradient of f at x, shape (d,), from 2d values in one batch."""
    h = step * np.maximum(1.0, np.abs(x))
    moves = np.diag(h)
    values = f(np.concatenate([x + moves, x - moves]))
    return (values[: len(x)] - values[len(x) :]) / (2 * h)


def hessian(f: Batched, x: Floats, step: float = 1e-3) -> Floats:
    """Hessian of f at x, shape (d, d), from 2d² + 1 values in one batch."""
    d = len(x)
    h = step * np.maximum(1.0, np.abs(x))
    moves = np.diag(h)
    i, j = np.tril_indices(d, -1)
    points = np.concatenate(
        [
            x[None],
            x + moves,
            x - moves,
            x + moves[i] + moves[j],
            x - moves[i] - moves[j],
            x + moves[i] - moves[j],
            x - moves[i] + moves[j],
        ]
    )
    values = f(points)
    centre, up, down = values[0], values[1 : d + 1], values[d + 1 : 2 * d + 1]
    pp, mm, pm, mp = values[2 * d + 1 :].reshape(4, -1)
    out = np.diag((up - 2 * centre + down) / h**2)
    out[i, j] = out[j, i] = (pp + mm - pm - mp) / (4 * h[i] * h[j])
    return out


def jacobian(f: Batched, x: Floats, step: float = 1e-5) -> Floats:
    """Jacobian of a vector-valued batched f, shape (outputs, d)."""
    if not len(x):
        return np.empty((f(x[None]).shape[1], 0))
    h = step * np.maximum(1.0, np.abs(x))
    moves = np.diag(h)
    values = f(np.concatenate([x + moves, x - moves]))
    return np.asarray(((values[: len(x)] - values[len(x) :]) / (2 * h)[:, None]).T)

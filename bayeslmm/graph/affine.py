"""Affine maps from standard effects z to the variables that are drawn: w = A z - shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.graph.numbers import f64

Floats = NDArray[np.float64]
ZERO = f64(0.0)


@dataclass(frozen=True, slots=True)
class Affine:
    """A level's map, triangular in one order of the coefficients.

    Attributes
    ----------
    order : tuple of int
        Coefficients so that each row of A has non-zero elements at earlier ones only.
    root : list of lists of tensors
        A[row][column], a scalar or of shape (J,).
    shift : list of tensors
        A scalar or of shape (J,) each.
    """

    order: tuple[int, ...]
    root: list[list[Any]]
    shift: list[Any]


def noncentred(root: Any, k: int) -> Affine:
    """w = z."""
    unit = [[f64(float(r == c)) for c in range(k)] for r in range(k)]
    return Affine(tuple(range(k)), unit, [ZERO] * k)


def between(root: Any, k: int, linear: Any, *, information: Floats) -> Affine:
    """w = R' z - R⁻¹ L' e with R R' = I + L' D L.

    Parameters
    ----------
    root : tensor, shape (k, k)
        L.
    k : int
    linear : tensor, shape (J, k)
        e.
    information : ndarray, shape (J, k, k)
        D.
    """
    lower = _cholesky(_precision(root, k, information))
    right = [sum((linear[:, a] * root[a, c] for a in range(c, k)), ZERO) for c in range(k)]
    shift: list[Any] = []
    for c in range(k):
        left = sum((lower[c][t] * shift[t] for t in range(c)), ZERO)
        shift.append((right[c] - left) / lower[c][c])
    upper = [[lower[c][r] if c >= r else ZERO for c in range(k)] for r in range(k)]
    return Affine(tuple(reversed(range(k))), upper, shift)


def _precision(root: Any, k: int, information: Floats) -> list[list[Any]]:
    """I + L' D L, the lower triangle's elements; written out, so that all of it is one loop."""
    D = f64(information)
    right = [
        [sum((D[:, a, b] * root[b, c] for b in range(c, k)), ZERO) for c in range(k)]
        for a in range(k)
    ]
    return [
        [
            sum((root[a, r] * right[a][c] for a in range(r, k)), f64(float(r == c)))
            for c in range(r + 1)
        ]
        for r in range(k)
    ]


def _cholesky(matrix: list[list[Any]]) -> list[list[Any]]:
    """Cholesky factors of small matrices, written out: the elements are vectors over levels."""
    import pytensor.tensor as pt

    lower: list[list[Any]] = []
    for r, row in enumerate(matrix):
        lower.append([])
        for c in range(r + 1):
            before = lower[c] if c < r else lower[r]
            left = row[c] - sum((lower[r][t] * before[t] for t in range(c)), ZERO)
            lower[r].append(pt.sqrt(left) if r == c else left / lower[c][c])
    return lower

"""Coordinates in which exponential tails fall off like a Gaussian's.

Log standard deviations and atanh of correlations have exponential tails. With
y = location + scale g(x), g(x) = x sqrt(1 + (x/c)²), which is quadratic far out, such a tail is
exp(−x²/const) in x: a mixture of t densities there has the heavier tails, and importance
weights are bounded in practice. The bend c differs between the sides of the mode and follows
the density's fall there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_BEND, MOST_BEND = 1.0, 8.0  # standard deviations from the mode
DROP = 8.0  # of the log density, which a Gaussian's has at four standard deviations
DISTANCES = np.array([2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 14.0, 20.0])


@dataclass(frozen=True, slots=True)
class Warp:
    """The map from x to the target's coordinates, elementwise.

    Attributes
    ----------
    location, scale : ndarray, shape (d,)
    bends : ndarray, shape (2, d)
        c below and above the mode.
    """

    location: Floats
    scale: Floats
    bends: Floats

    def bent(self, most: float) -> Warp:
        """The same with no bend beyond `most`."""
        return Warp(self.location, self.scale, np.minimum(self.bends, most))

    def forward(self, x: Floats) -> tuple[Floats, Floats]:
        """y at x, shape (S, d), and the log of |dy/dx|, shape (S,)."""
        square = (x / np.where(x < 0, self.bends[0], self.bends[1])) ** 2
        root = np.sqrt(1.0 + square)
        slope = np.prod((1.0 + 2.0 * square) / root, axis=1)
        return self.location + self.scale * x * root, np.log(slope) + np.log(self.scale).sum()


def fit_warp(density: Callable[[Floats], Floats], location: Floats, covariance: Floats) -> Warp:
    """The warp whose bends follow the density's fall on either side of its mode.

    Each coordinate is moved from the mode in a few steps, the others along with it as in the
    Gaussian of this covariance: 16 d + 1 evaluations in one batch.
    """
    d = len(location)
    scale = np.sqrt(np.diag(covariance))
    moves = (covariance / scale).T  # row j: one standard deviation of coordinate j
    signed = np.stack([-DISTANCES, DISTANCES])
    points = location + signed[:, None, :, None] * moves[None, :, None, :]
    values = density(np.concatenate([location[None], points.reshape(2 * d * len(DISTANCES), d)]))
    falls = (values[0] - values[1:]).reshape(2 * d, len(DISTANCES))
    falls = np.maximum.accumulate(np.nan_to_num(falls, nan=1e300, posinf=1e300), axis=1)
    reach = np.array([np.interp(DROP, fall, DISTANCES) for fall in falls]).reshape(2, d)
    # The c for which g takes a Gaussian's distance of that drop to the one that was found.
    at = np.sqrt(2.0 * DROP)
    bends = at / np.sqrt(np.maximum((reach / at) ** 2 - 1.0, 1e-12))
    return Warp(location, scale, np.clip(bends, LEAST_BEND, MOST_BEND))

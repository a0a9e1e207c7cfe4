"""What counts without an upper limit share."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bayeslmm.families.base import Family, Floats, Response

LARGE = 1e15  # beyond it, counts are doubles that their standard deviation rounds


class Counts(Family):
    """y is 0, 1, 2, …; mu its mean."""

    links: ClassVar[tuple[str, ...]] = ("log", "identity", "sqrt")
    discrete: ClassVar[bool] = True

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return ~(np.isfinite(y) & (y >= 0) & (y == np.floor(y))), "whole numbers, not negative"

    def centre(self, response: Response, trials: Floats | None = None) -> float:
        return max(response.mean, 0.5 / len(response.y))


def poisson(mean: Floats, rng: np.random.Generator) -> Floats:
    """Poisson numbers; about means that numpy's generator refuses, the normal's."""
    large = mean > LARGE
    drawn = rng.poisson(np.where(large, 0.0, mean)).astype(np.float64)
    if not np.any(large):
        return drawn
    held = np.where(large, np.minimum(mean, 1e300), 0.0)
    return np.where(large, np.round(held + np.sqrt(held) * rng.normal(size=held.shape)), drawn)

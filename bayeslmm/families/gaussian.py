"""The Gaussian response."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from bayeslmm.families.base import Family, Floats


class Gaussian(Family):
    """y ~ N(mean, scale²); scale is sigma/sqrt(weight), or the known sd."""

    name: ClassVar[str] = "gaussian"
    links: ClassVar[tuple[str, ...]] = ("identity",)
    has_sigma: ClassVar[bool] = True

    def simulate(self, mean: Floats, scale: Floats, rng: np.random.Generator) -> Floats:
        return rng.normal(mean, scale)

    def log_density(self, y: Floats, mean: Floats, scale: Floats) -> Floats:
        return -0.5 * ((y - mean) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi)

"""Positive responses with a long tail."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bayeslmm.families.base import Auxiliary, Family, Floats, Parameters
from bayeslmm.priors import Gamma, tidy

TINY = 1e-300  # the least shape, and the least response


class InverseGaussian(Family):
    """Mean mu, variance mu³/shape."""

    name: ClassVar[str] = "inverse_gaussian"
    links: ClassVar[tuple[str, ...]] = ("log", "inverse", "identity")
    auxiliaries: ClassVar[tuple[Auxiliary, ...]] = (
        Auxiliary(
            "shape",
            lambda response: Gamma(0.01, tidy(0.01 / response.mean)),
            unit=lambda response: response.mean,
        ),
    )

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return ~(np.isfinite(y) & (y > 0)), "positive numbers"

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        shape = parameters["shape"]
        return np.asarray(
            0.5 * (np.log(shape) - np.log(2 * np.pi) - 3 * np.log(y))
            - shape * (y - mu) ** 2 / (2 * mu**2 * y)
        )

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        return np.asarray(mu**3 / parameters["shape"])

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        """The two roots of a chi-square (Michael, Schucany & Haas, 1976, Am. Stat. 30, p. 89), the
        smaller one written without a difference."""
        shape = np.maximum(parameters["shape"], TINY)
        w = mu / shape * rng.chisquare(1.0, np.shape(mu)) / 2
        small = np.maximum(1 / (1 + w + np.sqrt(w) * np.sqrt(w + 2)), TINY)
        ratio = np.where(rng.random(np.shape(mu)) * (1 + small) <= 1, small, 1 / small)
        return np.maximum(mu * ratio, TINY)

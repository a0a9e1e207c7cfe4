"""Positive responses whose logarithm is normal."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bayeslmm.families.base import Auxiliary, Family, Floats, Parameters
from bayeslmm.priors import HalfStudentT, tidy


class LogNormal(Family):
    """log y ~ N(mu, sigma²)."""

    name: ClassVar[str] = "lognormal"
    links: ClassVar[tuple[str, ...]] = ("identity",)
    auxiliaries: ClassVar[tuple[Auxiliary, ...]] = (
        Auxiliary(
            "sigma",
            lambda response: HalfStudentT(3.0, 0.0, tidy(response.robust)),
            unit=lambda response: response.robust,
        ),
    )

    def linear(self, y: Floats) -> Floats:
        return np.log(np.where(y > 0, y, 1.0))

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return ~(np.isfinite(y) & (y > 0)), "positive numbers"

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        sigma = parameters["sigma"]
        z = (np.log(y) - mu) / sigma
        return np.asarray(-0.5 * z**2 - np.log(sigma) - np.log(y) - 0.5 * np.log(2 * np.pi))

    def mean(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        return np.asarray(np.exp(mu + 0.5 * parameters["sigma"] ** 2))

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        s2 = parameters["sigma"] ** 2
        return np.asarray(np.expm1(s2) * np.exp(2 * mu + s2))

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        return np.asarray(np.exp(rng.normal(mu, parameters["sigma"])))

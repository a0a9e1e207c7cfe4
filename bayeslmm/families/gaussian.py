"""The Gaussian response."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from bayeslmm.families.base import Auxiliary, Family, Floats, Parameters
from bayeslmm.priors import HalfStudentT, tidy


class Gaussian(Family):
    """y ~ N(mu, sigma²); sigma by row where weights or known standard deviations are."""

    name: ClassVar[str] = "gaussian"
    links: ClassVar[tuple[str, ...]] = ("identity", "log", "inverse", "sqrt")
    auxiliaries: ClassVar[tuple[Auxiliary, ...]] = (
        Auxiliary(
            "sigma",
            lambda response: HalfStudentT(3.0, 0.0, tidy(response.robust)),
            unit=lambda response: response.robust,
        ),
    )

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        sigma = parameters["sigma"]
        return -0.5 * ((y - mu) / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        return np.broadcast_to(parameters["sigma"] ** 2, np.shape(mu)).astype(np.float64)

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        return np.asarray(rng.normal(mu, parameters["sigma"]))

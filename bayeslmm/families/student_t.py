"""Responses with heavy tails."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.families.base import Auxiliary, Family, Floats, Parameters
from bayeslmm.priors import Gamma, HalfStudentT, tidy


class StudentT(Family):
    """y = mu + sigma t, t on nu degrees of freedom."""

    name: ClassVar[str] = "student_t"
    links: ClassVar[tuple[str, ...]] = ("identity", "log", "inverse")
    auxiliaries: ClassVar[tuple[Auxiliary, ...]] = (
        Auxiliary(
            "sigma",
            lambda response: HalfStudentT(3.0, 0.0, tidy(response.robust)),
            unit=lambda response: response.robust,
        ),
        Auxiliary("nu", lambda response: Gamma(2.0, 0.1)),
    )

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return ~np.isfinite(y), "finite numbers"

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        sigma, nu = parameters["sigma"], parameters["nu"]
        constant = (
            special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2) - 0.5 * np.log(nu * np.pi)
        )
        return np.asarray(
            constant - np.log(sigma) - (nu + 1) / 2 * np.log1p(((y - mu) / sigma) ** 2 / nu)
        )

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        sigma, nu = parameters["sigma"], parameters["nu"]
        factor = np.where(nu > 2, nu / np.where(nu > 2, nu - 2, 1.0), np.inf)
        return np.asarray(np.broadcast_to(sigma**2 * factor, np.shape(mu)))

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        nu = np.broadcast_to(parameters["nu"], np.shape(mu))
        return np.asarray(mu + parameters["sigma"] * rng.standard_t(nu))

"""Counts with more zeros than their distribution has (Lambert, 1992, Technometrics 34, eq. 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.families.base import Auxiliary, Family, Floats, Parameters, Response
from bayeslmm.families.links import Link
from bayeslmm.priors import Beta

ZI = Auxiliary("zi", lambda response: Beta(1.0, 1.0), upper=1.0, link="logit")


class ZeroInflated(Family):
    """0 with probability zi, else as the inner family has it; `mu` is the inner one's.

    Parameters
    ----------
    inner : Family
        Of counts.
    """

    discrete = True

    def __init__(self, inner: Family) -> None:
        self.inner = inner
        self.name = f"zero_inflated_{inner.name}"  # type: ignore[misc]
        self.links = inner.links  # type: ignore[misc]
        self.auxiliaries = (*inner.auxiliaries, ZI)  # type: ignore[misc]
        self.takes_trials = inner.takes_trials  # type: ignore[misc]

    def __reduce__(self) -> tuple[type[ZeroInflated], tuple[Family]]:
        return ZeroInflated, (self.inner,)

    def refused(self, y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
        return self.inner.refused(y, trials)

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        return _inflated(y, parameters["zi"], self.inner.log_density(y, mu, parameters, trials))

    def log_likelihood(
        self,
        y: Floats,
        eta: Floats,
        link: Link,
        parameters: Parameters,
        trials: Floats | None = None,
    ) -> Floats:
        counted = self.inner.log_likelihood(y, eta, link, parameters, trials)
        return _inflated(y, parameters["zi"], counted)

    def location(self, eta: Floats, link: Link, parameters: Parameters) -> Floats:
        return self.inner.location(eta, link, parameters)

    def mean(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        return np.asarray((1 - parameters["zi"]) * self.inner.mean(mu, parameters, trials))

    def variance(self, mu: Floats, parameters: Parameters, trials: Floats | None = None) -> Floats:
        zi, mean = parameters["zi"], self.inner.mean(mu, parameters, trials)
        return np.asarray((1 - zi) * (self.inner.variance(mu, parameters, trials) + zi * mean**2))

    def simulate(
        self,
        mu: Floats,
        parameters: Parameters,
        rng: np.random.Generator,
        trials: Floats | None = None,
    ) -> Floats:
        counted = self.inner.simulate(mu, parameters, rng, trials)
        return np.asarray(np.where(rng.random(counted.shape) < parameters["zi"], 0.0, counted))

    def centre(self, response: Response, trials: Floats | None = None) -> float:
        return self.inner.centre(response, trials)


def _inflated(y: Floats, zi: Floats, counted: Floats) -> Floats:
    """Log density from that of the inner family."""
    with np.errstate(divide="ignore"):
        counted = np.log1p(-zi) + counted
        return np.asarray(np.where(y == 0, np.logaddexp(np.log(zi), counted), counted))

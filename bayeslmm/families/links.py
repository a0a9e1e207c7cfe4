"""Links between a mean and its linear predictor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Map = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Link:
    """A smooth, monotone map from the mean `mu` to the linear predictor `eta`.

    Attributes
    ----------
    name : str
    forward : callable
        eta of mu.
    inverse : callable
        mu of eta.
    slope : callable
        d mu / d eta, of eta.
    log_odds : callable or None
        log(mu / (1 - mu)) of eta, where mu is a probability: it keeps its digits where mu rounds
        to 0 or 1.
    """

    name: str
    forward: Map
    inverse: Map
    slope: Map
    log_odds: Map | None = None

    def __reduce__(self) -> tuple[Callable[[str], Link], tuple[str]]:
        return _named, (self.name,)


def _named(name: str) -> Link:
    return LINKS[name]


def _normal_density(eta: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * eta**2) / np.sqrt(2 * np.pi))


LINKS: dict[str, Link] = {
    link.name: link
    for link in (
        Link("identity", lambda mu: mu, lambda eta: eta, np.ones_like),
        Link("log", np.log, np.exp, np.exp),
        Link(
            "logit",
            special.logit,
            special.expit,
            lambda eta: special.expit(eta) * special.expit(-eta),
            lambda eta: eta,
        ),
        Link(
            "probit",
            special.ndtri,
            special.ndtr,
            _normal_density,
            lambda eta: special.log_ndtr(eta) - special.log_ndtr(-eta),
        ),
        Link(
            "cloglog",
            lambda mu: np.log(-np.log1p(-mu)),
            lambda eta: -np.expm1(-np.exp(eta)),
            lambda eta: np.exp(eta - np.exp(eta)),
            lambda eta: np.exp(eta) + np.log(-np.expm1(-np.exp(eta))),
        ),
        Link("inverse", lambda mu: 1.0 / mu, lambda eta: 1.0 / eta, lambda eta: -1.0 / eta**2),
        Link("sqrt", np.sqrt, np.square, lambda eta: 2.0 * eta),
        Link(
            "softmax",
            lambda mu: np.log(mu) - np.log(mu[..., :1]),
            lambda eta: special.softmax(eta, axis=-1),
            lambda eta: special.softmax(eta, axis=-1) * (1 - special.softmax(eta, axis=-1)),
        ),
    )
}

"""Ordered categories by cutpoints on a latent scale (McCullagh, 1980, JRSS B 42, eq. 1.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from scipy import special

from bayeslmm.families.base import Auxiliary, Floats, Parameters
from bayeslmm.families.categories import Categories
from bayeslmm.families.links import Link, Map
from bayeslmm.priors import StudentT


class Ordinal(Categories):
    """P(y <= k) = F(cutpoint_k - eta), F the inverse of the link."""

    name: ClassVar[str] = "ordinal"
    links: ClassVar[tuple[str, ...]] = ("logit", "probit", "cloglog")
    auxiliaries: ClassVar[tuple[Auxiliary, ...]] = (
        Auxiliary(
            "cutpoint", lambda response: StudentT(3.0, 0.0, 2.5), lower=-np.inf, ordered=True
        ),
    )
    categorical: ClassVar[str] = "ordered"

    def log_location(self, eta: Floats, link: Link, parameters: Parameters) -> Floats:
        """Log probabilities, shape (..., n, K): each from the tail where it keeps its digits."""
        gaps = parameters["cutpoint"][..., None, :] - eta[..., None]
        first, between, last = PIECES[link.name]
        inner = between(gaps[..., :-1], gaps[..., 1:])
        return np.concatenate([first(gaps[..., :1]), inner, last(gaps[..., -1:])], axis=-1)


def _log1mexp(x: Floats) -> Floats:
    """log(1 - exp(x)) of negative x."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(-np.expm1(x)))


def _between_logit(low: Floats, high: Floats) -> Floats:
    """F(high) - F(low) = F(high) F(-low) (1 - exp(low - high))."""
    logs = special.log_expit(high) + special.log_expit(-low)
    return np.asarray(logs + _log1mexp(low - high))


def _between_probit(low: Floats, high: Floats) -> Floats:
    """By the lower tail's logs, or the upper's where that is shorter."""
    upper = low + high > 0
    more = special.log_ndtr(np.where(upper, -low, high))
    less = special.log_ndtr(np.where(upper, -high, low))
    return np.asarray(more + _log1mexp(less - more))


def _between_cloglog(low: Floats, high: Floats) -> Floats:
    """exp(-exp(low)) - exp(-exp(high))."""
    return -np.exp(low) + _log1mexp(-np.exp(low) * np.expm1(high - low))


# For each link log F(x), log(F(high) - F(low)) and log(1 - F(x)).
PIECES: dict[str, tuple[Map, Callable[[Floats, Floats], Floats], Map]] = {
    "logit": (special.log_expit, _between_logit, lambda x: special.log_expit(-x)),
    "probit": (special.log_ndtr, _between_probit, lambda x: special.log_ndtr(-x)),
    "cloglog": (lambda x: _log1mexp(-np.exp(x)), _between_cloglog, lambda x: -np.exp(x)),
}

"""What responses with a probability for their mean share."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.families.base import Family, Floats, Parameters, Response
from bayeslmm.families.links import Link

TINY = 1e-300  # the least of a beta's shapes


class Chances(Family):
    """`mu` is a probability; densities are made from the logs of it and of its complement."""

    links: ClassVar[tuple[str, ...]] = ("logit", "probit", "cloglog")

    def log_density(
        self, y: Floats, mu: Floats, parameters: Parameters, trials: Floats | None = None
    ) -> Floats:
        with np.errstate(divide="ignore"):
            return self.from_logs(y, np.log(mu), np.log1p(-mu), parameters, trials)

    def log_likelihood(
        self,
        y: Floats,
        eta: Floats,
        link: Link,
        parameters: Parameters,
        trials: Floats | None = None,
    ) -> Floats:
        assert link.log_odds is not None
        odds = link.log_odds(eta)
        yes, no = special.log_expit(odds), special.log_expit(-odds)
        return self.from_logs(y, yes, no, parameters, trials)

    def from_logs(
        self, y: Floats, yes: Floats, no: Floats, parameters: Parameters, trials: Floats | None
    ) -> Floats:
        """Log density from log mu and log(1 - mu)."""
        raise NotImplementedError

    def centre(self, response: Response, trials: Floats | None = None) -> float:
        total = float(len(response.y) if trials is None else trials.sum())
        edge = 0.5 / max(total, 1.0)
        return float(np.clip(response.mean, edge, 1 - edge))


def times(count: Floats, log: Floats) -> Floats:
    """count * log, 0 where the count is."""
    safe = np.where(count == 0, 0.0, log)
    return np.asarray(count * safe)


def log_choose(trials: Floats, y: Floats) -> Floats:
    """log of trials over y, without the cancellation of large factorials."""
    return np.asarray(-np.log1p(trials) - special.betaln(trials - y + 1, y + 1))


def beta_shapes(yes: Floats, no: Floats, phi: Floats) -> tuple[Floats, Floats]:
    """mu phi and (1 - mu) phi, from the logs of mu and 1 - mu; never zero."""
    return np.maximum(np.exp(yes) * phi, TINY), np.maximum(np.exp(no) * phi, TINY)


def beyond_trials(y: Floats, trials: Floats | None) -> tuple[NDArray[np.bool_], str]:
    """Rows that aren't counts out of their trials."""
    assert trials is not None
    bad = ~(np.isfinite(y) & (y >= 0) & (y == np.floor(y)) & (y <= trials))
    return bad, "whole numbers from 0 to the row's trials"

"""Ordered categories by cutpoints."""

from __future__ import annotations

from typing import Any, ClassVar

from bayeslmm.graph.families.base import Given, Node
from bayeslmm.graph.links import log_normal_cdf


class Ordinal(Node):
    """Ordered categories by cutpoints.

    PyMC's own categorical takes the log of a probability that may have rounded to zero, and its
    gradient is then no number: here the density is in logs throughout.
    """

    name: ClassVar[str] = "ordinal"

    def variable(self, name: str, given: Given, **options: Any) -> Any:
        import pymc as pm

        gaps = given.parameters["cutpoint"][None, :] - given.eta[:, None]
        logs = log_probabilities(gaps, given.link)
        return pm.CustomDist(
            name, logs, dist=_drawn, logp=_log_density, class_name="Ordinal",
            signature="(k)->()", dtype="int64", **options,
        )  # fmt: skip


def _drawn(logs: Any, size: Any) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    return pm.Categorical.dist(p=pt.exp(logs), size=size)


def _log_density(value: Any, logs: Any) -> Any:
    import pytensor.tensor as pt

    inside = (value >= 0) & (value < logs.shape[-1])
    code = pt.switch(inside, value, 0).astype("int64")
    found = pt.take_along_axis(logs, code[..., None], axis=-1)[..., 0]
    return pt.switch(inside, found, -float("inf"))


def log_probabilities(gaps: Any, link: str) -> Any:
    """Of each category, shape (n, K), from cutpoints less the predictor, shape (n, K - 1)."""
    import pytensor.tensor as pt

    first, between, last = _PIECES[link]
    inner = between(gaps[:, :-1], gaps[:, 1:], pt)
    return pt.concatenate([first(gaps[:, :1], pt), inner, last(gaps[:, -1:], pt)], axis=1)


def _between_logit(low: Any, high: Any, pt: Any) -> Any:
    return -pt.softplus(-high) - pt.softplus(low) + pt.log(-pt.expm1(low - high))


def _between_probit(low: Any, high: Any, pt: Any) -> Any:
    upper = low + high > 0
    more = log_normal_cdf(pt.switch(upper, -low, high))
    less = log_normal_cdf(pt.switch(upper, -high, low))
    return more + pt.log(-pt.expm1(less - more))


def _between_cloglog(low: Any, high: Any, pt: Any) -> Any:
    return -pt.exp(low) + pt.log(-pt.expm1(-pt.exp(low) * pt.expm1(high - low)))


# For each link log F(x), log(F(high) - F(low)) and log(1 - F(x)).
_PIECES: dict[str, Any] = {
    "logit": (lambda x, pt: -pt.softplus(-x), _between_logit, lambda x, pt: -pt.softplus(x)),
    "probit": (
        lambda x, pt: log_normal_cdf(x),
        _between_probit,
        lambda x, pt: log_normal_cdf(-x),
    ),
    "cloglog": (
        lambda x, pt: pt.log(-pt.expm1(-pt.exp(x))),
        _between_cloglog,
        lambda x, pt: -pt.exp(x),
    ),
}

"""Inverse links as tensors, under the names of `bayeslmm.families.links`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayeslmm.errors import ModelError

FAR = -25.0  # where the normal's lower tail goes over to its expansion: both have 15 digits here


def inverse(link: str, eta: Any) -> Any:
    """The mean of a linear predictor, elementwise; of the softmax, over the last axis."""
    return _of(_INVERSES, link, eta)


def log_odds(link: str, eta: Any) -> Any:
    """log(mu / (1 - mu)) of a linear predictor; finite where mu itself rounds to 0 or 1."""
    return _of(_LOG_ODDS, link, eta)


def _of(table: Mapping[str, Any], link: str, eta: Any) -> Any:
    import pytensor.tensor as pt

    if link not in table:
        raise ModelError(f"Link {link!r} has no node", allowed=", ".join(table))
    return table[link](eta, pt)


def log_normal_cdf(x: Any) -> Any:
    """log Phi(x): below `FAR` by its asymptotic series (Abramowitz & Stegun, 1964, 26.2.12).

    Each branch sees its own side only, so that gradients stay finite. PyTensor's `erfcx` would
    do without, and isn't there for every backend.
    """
    import pytensor.tensor as pt

    near = pt.log(0.5 * pt.erfc(-pt.maximum(x, FAR) * 0.5**0.5))
    z = pt.minimum(x, FAR)
    r = 1.0 / pt.sqr(z)
    series = r * (-1.0 + r * (3.0 + r * (-15.0 + r * (105.0 - 945.0 * r))))
    far = -0.5 * pt.sqr(z) - pt.log(-z) - 0.9189385332046727 + pt.log1p(series)
    return pt.switch(x > FAR, near, far)


def _log_odds_cloglog(eta: Any, pt: Any) -> Any:
    return pt.exp(eta) + pt.log(-pt.expm1(-pt.exp(eta)))


_INVERSES: dict[str, Any] = {
    "identity": lambda eta, pt: eta,
    "log": lambda eta, pt: pt.exp(eta),
    "logit": lambda eta, pt: pt.sigmoid(eta),
    "probit": lambda eta, pt: 0.5 * pt.erfc(-eta * 0.5**0.5),
    "cloglog": lambda eta, pt: -pt.expm1(-pt.exp(eta)),
    "inverse": lambda eta, pt: 1.0 / eta,
    "sqrt": lambda eta, pt: pt.sqr(eta),
    "softmax": lambda eta, pt: pt.special.softmax(eta, axis=-1),
}
_LOG_ODDS: dict[str, Any] = {
    "logit": lambda eta, pt: eta,
    "probit": lambda eta, pt: log_normal_cdf(eta) - log_normal_cdf(-eta),
    "cloglog": _log_odds_cloglog,
}

"""Inverse links as tensors, under the names of `bayeslmm.families.links`."""

from __future__ import annotations

from typing import Any

from bayeslmm.errors import ModelError


def inverse(link: str, eta: Any) -> Any:
    """The mean of a linear predictor, elementwise."""
    import pytensor.tensor as pt

    if link not in _INVERSES:
        raise ModelError(f"Link {link!r} has no node", allowed=", ".join(_INVERSES))
    return _INVERSES[link](eta, pt)


def _probit(eta: Any, pt: Any) -> Any:
    return 0.5 * pt.erfc(-eta * 0.5**0.5)


_INVERSES: dict[str, Any] = {
    "identity": lambda eta, pt: eta,
    "log": lambda eta, pt: pt.exp(eta),
    "logit": lambda eta, pt: pt.sigmoid(eta),
    "probit": _probit,
    "cloglog": lambda eta, pt: -pt.expm1(-pt.exp(eta)),
    "inverse": lambda eta, pt: 1.0 / eta,
    "sqrt": lambda eta, pt: pt.sqr(eta),
}

"""The shapes of a beta distribution of mean mu and precision phi."""

from __future__ import annotations

from typing import Any

from bayeslmm.families.chances import TINY
from bayeslmm.graph.families.base import Given


def shapes(given: Given) -> dict[str, Any]:
    """mu phi and (1 - mu) phi, never zero: each from its own side of the log odds."""
    import pytensor.tensor as pt

    phi, odds = given.parameters["phi"], given.log_odds
    alpha, beta = (pt.maximum(pt.sigmoid(x) * phi, TINY) for x in (odds, -odds))
    return {"alpha": alpha, "beta": beta}

"""Intervals of estimates at any level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.errors import MethodError, is_finite

Floats = NDArray[np.float64]
LEVEL = 0.95
POSITIVE, CORRELATION = (0.0, np.inf), (-1.0, 1.0)


def check_level(level: float) -> float:
    """The level, if it is one.

    Raises
    ------
    MethodError
        Not a probability between 0 and 1.
    """
    if not is_finite(level) or not 0 < level < 1:
        raise MethodError(
            "level must be the probability of an interval", got=repr(level), allowed="(0, 1)",
            hint="For example, level=0.95",
        )  # fmt: skip
    return float(level)


def percent(level: float) -> str:
    """As captions have it: ``95 %``."""
    return f"{100 * level:g} %"


def at_level(four: Floats, bounds: tuple[float, float], level: float) -> Floats:
    """The four numbers, (..., 4), of variance parameters whose bounds are at 95 %, at a level.

    They are Wald's, symmetric about the estimate on the parameter's free scale: the logarithm of
    one above a bound, log odds (of a correlation, twice Fisher's z) between two.
    """
    if level == LEVEL:
        return four
    ratio = special.ndtri((1 + level) / 2) / special.ndtri((1 + LEVEL) / 2)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        free = _free(four, bounds)
        centre = free[..., :1]
        moved = _natural(centre + ratio * (free[..., 2:] - centre), bounds)
    known = four[..., 1:2] == 0  # what was given has no interval
    return np.concatenate([four[..., :2], np.where(known, four[..., 2:], moved)], axis=-1)


def of_inverse_gamma(four: Floats, attributes: Mapping[str, Any], level: float) -> Floats:
    """The four numbers of standard deviations in ratio to a sigma with sigma² ~ IG(a, b)."""
    a = 0.5 * attributes["dof"]
    b = a * attributes["scale2"]
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    mean = np.sqrt(b) * np.exp(special.gammaln(a - 0.5) - special.gammaln(a))
    relative = np.sqrt(b / special.gammainccinv(a, tails)) / mean
    return np.concatenate([four[..., :2], four[..., :1] * relative], axis=-1)


def _free(values: Floats, bounds: tuple[float, float]) -> Floats:
    lower, upper = bounds
    if np.isfinite(upper):
        return np.asarray(np.log(values - lower) - np.log(upper - values))
    return np.asarray(np.log(values - lower)) if np.isfinite(lower) else values


def _natural(free: Floats, bounds: tuple[float, float]) -> Floats:
    lower, upper = bounds
    if np.isfinite(upper):
        return np.asarray(lower + (upper - lower) * special.expit(free))
    return np.asarray(lower + np.exp(free)) if np.isfinite(lower) else free

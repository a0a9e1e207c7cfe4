"""The user's prior of a parameter under the most specific of its keys, and whether it fits."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from bayeslmm.errors import PriorError
from bayeslmm.priors.base import Prior
from bayeslmm.priors.half_cauchy import HalfCauchy
from bayeslmm.priors.half_normal import HalfNormal
from bayeslmm.priors.half_student_t import HalfStudentT
from bayeslmm.priors.joint import JointPrior
from bayeslmm.priors.on_variance import OnVariance
from bayeslmm.priors.variance_shares import VarianceShares


def take(
    given: dict[str, Prior],
    keys: tuple[str, ...],
    default: Prior | None,
    lower: float,
    used: set[str],
    upper: float = np.inf,
) -> Prior:
    """The prior of the most specific key that was given, on the variance for ``key^2``."""
    found: Prior | None = None
    for key in keys:
        if lower == 0.0 and f"{key}^2" in given:
            used.add(f"{key}^2")
            if key in given:
                raise PriorError(
                    f"Both {key!r} and {key + '^2'!r} have a prior", hint="Give one of them"
                )
            found = found or _on_variance(given[f"{key}^2"], f"{key}^2")
        elif key in given:
            used.add(key)
            found = found or _supported(given[key], key, lower, upper)
    if found is None:
        assert default is not None
        return default
    return found


def _on_variance(prior: Prior, key: str) -> Prior:
    return prior if isinstance(prior, OnVariance) else OnVariance(_supported(prior, key, 0.0))


def _supported(prior: Prior, key: str, lower: float, upper: float = np.inf) -> Prior:
    if isinstance(prior, JointPrior):
        raise PriorError(
            f"Prior {prior.name!r} is a prior of all slopes, and {key!r} isn't one",
            allowed="beta",
        )
    if isinstance(prior, VarianceShares):
        raise PriorError(
            f"Prior {prior.name!r} is over all standard deviations, and {key!r} isn't",
            allowed="sd",
        )
    if np.isfinite(upper) and not prior.within(lower, upper):
        raise PriorError(
            f"Prior {key!r} must have its support between {lower:g} and {upper:g}, unlike "
            f"{prior.name}",
            got=str(prior),
            allowed="beta, uniform, flat",
        )
    if np.isfinite(lower) and not prior.allows(lower):
        raise PriorError(
            f"Prior {key!r} must have positive support, unlike {prior.name}",
            got=str(prior),
            allowed="half_normal, half_student_t, half_cauchy, exponential, gamma, inverse_gamma, "
            "lognormal, uniform, flat",
            hint=_half_of(prior),
        )
    if np.isneginf(lower) and prior.support in ("positive", "correlation"):
        raise PriorError(
            f"Prior {key!r} must have all real numbers as its support, unlike {prior.name}",
            got=str(prior),
            allowed="normal, student_t, cauchy, uniform, flat",
        )
    return prior


HALVES = {"normal": HalfNormal, "student_t": HalfStudentT, "cauchy": HalfCauchy}


def _half_of(prior: Prior) -> str | None:
    """The half of a symmetric density about 0: what brms makes of it for a positive number."""
    half = HALVES.get(prior.name)
    if half is None or getattr(prior, "mu", None) != 0:
        return None
    values = {field.name: getattr(prior, field.name) for field in fields(half)}
    return f"Write {half(**values)}"

"""The priors of standard deviations: one each, or one over all of them together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bayeslmm.model.types import Model
from bayeslmm.priors import VarianceShares

Floats = NDArray[np.float64]
Shared = tuple[VarianceShares, tuple[str, ...]]


def shared_variance(model: Model) -> Shared | None:
    """The prior of a model's total variance with the keys of its components, in their order.

    None where every standard deviation has a prior of its own. ``sigma`` is last, if it is one.
    """
    prior = model.priors.get("sd")
    if not isinstance(prior, VarianceShares):
        return None
    keys = [key for term in model.terms for key in term.sd_keys]
    own = model.has_sigma and model.strata is None and not model.prefix
    if own and "sigma" not in model.priors:
        keys.append("sigma")
    return prior, tuple(keys)


def sd_log_prior(model: Model, sds: Mapping[str, Floats]) -> Floats | float:
    """Log prior of standard deviations by key, each of shape (S,): shape (S,); 0.0 of none."""
    found = shared_variance(model)
    if found is None:
        return sum((model.priors[key].log_density(sd) for key, sd in sds.items()), 0.0)
    prior, keys = found
    own = sum((model.priors[key].log_density(sds[key]) for key in sds if key not in keys), 0.0)
    return own + prior.log_density(np.stack([sds[key] for key in keys], axis=1))

"""Linear functions of the fixed effects."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from bayeslmm.errors import ColumnError, DataError, is_finite, nearest
from bayeslmm.fit.tables import COLUMNS, fixed_draws, half_width, summarise_array
from bayeslmm.model import Model


def vcov(model: Model, tree: xr.DataTree) -> pd.DataFrame:
    """Covariance matrix of beta, (p, p), by coefficient."""
    if "estimate" in tree:
        source = tree["estimate"].dataset
        names, values = list(source["coef"].values), source["beta_cov"].values
    else:
        names, draws = fixed_draws(model, tree)
        values = np.atleast_2d(np.cov(draws.reshape(-1, len(names)), rowvar=False))
    return pd.DataFrame(values, index=pd.Index(names, name="coef"), columns=names)


def contrast(model: Model, tree: xr.DataTree, weights: Mapping[str, float]) -> pd.DataFrame:
    """`sum_i w_i beta_i` with its standard error and 95 % interval, one row."""
    covariance = vcov(model, tree)
    names = list(covariance.index)
    if not isinstance(weights, Mapping) or not weights:
        raise DataError(
            "A contrast is a dict from coefficient to weight",
            got=repr(weights),
            allowed=f"as in {{{names[-1]!r}: 1}}" if names else None,
        )
    w = np.zeros(len(names))
    for name, value in weights.items():
        if name not in names:
            raise ColumnError(f"There is no coefficient {name!r}", hint=nearest(str(name), names))
        if not is_finite(value):
            raise DataError(f"The contrast's weight of {name!r} must be a number", got=repr(value))
        w[names.index(name)] = value
    label = " + ".join(f"{value:g} {name}" for name, value in weights.items())
    if "estimate" in tree:
        e = tree["estimate"].dataset
        estimate, spread = float(w @ e["beta"].values), float(np.sqrt(w @ covariance.values @ w))
        half = half_width(e.attrs.get("dof")) * spread
        row = [estimate, spread, estimate - half, estimate + half]
    else:
        row = summarise_array(fixed_draws(model, tree)[1] @ w).tolist()
    return pd.DataFrame([row], columns=COLUMNS, index=pd.Index([label], name="contrast"))

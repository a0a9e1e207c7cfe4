"""A sampler's posterior under the names, dimensions and labels of a fit's tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from bayeslmm.fit.tree import SAMPLE
from bayeslmm.model import Model
from bayeslmm.model.names import contract_names, group_names


def contract_dataset(model: Model, posterior: xr.Dataset) -> xr.Dataset:
    """The variables of the contract, in its order and dtype, without the sampler's own."""
    predictors = (model, *model.dpars.values())
    for m in predictors:
        name, dim = f"{m.prefix}beta", f"{m.prefix}coef"
        if name not in posterior:  # a predictor without fixed effects
            shape = (posterior.sizes["chain"], posterior.sizes["draw"], 0)
            posterior = posterior.assign({name: ((*SAMPLE, dim), np.empty(shape))})
    out = posterior[contract_names(model)].transpose(*SAMPLE, ...).astype(np.float64)
    kept = {dim: out[dim].values for dim in out.dims if dim in out.coords}
    out = out.drop_vars([c for c in out.coords if c not in out.dims])
    coords: dict[str, Any] = {str(dim): values for dim, values in kept.items()}
    for m in predictors:
        coords[f"{m.prefix}coef"] = [m.design.coefs[i] for i in m.columns]
        for g in group_names(m):
            coords |= g.coords()
    out.attrs = {}
    return out.assign_coords({name: v for name, v in coords.items() if name in out.dims})


def with_own(found: xr.Dataset, sampled: xr.Dataset, names: Sequence[str]) -> xr.Dataset:
    """The variables of the contract, and at the end those of a sampler's own that are named: with
    them a trace of the PyMC model is complete."""
    own = sampled[[name for name in names if name not in found]]
    own = own.drop_vars([c for c in own.coords if c not in own.dims or c in found.coords])
    return found.assign({str(n): v.transpose(*SAMPLE, ...) for n, v in own.data_vars.items()})

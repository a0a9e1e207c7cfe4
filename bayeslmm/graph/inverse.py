"""From draws under the names of a fit's tree to the free variables of its PyMC model.

PyMC's `sample_posterior_predictive` and `compute_log_likelihood` read a trace's free variables by
name. Effects and most parameters are free variables themselves; those that a model is written
with for its priors' sake (an intercept at the covariates' means, a variance, the shares of a total
variance, a correlation's Cholesky factor) are functions of the tree's. Each such function stands
beside the code that makes the variables; here they are put together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.graph.effect_scales import Scales, covariance_values, own_scales, sds_by_key
from bayeslmm.graph.fixed import fixed_values
from bayeslmm.graph.hierarchical import of_categories, predictor_coords
from bayeslmm.graph.joint_priors import residual_sd_values, shared_coords, shared_values
from bayeslmm.graph.patterns import residual_values
from bayeslmm.graph.priors import FreeValues, scalar_values
from bayeslmm.model import Model
from bayeslmm.model.names import RESIDUAL_PAR, effect_parameters, group_names, residual_names

Floats = NDArray[np.float64]
SAMPLE = ("chain", "draw")


def with_free_values(
    model: Model, posterior: xr.Dataset, scales: Sequence[Scales] | None = None
) -> xr.Dataset:
    """The posterior with the free variables of `model.to_pymc()` that it lacks at its end.

    Parameters
    ----------
    model : Model
    posterior : Dataset
        On (chain, draw), under the names of a fit's tree.
    scales : sequence of tuple of ndarray, optional
        Of each grouping factor the standard deviations (chain, draw, sds) and correlations
        (chain, draw, pairs) of the effects that its priors are on, where they are known.
    """
    draws = {
        str(name): value.transpose(*SAMPLE, ...).values
        for name, value in posterior.data_vars.items()
    }
    if model.family.categorical != "unordered":
        for m in (model, *model.dpars.values()):
            coef = f"{m.prefix}coef"
            columns = [m.design.coefs[i] for i in m.columns]
            whole = posterior[f"{m.prefix}beta"].reindex({coef: columns}, fill_value=0.0)
            draws[f"{m.prefix}beta"] = whole.transpose(*SAMPLE, coef).values
    found: FreeValues = {}
    for part, values in _predictors(model, draws):
        found |= _predictor_values(part, values, scales if part is model else None)
    found |= _family_values(model, draws)
    new = {
        name: ((*SAMPLE, *dims), values)
        for name, (dims, values) in found.items()
        if name not in posterior
    }
    used = {dim for dims, _ in new.values() for dim in dims}
    coords = {name: v for name, v in _coords(model).items() if name in used}
    return posterior.assign(new).assign_coords(coords)


def _predictors(
    model: Model, draws: Mapping[str, Floats]
) -> list[tuple[Model, Mapping[str, Floats]]]:
    """Each predictor with the draws under its own names."""
    if model.family.categorical != "unordered":
        return [(m, draws) for m in (model, *model.dpars.values())]
    out: list[tuple[Model, Mapping[str, Floats]]] = []
    for i, sub in enumerate(of_categories(model)):
        own = {f"{sub.prefix}{name}": values[:, :, i] for name, values in draws.items()}
        out.append((sub, {**draws, **own}))
    return out


def _predictor_values(
    model: Model, draws: Mapping[str, Floats], scales: Sequence[Scales] | None
) -> FreeValues:
    beta = draws[f"{model.prefix}beta"]
    out = fixed_values(model, beta)
    empty = np.empty((*beta.shape[:2], 0))
    sds: dict[str, Floats] = {}
    for index, g in enumerate(group_names(model)):
        if scales is None:
            own = own_scales(model, index, g, draws[g.sd], draws[g.cor] if g.pairs else empty)
        else:
            own = scales[index]
        out |= covariance_values(model, index, g, own, draws[g.par] if g.pars else empty)
        if g.u in draws:
            out[g.u] = ((g.label, g.coef_dim), draws[g.u])
        sds |= sds_by_key(model, index, g, own[0])
    if not model.prefix and "sigma" in draws and model.strata is None:
        sds["sigma"] = draws["sigma"]
    return out | shared_values(model, sds)


def _family_values(model: Model, draws: Mapping[str, Floats]) -> FreeValues:
    """Of the residuals' parameters and the family's, and of effects that are not normal."""
    priors: dict[str, str] = {name: name for name in model.parameters if name != "sigma"}
    for g in group_names(model):
        own = [name for name in effect_parameters(model, g) if not name.startswith("shift_")]
        priors |= {name: f"{name.removesuffix(g.label)}{g.group}" for name in own}
    out: FreeValues = {}
    for name, key in priors.items():
        out |= scalar_values(name, model.priors[key], draws[name])
    if "sigma" in draws and model.has_sigma:
        out |= residual_sd_values(model, draws["sigma"])
    if residual_names(model).pars:
        out |= residual_values(model, draws[RESIDUAL_PAR])
    return out


def _coords(model: Model) -> dict[str, Any]:
    subs = of_categories(model) if model.family.categorical == "unordered" else []
    coords: dict[str, Any] = {}
    for m in (model, *model.dpars.values(), *subs):
        coords |= predictor_coords(m) | shared_coords(m)
    return coords

"""The response in a PyMC model: the family's node, and the parameters it has beside its mean."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from bayeslmm.graph.bounded import ordered, unit
from bayeslmm.graph.joint_priors import residual_sd
from bayeslmm.graph.links import inverse
from bayeslmm.graph.marginal import operation
from bayeslmm.graph.numbers import f64
from bayeslmm.graph.observe import observe
from bayeslmm.graph.patterns import residual_density, residual_parameters
from bayeslmm.graph.priors import scalar
from bayeslmm.model import Model
from bayeslmm.model.names import response_name


def parameters(model: Model, predictors: Mapping[str, Any]) -> dict[str, Any]:
    """The family's parameters beside its mean: one number each, or a predictor's.

    Parameters
    ----------
    model : Model
    predictors : mapping
        Linear predictors, shape (n,), of those that have one.
    """
    import pymc as pm
    import pytensor.tensor as pt

    out: dict[str, Any] = {}
    for a in model.family.auxiliaries:
        if a.name in predictors:
            out[a.name] = inverse(a.link, predictors[a.name])
        elif a.name in model.parameters and a.ordered:
            out[a.name] = ordered(a.name, model.priors[a.name], cutpoint_labels(model))
        elif a.name in model.parameters and np.isfinite(a.upper):
            out[a.name] = unit(a.name, model.priors[a.name])
        elif a.name in model.parameters and a.name == "sigma":
            out["sigma"] = residual_sd(model)
        elif a.name in model.parameters:
            out[a.name] = scalar(a.name, model.priors[a.name], positive=True)
    extras = model.design.extras
    if model.residual is not None:
        return out
    if model.sigma_known:
        out["sigma"] = pm.Data("known_sd", f64(extras["known_sd"][model.used]), dims="row")
    elif model.family.name == "gaussian" and "weights" in extras:
        weights = pm.Data("weights", f64(extras["weights"][model.used]), dims="row")
        out["sigma"] = out["sigma"] / pt.sqrt(weights)
    return out


def cutpoint_labels(model: Model) -> list[str]:
    """``low|mid`` and so on: what lies on the two sides of each cutpoint."""
    names = [str(c) for c in model.design.categories]
    return [f"{a}|{b}" for a, b in pairwise(names)]


def response(model: Model, eta: Any, values: Mapping[str, Any]) -> None:
    """The observed variable.

    Parameters
    ----------
    model : Model
    eta : tensor, shape (n,); (n, K - 1) where categories are not ordered
        The linear predictor.
    values : mapping
        The family's other parameters.
    """
    import pymc as pm

    if model.residual is not None:
        structured_response(model, eta, values)
        return
    used, extras = model.used, model.design.extras
    name = _free_name(model)
    y = pm.Data(f"{name}_data", typed(model), dims="row")
    trials = None
    if model.trials is not None:
        trials = pm.Data("trials", f64(model.trials[used]), dims="row")
    weights = None
    if "weights" in extras and model.family.name != "gaussian":
        weights = pm.Data("weights", f64(extras["weights"][used]), dims="row")
    observe(
        name, model.family, eta, values, y,
        link=model.link.name, dims="row", trials=trials, weights=weights,
    )  # fmt: skip


def structured_response(model: Model, eta: Any, values: Mapping[str, Any]) -> None:
    """A Gaussian response whose residuals have a structure: one multivariate variable, with one
    log density of all rows."""
    import pymc as pm
    import pytensor.tensor as pt

    name, density = _free_name(model), residual_density(model)
    y = pm.Data(f"{name}_data", typed(model), dims="row")
    numbers = residual_parameters(model, None if model.sigma_known else values["sigma"])

    def logp(value: Any, eta: Any, numbers: Any) -> Any:
        return operation()(density)(pt.concatenate([value - eta, numbers]))[0]

    def random(eta: Any, numbers: Any, rng: Any = None, size: Any = None) -> Any:
        shape = (*(eta.shape[:-1] if size is None else size), eta.shape[-1])
        found = np.broadcast_to(eta, shape).reshape(-1, shape[-1])
        own = np.broadcast_to(numbers, (*shape[:-1], numbers.shape[-1]))
        drawn = density.draw(own.reshape(-1, own.shape[-1]), rng)
        return (found + drawn).reshape(shape)

    pm.CustomDist(
        name, eta, numbers, logp=logp, random=random, signature="(n),(k)->(n)",
        observed=y, dims="row",
    )  # fmt: skip


def _free_name(model: Model) -> str:
    """The response's name, with underscores where a parameter has it."""
    import pymc as pm

    name = response_name(model)
    while name in pm.modelcontext(None).named_vars:
        name += "_"
    return name


def typed(model: Model) -> Any:
    """The response as its distribution has it: counts and categories are whole numbers."""
    y = model.design.y[model.used]
    return y.astype(np.int64) if model.family.discrete else f64(y)

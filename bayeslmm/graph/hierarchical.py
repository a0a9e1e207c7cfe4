"""Model -> pm.Model: the random-coefficient specification as a PyMC hierarchical model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bayeslmm.graph.effects import random_effects
from bayeslmm.graph.fixed import fixed_coords, fixed_part
from bayeslmm.graph.parametrisation import Choice, choose
from bayeslmm.graph.response import cutpoint_labels, parameters, response
from bayeslmm.model import Model
from bayeslmm.model.names import group_names, residual_names


def hierarchical(
    model: Model, parametrisation: str | Mapping[str, str] = "auto", *, likelihood: bool = True
) -> Any:
    """A plain `pm.Model` of the specification.

    Parameters
    ----------
    model : Model
    parametrisation : str or mapping
        ``"auto"`` decides from how much the data say about each level; ``"noncentred"`` draws
        standard normals and scales them; ``"centred"`` draws the effects themselves; a mapping
        says so by grouping factor.
    likelihood : bool
        Whether to add the response; without it the linear predictor, ``model["eta"]``, waits for
        a likelihood of the user's own.

    Returns
    -------
    pm.Model
        Free variables for beta (about the column means where the intercept's prior is),
        standard deviations, correlations, effects and the family's parameters; deterministics
        under the names of a fit's tree. Data in ``pm.Data``, dims and coords on everything.
    """
    return built(model, choose(model, parametrisation), parametrisation, likelihood=likelihood)


def built(
    model: Model,
    chosen: Mapping[str, Choice],
    parametrisation: str | Mapping[str, str] = "auto",
    *,
    likelihood: bool = True,
) -> Any:
    """The `pm.Model` with effects drawn by chosen parametrisations, which are given."""
    import pymc as pm

    with pm.Model(coords=_coords(model)) as out:
        eta = _categories(model, chosen) if _unordered(model) else predictor(model, chosen)
        if not likelihood:
            pm.Deterministic("eta", eta)
            return out
        whole = parametrisation if isinstance(parametrisation, str) else "auto"
        further = {n: predictor(sub, choose(sub, whole)) for n, sub in model.dpars.items()}
        response(model, eta, parameters(model, further))
    return out


def predictor(model: Model, chosen: Mapping[str, Choice]) -> Any:
    """A linear predictor, shape (n,), inside a `pm.Model` that has its coordinates.

    Parameters
    ----------
    model : Model
        The response's, or that of a further parameter of its family.
    chosen : mapping
        How each grouping factor's effects are drawn.
    """
    eta = fixed_part(model)
    return eta + random_effects(model, chosen) if model.design.blocks else eta


def _unordered(model: Model) -> bool:
    return model.family.categorical == "unordered"


def _coords(model: Model) -> dict[str, Any]:
    coords: dict[str, Any] = {"row": np.flatnonzero(model.used), **predictor_coords(model)}
    for sub in model.dpars.values():
        coords |= predictor_coords(sub)
    coords |= residual_names(model).coords()
    if model.family.categorical == "ordered":
        coords["cutpoint_between"] = cutpoint_labels(model)
    if _unordered(model):
        coords["category"] = [str(c) for c in model.design.categories[1:]]
        for sub in of_categories(model):
            coords |= predictor_coords(sub)
    return coords


def predictor_coords(model: Model) -> dict[str, Any]:
    """Coordinates of a predictor's parts."""
    coords = fixed_coords(model)
    for g in group_names(model):
        coords |= g.coords()
    return coords


def of_categories(model: Model) -> list[Model]:
    """The predictor of each category but the first, as a model with a prefix of its own."""
    return [replace(model, prefix=f"{c}_") for c in model.design.categories[1:]]


def _categories(model: Model, chosen: Mapping[str, Choice]) -> Any:
    """Predictors of all categories but the first, shape (n, K - 1), with the parts stacked."""
    import pymc as pm
    import pytensor.tensor as pt

    subs = of_categories(model)
    eta = pt.stack([predictor(sub, chosen) for sub in subs], axis=1)
    here = pm.modelcontext(None)
    parts: list[tuple[str, tuple[str, ...]]] = [("beta", ("coef",))] if model.columns else []
    for g in group_names(model):
        parts += [(g.u, (g.label, g.coef_dim)), (g.sd, (g.sd_dim,))]
        parts += [(g.cor, (g.pair_dim,))] if g.pairs else []
    for name, dims in parts:
        stacked = pt.stack([here[f"{sub.prefix}{name}"] for sub in subs])
        pm.Deterministic(name, stacked, dims=("category", *dims))
    return eta

"""Model -> pm.Model: the random-coefficient specification as a PyMC hierarchical model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayeslmm.errors import MethodError
from bayeslmm.graph.numbers import f64
from bayeslmm.graph.priors import correlation_cholesky, scalar, vector
from bayeslmm.model import Model, Term
from bayeslmm.model.names import GroupNames, group_names, response_name

PARAMETRISATIONS = ("auto", "noncentred", "centred")


def hierarchical(model: Model, parametrisation: str | Mapping[str, str] = "auto") -> Any:
    """A plain `pm.Model` of the specification.

    Parameters
    ----------
    model : Model
    parametrisation : str or mapping
        ``"auto"`` and ``"noncentred"`` draw standard normals and scale them; ``"centred"``
        draws the effects themselves; a mapping says so by grouping factor.

    Returns
    -------
    pm.Model
        Free variables for beta (about the column means where the intercept's prior is),
        standard deviations, correlations, effects and sigma; deterministics under the names
        of a fit's tree. Data in ``pm.Data``, dims and coords on everything.
    """
    import pymc as pm

    names = group_names(model)
    choice = _choices(names, parametrisation)
    with pm.Model(coords=_coords(model, names)) as out:
        mean = _fixed(model)
        for index, g in enumerate(names):
            mean = mean + _random(model, index, g, choice[g.group])
        _response(model, mean)
    return out


def _choices(
    names: tuple[GroupNames, ...], parametrisation: str | Mapping[str, str]
) -> dict[str, str]:
    given = (
        parametrisation
        if isinstance(parametrisation, Mapping)
        else {g.group: parametrisation for g in names}
    )
    for group, value in given.items():
        if value not in PARAMETRISATIONS or group not in {g.group for g in names}:
            raise MethodError(
                "Unknown parametrisation or factor",
                got=f"{group}: {value}",
                allowed=PARAMETRISATIONS,
            )
    return {g.group: given.get(g.group, "auto") for g in names}


def _coords(model: Model, names: tuple[GroupNames, ...]) -> dict[str, Any]:
    coefs = [model.design.coefs[i] for i in model.columns]
    coords: dict[str, Any] = {"row": np.flatnonzero(model.used), "coef": coefs}
    slopes = [coef for coef in coefs if coef != "Intercept"]
    if slopes and len(slopes) < len(coefs):
        coords["slope"] = slopes
    for g in names:
        coords |= g.coords()
    return coords


def _fixed(model: Model) -> Any:
    """X beta, with the intercept where its prior is."""
    import pymc as pm
    import pytensor.tensor as pt

    design, priors = model.design, model.priors
    columns = list(model.columns)
    coefs = [design.coefs[i] for i in columns]
    X = pm.Data("X", f64(design.X[model.used][:, columns]), dims=("row", "coef"))
    offset = design.rows.offset[model.used]
    mean: Any = pm.Data("offset", f64(offset), dims="row") if np.any(offset) else f64(0.0)
    slopes = [priors[f"beta[{coef}]"] for coef in coefs if coef != "Intercept"]
    if "Intercept" not in coefs:
        return mean if not slopes else mean + X @ vector("beta", slopes, "coef", positive=False)
    key = "Intercept" if "Intercept" in priors else "Intercept_centred"
    at_zero = scalar(key, priors[key], positive=False)
    where = coefs.index("Intercept")
    parts = at_zero[None]
    if slopes:
        slope = vector("slope_effect", slopes, "slope", positive=False)
        if key == "Intercept_centred":
            means = np.delete(design.X[:, columns].mean(axis=0), where)
            at_zero = at_zero - pt.dot(f64(means), slope)
        parts = pt.concatenate([slope[:where], at_zero[None], slope[where:]])
    return mean + X @ pm.Deterministic("beta", parts, dims="coef")


def _random(model: Model, index: int, g: GroupNames, choice: str) -> Any:
    """Z_g u_g by the levels' index: never a dense Z."""
    import pymc as pm
    import pytensor.tensor as pt

    block = model.design.blocks[index]
    codes = pm.Data(f"{g.label}_index", block.codes[model.used], dims="row")
    values = pm.Data(f"{g.label}_values", f64(block.values[model.used]), dims=("row", g.coef_dim))
    terms = [t for t in model.terms if t.block == index]
    sds = _sds(model, g, terms)
    effects: list[Any] = [None] * block.n_coefs
    correlations: dict[tuple[int, int], Any] = {}
    for number, term in enumerate(terms):
        own = list(term.columns)
        suffix = "" if len(terms) == 1 else f"_{number}"
        root = _root(model, g, term, sds[own], correlations, suffix)
        u = _effects(g, root, len(own), choice, suffix)
        for position, column in enumerate(own):
            effects[column] = u[:, position]
    if g.pairs:
        stacked = pt.stack([correlations[pair] for pair in g.pairs])
        pm.Deterministic(g.cor, stacked, dims=g.pair_dim)
    u_all = pm.Deterministic(g.u, pt.stack(effects, axis=1), dims=(g.label, g.coef_dim))
    return pt.sum(values * u_all[codes], axis=1)


def _sds(model: Model, g: GroupNames, terms: list[Term]) -> Any:
    """Standard deviations of all the factor's coefficients, in their order."""
    import pymc as pm
    import pytensor.tensor as pt

    priors = {c: model.priors[f"sd_{g.group}[{name}]"] for c, name in enumerate(g.coefs)}
    shared = {c: t.columns[0] for t in terms for c in t.columns if t.structure.name == "id"}
    if not shared:
        return vector(g.sd, list(priors.values()), g.coef_dim, positive=True)
    free = {
        c: scalar(f"{g.sd}_{c}", p, positive=True)
        for c, p in priors.items()
        if shared.get(c, c) == c
    }
    stacked = pt.stack([free[shared.get(c, c)] for c in priors])
    return pm.Deterministic(g.sd, stacked, dims=g.coef_dim)


def _root(
    model: Model,
    g: GroupNames,
    term: Term,
    sd: Any,
    correlations: dict[tuple[int, int], Any],
    suffix: str,
) -> Any:
    """A root of the term's covariance, (k, k)."""
    import pytensor.tensor as pt

    if term.cor_key is None:
        return pt.diag(sd)
    k = len(term.columns)
    factor = correlation_cholesky(f"{g.label}_corr_cholesky{suffix}", model.priors[term.cor_key], k)
    matrix = factor @ factor.T
    for i in range(k):
        for j in range(i + 1, k):
            correlations[term.columns[i], term.columns[j]] = matrix[i, j]
    return sd[:, None] * factor


def _effects(g: GroupNames, root: Any, k: int, choice: str, suffix: str) -> Any:
    """The term's effects, (J, k)."""
    import pymc as pm

    if choice == "centred":
        return pm.MvNormal(
            f"{g.u}_free{suffix}", f64(np.zeros(k)), chol=root, shape=(len(g.levels), k)
        )
    z = pm.Normal(f"{g.label}_z{suffix}", f64(0.0), f64(1.0), shape=(len(g.levels), k))
    return z @ root.T


def _response(model: Model, mean: Any) -> None:
    import pymc as pm
    import pytensor.tensor as pt

    used = model.used
    name = response_name(model)
    while name in pm.modelcontext(None).named_vars:
        name += "_"
    y = pm.Data(f"{name}_data", f64(model.design.y[used]), dims="row")
    if model.sigma_known:
        scale: Any = pm.Data("known_sd", f64(model.design.extras["known_sd"][used]), dims="row")
    else:
        scale = scalar("sigma", model.priors["sigma"], positive=True)
        if "weights" in model.design.extras:
            weights = pm.Data("weights", f64(model.design.extras["weights"][used]), dims="row")
            scale = scale / pt.sqrt(weights)
    pm.Normal(name, mean, scale, observed=y, dims="row")

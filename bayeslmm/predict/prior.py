"""Draws of parameters from the prior, and of responses from the prior predictive distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.covariance.vine import correlation_cholesky
from bayeslmm.errors import MethodError, check_seed
from bayeslmm.fit.tree import SAMPLE, observed_dataset
from bayeslmm.model import Model, coefficient_map, column_of, shared_variance
from bayeslmm.model.effects import EFFECTS
from bayeslmm.model.names import GroupNames, contract_names, group_names, response_name
from bayeslmm.model.types import is_coefficient
from bayeslmm.model.units import joint_units
from bayeslmm.predict.parameters import Values, parameters_of
from bayeslmm.predict.patterns import draw_numbers, draw_residual, fill_correlations
from bayeslmm.predict.simulate import responses
from bayeslmm.priors import LKJ, JointPrior

Floats = NDArray[np.float64]


def prior_predictive(model: Model, draws: int = 500, seed: int | None = None) -> xr.DataTree:
    """Parameters from the prior, and a response of the model's rows for each.

    Parameters
    ----------
    model : Model
    draws : int
    seed : int, optional

    Returns
    -------
    DataTree
        Groups ``prior`` (under the names of a posterior), ``prior_predictive`` and
        ``observed_data``.

    Raises
    ------
    MethodError
        Priors that are improper, by name.
    DataError
        Priors under which some responses have no distribution: a negative Poisson mean.
    """
    check_seed(seed)
    rng = np.random.default_rng(seed)
    values = draw_prior(model, draws, rng)
    y = responses(model, values, rng)
    name = response_name(model)
    rows = {"row": np.arange(model.design.n), "chain": [0], "draw": np.arange(draws)}
    named = {"categories": [str(c) for c in model.design.categories]}
    said = named if model.family.categorical else {}
    predictive = xr.Dataset({name: ((*SAMPLE, "row"), y[None], said)}, rows)
    groups = {
        "prior": prior_dataset(model, values),
        "prior_predictive": predictive,
        "observed_data": observed_dataset(model),
    }
    return xr.DataTree.from_dict({f"/{k}": v for k, v in groups.items()})


def draw_prior(model: Model, size: int, rng: np.random.Generator) -> Values:
    """Every parameter but the random effects, `size` points first.

    Raises
    ------
    MethodError
        Priors that are improper.
    """
    improper = [
        f"{m.prefix}{key}"
        for m in (model, *model.dpars.values())
        for key, prior in m.priors.items()
        if not prior.is_proper()
    ]
    if improper:
        raise MethodError(
            f"These priors are improper and can't be drawn from: {', '.join(improper)}",
            hint="Give proper priors, such as normal(0, 10) or half_normal(10)",
        )
    values: Values = {}
    categories = len(model.design.categories) - 1
    together = _shared_sds(model, size, rng)
    if "sigma" in together:
        values["sigma"] = together["sigma"]
    elif model.has_sigma and model.strata is None:  # a joint prior of the slopes may ask for it
        values["sigma"] = model.priors["sigma"].draw(rng, size)
    values |= draw_residual(model, size, rng)
    for m in (model, *model.dpars.values()):
        if m is model and model.family.categorical == "unordered":
            each = [
                _predictor(m, size, rng, None, _shared_sds(m, size, rng)) for _ in range(categories)
            ]
            values |= {name: np.stack([e[name] for e in each], axis=1) for name in each[0]}
        else:
            sds = together if m is model else _shared_sds(m, size, rng)
            values |= _predictor(m, size, rng, values.get("sigma"), sds)
    for a in model.family.auxiliaries:
        if a.name in model.parameters and a.name not in values:
            prior = model.priors[a.name]
            if a.ordered:  # ordered draws of independent ones have their ordered density
                drawn = prior.draw(rng, size * categories).reshape(size, categories)
                values[a.name] = np.sort(drawn, axis=1)
            else:
                values[a.name] = prior.draw(rng, size)
    fill_correlations(model, values)
    for m in model.dpars.values():
        fill_correlations(m, values)
    return values


def _shared_sds(model: Model, size: int, rng: np.random.Generator) -> Values:
    """Standard deviations that share out a total variance, by key; none without such a prior."""
    found = shared_variance(model)
    if found is None:
        return {}
    prior, keys = found
    return dict(zip(keys, prior.draw(rng, size).T, strict=True))


def _predictor(
    model: Model, size: int, rng: np.random.Generator, sigma: Floats | None, sds: Values
) -> Values:
    values: Values = {f"{model.prefix}beta": _beta(model, size, rng, sigma)}
    for index, g in enumerate(group_names(model)):
        values |= _effects_scale(model, index, g, size, rng, sds)
        values |= draw_numbers(model, g, size, rng)
        kind = model.random.get(g.group, "normal")
        if kind != "normal":
            for name in EFFECTS[kind].parameters:
                values[f"{name}_{g.label}"] = _extra(model, kind, name, g, size, rng)
    return values


def _beta(model: Model, size: int, rng: np.random.Generator, sigma: Floats | None) -> Floats:
    columns = list(model.columns)
    out = np.zeros((size, len(columns)))
    joint = model.priors.get("beta")
    if isinstance(joint, JointPrior):
        unit = joint_units(model, sigma if joint.name == "r2d2" else None)
        slopes = [i for i, c in enumerate(columns) if model.design.coefs[c] != "Intercept"]
        out[:, slopes] = joint.draw_slopes(rng, size, unit)[0]
    for key, prior in model.priors.items():
        if is_coefficient(key) and prior is not joint:
            out[:, columns.index(column_of(key, model))] = prior.draw(rng, size)
    A = coefficient_map(model)[np.ix_(columns, columns)]
    return np.asarray(np.linalg.solve(A, out.T).T)


def _effects_scale(
    model: Model, index: int, g: GroupNames, size: int, rng: np.random.Generator, sds: Values
) -> Values:
    sd, correlation = np.empty((size, len(g.coefs))), np.zeros((size, len(g.coefs), len(g.coefs)))
    for term in (t for t in model.terms if t.block == index):
        own, k = list(term.columns), len(term.columns)
        free = term.structure.free_sds(k)
        for i, key in zip(free, term.sd_keys, strict=True):
            sd[:, own[i]] = sds[key] if sds else model.priors[key].draw(rng, size)
        if len(free) == 1:
            sd[:, own] = sd[:, [own[0]]]
        if term.cor_key:
            prior = model.priors[term.cor_key]
            assert isinstance(prior, LKJ)
            root, _ = correlation_cholesky(np.arctanh(prior.draw_partial(rng, k, size)), k)
            if term.at_centre:
                root = term.centred.T @ (sd[:, own, None] * root)
                sd[:, own] = np.sqrt(np.sum(root**2, axis=2))
                root = root / sd[:, own, None]
            correlation[:, np.array(own)[:, None], np.array(own)] = root @ root.swapaxes(1, 2)
    out: Values = {g.sd: sd[:, g.sd_first]}
    if g.pairs:
        i, j = np.array(g.pairs).T
        out[g.cor] = correlation[:, i, j]
    return out


def _extra(
    model: Model, kind: str, name: str, g: GroupNames, size: int, rng: np.random.Generator
) -> Floats:
    """A parameter of effects that are not normal; the first shift is positive."""
    drawn = model.priors[f"{name}_{g.group}"].draw
    if name != "shift":
        return drawn(rng, size)
    shift = drawn(rng, size * len(g.coefs)).reshape(size, -1)
    shift[:, 0] = np.abs(shift[:, 0])
    return shift


def prior_dataset(model: Model, values: Values) -> xr.Dataset:
    """Draws under the names and labels of a posterior, one chain."""
    known = parameters_of(model)
    names = [name for name in contract_names(model) if name in values]
    variables = {name: ((*SAMPLE, *known[name].coords), values[name][None]) for name in names}
    size = len(next(iter(values.values())))
    coords: dict[str, Any] = {"chain": [0], "draw": np.arange(size)}
    for name in names:
        coords |= known[name].coords
    return xr.Dataset(variables, coords)

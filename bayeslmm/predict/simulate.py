"""New responses of a model at given parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.errors import DataError, check_seed
from bayeslmm.families import LINKS
from bayeslmm.fit.covariances import covariance_of
from bayeslmm.model import Model
from bayeslmm.model.effects import EFFECTS
from bayeslmm.model.names import GroupNames, effect_parameters, group_names
from bayeslmm.predict.parameters import Values, read_parameters
from bayeslmm.predict.patterns import draw_residuals, residual_log_likelihood

Floats = NDArray[np.float64]


def simulate(model: Model, parameters: Any, seed: int | None = None) -> Floats:
    """Responses of the model's rows at given parameters, shape (n,).

    Parameters
    ----------
    model : Model
    parameters : mapping or Dataset
        By the tree's names: ``beta`` (an array, or a dict or Series by coefficient),
        ``sd_<g>``, ``cor_<g>``, ``sigma`` and the family's others. Random effects are drawn
        from them, unless ``u_<g>``, shape (levels, coefficients), is given.
    seed : int, optional

    Raises
    ------
    MethodError
        A parameter that is missing, or that the model doesn't have.
    DataError
        Values of another shape, or out of range; a response that has no distribution there.
    """
    check_seed(seed)
    values = read_parameters(model, parameters)
    return responses(model, values, np.random.default_rng(seed))[0]


def responses(model: Model, values: Values, rng: np.random.Generator) -> Floats:
    """Responses at S points, shape (S, n), effects drawn where they aren't among the values.

    `values` gets the effects that were drawn.
    """
    draw_missing(model, values, rng)
    if model.residual is not None:
        return predictor(model, values) + draw_residuals(model, values, rng)
    with np.errstate(over="ignore"):  # a heavy prior's exp(eta) may be infinite, and is kept so
        eta, found = _predicted(model, values)
        mu = model.family.location(eta, model.link, found)
        try:
            return model.family.simulate(mu, found, rng, model.trials)
        except ValueError as error:
            raise DataError(
                f"A {model.family.name} response can't be drawn at these parameters: {error}",
                hint=f"Choose another link than {model.link.name}, or narrower priors",
            ) from error


def log_likelihood(model: Model, values: Values) -> Floats:
    """log p(y | all parameters and effects) at S points, shape (S,)."""
    if model.residual is not None:
        return residual_log_likelihood(model, model.design.y - predictor(model, values), values)
    eta, found = _predicted(model, values)
    y, weights = model.design.y, model.design.extras.get("weights")
    terms = model.family.log_likelihood(y, eta, model.link, found, model.trials)
    if weights is not None and model.family.name != "gaussian":
        terms = terms * weights
    return np.asarray(terms[..., model.used].sum(axis=-1))


def _predicted(model: Model, values: Values) -> tuple[Floats, Values]:
    """The linear predictor of every row, and the family's other parameters, S points first."""
    if model.family.categorical == "unordered":
        others = [predictor(model, values, c) for c in range(len(model.design.categories) - 1)]
        eta = np.stack([np.zeros_like(others[0]), *others], axis=-1)
    else:
        eta = predictor(model, values)
    found: Values = {}
    for a in model.family.auxiliaries:
        if a.name in model.dpars:
            found[a.name] = LINKS[a.link].inverse(predictor(model.dpars[a.name], values))
        elif a.name in model.parameters:
            found[a.name] = values[a.name] if a.ordered else values[a.name][:, None]
    extras = model.design.extras
    if model.sigma_known:
        found["sigma"] = extras["known_sd"][None]
    elif model.family.name == "gaussian" and "weights" in extras:
        found["sigma"] = found["sigma"] / np.sqrt(np.where(model.used, extras["weights"], 1.0))
    return eta, found


def predictor(model: Model, values: Values, category: int | None = None) -> Floats:
    """X beta + Z u + offset at S points, shape (S, n)."""

    def take(name: str) -> Floats:
        return values[name] if category is None else values[name][:, category]

    columns = list(model.columns)
    eta = take(f"{model.prefix}beta") @ model.design.X[:, columns].T + model.design.rows.offset
    for g, block in zip(group_names(model), model.design.blocks, strict=True):
        eta = eta + np.einsum("snk,nk->sn", take(g.u)[:, block.codes], block.values)
    return np.asarray(eta)


def draw_missing(model: Model, values: Values, rng: np.random.Generator) -> None:
    """Put effects that aren't among the values there, drawn from their distribution."""
    for m in (model, *model.dpars.values()):
        for g in group_names(m):
            if g.u not in values:
                values[g.u] = draw_effects(m, g, values, rng)


def draw_effects(model: Model, g: GroupNames, values: Values, rng: np.random.Generator) -> Floats:
    """Effects of all levels of a factor at S points, shape (S, …, J, k)."""
    kind = model.random.get(g.group, "normal")
    sd = values[g.sd]
    cor = values[g.cor] if g.pairs else np.empty((*sd.shape[:-1], 0))
    root = lower_roots(covariance_of(sd, cor, g))
    levels, k = len(g.levels), len(g.coefs)
    if kind == "normal":
        z = rng.standard_normal((*sd.shape[:-1], levels, k))
        if g.group in model.kin:
            flat = np.moveaxis(z, -2, 0).reshape(levels, -1)
            flat = model.kin[g.group].root.correlate(flat)
            z = np.moveaxis(flat.reshape(levels, *sd.shape[:-1], k), 0, -2)
        return np.asarray(z @ root.swapaxes(-1, -2))
    extras = {n.removesuffix(f"_{g.label}"): values[n] for n in effect_parameters(model, g)}
    out = np.empty((*sd.shape[:-1], levels, k))
    for at in np.ndindex(sd.shape[:-1]):
        here = {name: value[at] for name, value in extras.items()}
        out[at] = EFFECTS[kind].draw(rng, root[at], here, levels)
    return out


def lower_roots(covariance: Floats) -> Floats:
    """Lower triangular roots, of singular matrices too."""
    values, vectors = np.linalg.eigh(covariance)
    half = vectors * np.sqrt(np.clip(values, 0.0, None))[..., None, :]
    lower = np.linalg.qr(half.swapaxes(-1, -2), mode="r").swapaxes(-1, -2)
    signs = np.where(np.einsum("...ii->...i", lower) < 0, -1.0, 1.0)
    return np.asarray(lower * signs[..., None, :])

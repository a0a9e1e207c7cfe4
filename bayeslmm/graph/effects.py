"""Random effects in a PyMC model: Z u by the levels' index, never a dense Z."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.reliability import Said
from bayeslmm.graph.affine import between, noncentred
from bayeslmm.graph.effect_nodes import NODES
from bayeslmm.graph.effect_scales import cor_name, is_moved, sd_keys, sd_name
from bayeslmm.graph.effect_variable import effects, related_effects
from bayeslmm.graph.joint_priors import shared_sds
from bayeslmm.graph.numbers import f64
from bayeslmm.graph.parametrisation import Choice
from bayeslmm.graph.patterns import pattern_root
from bayeslmm.graph.priors import (
    correlation_cholesky,
    vector,
)
from bayeslmm.graph.products import below_diagonal, by_vector, map_root
from bayeslmm.model import Model, Term, effects_map
from bayeslmm.model.names import GroupNames, group_names

Floats = NDArray[np.float64]


def random_effects(model: Model, choices: Mapping[str, Choice]) -> Any:
    """The sum of all factors' parts in a linear predictor, shape (n,); 0.0 without any.

    Goes into the `pm.Model` that is open, after its fixed part: effects are told from beta where
    that is better, and the factor of the most levels from the others' effects.

    Parameters
    ----------
    model : Model
    choices : mapping of str to Choice
        By grouping factor.
    """
    names = group_names(model)
    total: Any = 0.0
    for index in sorted(range(len(names)), key=lambda i: bool(_others(choices[names[i].group]))):
        g = names[index]
        total = total + random_part(model, index, g, choices[g.group])
    return total


def random_part(model: Model, index: int, g: GroupNames, choice: Choice) -> Any:
    """Z_g u_g, shape (n,).

    Parameters
    ----------
    model : Model
    index : int
        Which of the design's blocks.
    g : GroupNames
        Its names.
    choice : Choice
        How its effects are drawn.
    """
    import pymc as pm
    import pytensor.tensor as pt

    block = model.design.blocks[index]
    prefix = model.prefix
    codes = pm.Data(f"{prefix}{g.label}_index", block.codes[model.used], dims="row")
    values = pm.Data(
        f"{prefix}{g.label}_values", f64(block.values[model.used]), dims=("row", g.coef_dim)
    )
    root = _own_root(model, index, g)
    u = _effects(model, g, root, choice, effects_map(model, index))
    return pt.sum(values * u[codes], axis=1)


def _effects(model: Model, g: GroupNames, root: Any, choice: Choice, users: Floats) -> Any:
    """The factor's effects, (J, k), a free variable.

    `root` is of the covariance of the effects that the priors are on, `users` the map from those
    to the user's.
    """
    kind = model.random.get(g.group, "normal")
    if g.group in model.kin and kind == "normal":
        return related_effects(g, model.kin[g.group], root, users)
    node = NODES[kind]
    parameters = node.parameters(model, g)
    if choice.name == "centred":
        return effects(g, node, parameters, root, users, None, None)
    if choice.name != "between" or choice.said is None:
        return effects(g, node, parameters, root, users, noncentred, None)
    build = partial(between, information=choice.said.information)
    return effects(g, node, parameters, root, users, build, _linear(model, g, choice.said))


def _linear(model: Model, g: GroupNames, said: Said) -> Any:
    """What the rows say of each level's effects, (J, k), less the fixed part's and other
    factors' share of it."""
    import pymc as pm
    import pytensor.tensor as pt

    known = pm.modelcontext(None).named_vars
    linear: Any = f64(said.linear)
    if said.by_beta.shape[2]:
        by_beta = f64(said.by_beta.reshape(-1, said.by_beta.shape[2]))
        fixed = by_vector(by_beta, known[f"{g.prefix}beta"], by_beta.size)
        linear = linear - fixed.reshape(linear.shape)
    names = group_names(model)
    for meeting in said.others:
        other = known[names[meeting.block].u][meeting.other]
        taken = pt.sum(f64(meeting.values) * other[:, None, :], axis=2)
        linear = pt.inc_subtensor(linear[meeting.own], -taken)
    return pt.as_tensor_variable(linear)


def _others(choice: Choice) -> bool:
    return choice.said is not None and bool(choice.said.others)


def covariance_root(model: Model, index: int, g: GroupNames) -> Any:
    """A root of the covariance of the factor's coefficients, (k, k)."""
    return map_root(effects_map(model, index), _own_root(model, index, g))


def _own_root(model: Model, index: int, g: GroupNames) -> Any:
    """A lower triangular root of the covariance of the coefficients that the priors are on.

    Standard deviations and correlations of the user's coefficients are known under the names of
    a fit's tree, whichever coefficients the priors are on.
    """
    import pymc as pm
    import pytensor.tensor as pt

    terms = [t for t in model.terms if t.block == index]
    sds = _sds(model, g, terms)
    k = len(g.coefs)
    root = pt.diag(sds)
    correlations: dict[tuple[int, int], Any] = {}
    numbers = []
    for number, term in enumerate(terms):
        if not term.couples:
            continue
        own = list(term.columns)
        if term.cor_key is None:
            factor, values = pattern_root(model, term, g)
            numbers += [values] if values is not None else []
        else:
            name = cor_name(g, terms, number)
            factor = correlation_cholesky(name, model.priors[term.cor_key], len(own))
        scaled = sds[own][:, None] * factor
        root = scaled if len(own) == k else root[np.ix_(own, own)].set(scaled)
        found = below_diagonal(factor, len(own))
        for place, (j, i) in enumerate(zip(*np.tril_indices(len(own), -1), strict=True)):
            correlations[own[i], own[j]] = found[place]
    if numbers:
        pm.Deterministic(g.par, pt.concatenate(numbers), dims=g.par_dim)
    if is_moved(terms):
        _users_scales(g, map_root(effects_map(model, index), root))
    elif g.pairs:
        stacked = pt.stack([correlations[pair] for pair in g.pairs])
        pm.Deterministic(g.cor, stacked, dims=g.pair_dim)
    return root


def _users_scales(g: GroupNames, root: Any) -> None:
    """Standard deviations and correlations of a covariance, from any root of it, (k, k)."""
    import pymc as pm
    import pytensor.tensor as pt

    sds = pt.sqrt(pt.sum(root**2, axis=1))
    pm.Deterministic(g.sd, sds if g.sds == g.coefs else sds[g.sd_first], dims=g.sd_dim)
    if g.pairs:
        i, j = np.array(g.pairs).T
        products = pt.sum(root[i] * root[j], axis=1)
        pm.Deterministic(g.cor, products / (sds[i] * sds[j]), dims=g.pair_dim)


def _sds(model: Model, g: GroupNames, terms: list[Term]) -> Any:
    """Standard deviations of all the coefficients that the priors are on, in their order."""
    import pymc as pm
    import pytensor.tensor as pt

    name, whole, keys = sd_name(g, terms), shared_sds(model), sd_keys(g, terms)
    if whole:
        own = pm.Deterministic(name, pt.stack([whole[key] for key in keys]), dims=g.sd_dim)
    else:
        own = vector(name, [model.priors[key] for key in keys], g.sd_dim, positive=True)
    return own if g.sds == g.coefs else own[g.sd_of]

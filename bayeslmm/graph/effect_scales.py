"""Standard deviations and correlations of the effects that a factor's priors are on.

Far from the origin of a covariate those of the user's effects determine them with few digits or
none, so that draws keep them beside the user's.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.covariance import Patterned
from bayeslmm.graph.patterns import number_values
from bayeslmm.graph.priors import (
    FreeValues,
    correlation_name,
    correlation_values,
    correlations_of,
    vector_values,
)
from bayeslmm.model import Model, Term, shared_variance
from bayeslmm.model.names import GroupNames
from bayeslmm.priors import CENTRED

Floats = NDArray[np.float64]
Scales = tuple[Floats, Floats]
TINY = 1e-200  # a variance that rounding left nothing of


def covariance_values(
    model: Model, index: int, g: GroupNames, own: Scales, par: Floats
) -> FreeValues:
    """Values of the free variables that `effects.covariance_root` makes.

    Parameters
    ----------
    model : Model
    index : int
    g : GroupNames
    own : tuple of ndarray
        As `own_scales` gives it.
    par : ndarray, shape (..., numbers)
        Draws of the patterns' numbers.
    """
    terms, (sd, cor) = [t for t in model.terms if t.block == index], own
    out = _sd_values(model, g, terms, sd)
    used = 0
    for number, term in enumerate(terms):
        if not term.couples:
            continue
        if term.cor_key is None:
            structure = term.structure
            assert isinstance(structure, Patterned)
            priors = [model.priors[key] for key in term.par_keys]
            values = par[..., used : used + len(priors)]
            used += len(priors)
            if priors:
                pattern, places = structure.pattern, structure.places
                out |= number_values(f"{g.prefix}{g.label}", pattern, places, priors, values)
        else:
            name = cor_name(g, terms, number)
            out |= correlation_values(name, cor[..., _pairs(g, term)], len(term.columns))
    return out


def own_scales(model: Model, index: int, g: GroupNames, sd: Floats, cor: Floats) -> Scales:
    """Standard deviations and correlations, (..., sds) and (..., pairs), of the effects that a
    factor's priors are on, from those of the user's; far from the origin digits are lost."""
    # without a variance there is no correlation, and 0 gives the same covariance as any other
    sd, cor = np.array(sd)[..., g.sd_of], np.nan_to_num(cor)
    for term in model.terms:
        if term.block != index or not term.at_centre:
            continue
        own, (i, j) = list(term.columns), np.tril_indices(len(term.columns), -1)
        pairs = _pairs(g, term)
        matrix = np.zeros((*sd.shape[:-1], len(own), len(own))) + np.eye(len(own))
        matrix[..., i, j] = matrix[..., j, i] = cor[..., pairs]
        U = term.centred.U
        matrix = U @ (matrix * sd[..., own, None] * sd[..., None, own]) @ U.T
        variance = np.einsum("...ii->...i", matrix)
        sd[..., own] = np.sqrt(np.maximum(variance, TINY))
        ratio = matrix[..., i, j] / (sd[..., own][..., i] * sd[..., own][..., j])
        cor[..., pairs] = np.clip(ratio, -1.0, 1.0)
    return sd[..., g.sd_first], cor


def scales_in(model: Model, index: int, g: GroupNames, posterior: xr.Dataset) -> Scales | None:
    """The same, (S, sds) and (S, pairs), from draws of the free variables themselves; None where
    some of them aren't in the posterior, or all effects are the user's."""
    terms = [t for t in model.terms if t.block == index]
    if not is_moved(terms) or sd_name(g, terms) not in posterior:
        return None
    sd = _draws(posterior, sd_name(g, terms))
    cor = np.zeros((len(sd), len(g.pairs)))
    for number, term in enumerate(terms):
        if not term.couples or term.cor_key is None:
            continue
        name = correlation_name(cor_name(g, terms, number), len(term.columns))
        if name not in posterior:
            return None
        cor[:, _pairs(g, term)] = correlations_of(_draws(posterior, name), len(term.columns))
    return sd, cor


def _draws(posterior: xr.Dataset, name: str) -> Floats:
    """A variable's draws, shape (S, ...)."""
    values = posterior[name].transpose("chain", "draw", ...).values
    return np.asarray(values.reshape(-1, *values.shape[2:]), dtype=np.float64)


def _sd_values(model: Model, g: GroupNames, terms: list[Term], sd: Floats) -> FreeValues:
    """Of the free variables that `_sds` makes, but those that share out a total variance."""
    if shared_variance(model) is not None:
        return {}
    priors = [model.priors[key] for key in sd_keys(g, terms)]
    return vector_values(sd_name(g, terms), priors, g.sd_dim, sd)


def sds_by_key(model: Model, index: int, g: GroupNames, sd: Floats) -> dict[str, Floats]:
    """By key, the standard deviations that a factor's priors are on, shape (...) each."""
    terms = [t for t in model.terms if t.block == index]
    return {key: sd[..., i] for i, key in enumerate(sd_keys(g, terms))}


def is_moved(terms: list[Term]) -> bool:
    """Whether the priors of some of a factor's effects are on others than the user's."""
    return any(t.at_centre for t in terms)


def sd_name(g: GroupNames, terms: list[Term]) -> str:
    return f"{g.sd}{CENTRED if is_moved(terms) else ''}"


def sd_keys(g: GroupNames, terms: list[Term]) -> list[str]:
    """Keys of the priors of a factor's standard deviations, in their order."""
    keys = {
        t.columns[i]: key
        for t in terms
        for i, key in zip(t.structure.free_sds(len(t.columns)), t.sd_keys, strict=True)
    }
    return [keys[c] for c in g.sd_first]


def cor_name(g: GroupNames, terms: list[Term], number: int) -> str:
    suffix = "" if len(terms) == 1 else f"_{number}"
    return f"{g.prefix}{g.label}_corr_cholesky{suffix}"


def _pairs(g: GroupNames, term: Term) -> list[int]:
    """Places of a term's correlations, below the diagonal and rows first, among the factor's."""
    own = term.columns
    rows = zip(*np.tril_indices(len(own), -1), strict=True)
    return [g.pairs.index((own[j], own[i])) for i, j in rows]

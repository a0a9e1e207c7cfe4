"""The tidy tables: the same columns whatever the engine.

`estimate` and `std_error` are mean and standard deviation of a posterior, or the estimate and
its standard error; `lower` and `upper` bound the central interval, 95 % by default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from bayeslmm.design import RandomBlock, level_maps
from bayeslmm.fit.levels import (
    CORRELATION,
    LEVEL,
    POSITIVE,
    at_level,
    of_inverse_gamma,
)
from bayeslmm.fit.predictors import Part, parts_of
from bayeslmm.fit.tree import SAMPLE
from bayeslmm.model import Model, Term
from bayeslmm.model.names import (
    RESIDUAL_PAR,
    GroupNames,
    effect_parameters,
    group_names,
    residual_names,
)

Floats = NDArray[np.float64]
COLUMNS = ["estimate", "std_error", "lower", "upper"]


def fixef(model: Model, tree: xr.DataTree, level: float = LEVEL) -> pd.DataFrame:
    """Fixed effects, index ``coef``."""
    if "estimate" in tree:
        e = tree["estimate"].dataset
        values = _wald(e["beta"].values, np.sqrt(np.diag(e["beta_cov"].values)), e, level)
        coefs = list(e["coef"].values)
    else:
        coefs, draws = fixed_draws(model, tree)
        values = summarise_array(draws, level)
    return pd.DataFrame(values, index=pd.Index(coefs, name="coef"), columns=COLUMNS)


def fixed_draws(model: Model, tree: xr.DataTree) -> tuple[list[str], Floats]:
    """Names of all fixed coefficients, and their draws, shape (C, D, p)."""
    posterior = tree["posterior"].dataset
    names: list[str] = []
    found = [np.empty((posterior.sizes["chain"], posterior.sizes["draw"], 0))]
    for part in parts_of(model, posterior):
        if part.beta is not None:
            names += [f"{part.label}{name}" for name in part.coefs]
            found.append(part.beta.transpose(*SAMPLE, ...).values)
    return names, np.concatenate(found, axis=-1)


def ranef(
    model: Model, tree: xr.DataTree, *, given_beta: bool = False, level: float = LEVEL
) -> pd.DataFrame:
    """Random effects u: ``group, level, coef`` and the four numbers."""
    frames = []
    if "estimate" in tree or "effects" in tree:
        e = tree["estimate" if "estimate" in tree else "effects"].dataset
        suffix = "_cov_given_beta" if given_beta else "_cov"
        for g in group_names(model):
            values = _wald(e[g.u].values, _roots(e[g.u + suffix].values), e, level)
            frames.append(_by_level(g, values))
        return _stack(frames)
    for part in parts_of(model, tree["posterior"].dataset):
        for g in group_names(part.model):
            frames.append(_by_level(g, summarise(part.draws[g.u], level), part.label))
    return _stack(frames)


def coef(model: Model, tree: xr.DataTree, level: float = LEVEL) -> pd.DataFrame:
    """Coefficients by level: fixed effects that apply to it, plus u (see `level_maps`)."""
    frames = []
    if "estimate" in tree or "effects" in tree:
        e = tree["estimate" if "estimate" in tree else "effects"].dataset
        for i, g in enumerate(group_names(model)):
            frames.append(_by_level(g, _coef_estimates(model, e, g, i, level)))
        return _stack(frames)
    for part in parts_of(model, tree["posterior"].dataset):
        for i, g in enumerate(group_names(part.model)):
            frames.append(_by_level(g, summarise(coef_draws(part, g, i), level), part.label))
    return _stack(frames)


def coef_draws(part: Part, g: GroupNames, index: int) -> xr.DataArray:
    """Draws of the coefficients by level of one block, dims (chain, draw, level, coef)."""
    u = part.draws[g.u].transpose(*SAMPLE, g.label, g.coef_dim)
    if part.beta is None:
        return u
    maps = level_maps(part.model.design, index).columns(_places(part.model, part.coefs))
    beta = part.beta.transpose(*SAMPLE, ...).values
    return u.copy(data=u.values + maps.population(beta))


def _places(model: Model, coefs: Sequence[str]) -> list[int]:
    """Where coefficients stand among the design's fixed columns."""
    return [model.design.coefs.index(str(name)) for name in coefs]


def varcorr(model: Model, tree: xr.DataTree, level: float = LEVEL) -> pd.DataFrame:
    """Standard deviations and correlations of the random effects, and the residual's; further
    parameters of the response (kind ``par``)."""
    rows = list(_varcorr_rows(model, tree, level))
    columns = ["group", "kind", "coef", "coef2", *COLUMNS]
    return pd.DataFrame(rows, columns=columns)


def _varcorr_rows(model: Model, tree: xr.DataTree, level: float) -> Iterator[tuple[object, ...]]:
    if "estimate" in tree and "posterior" not in tree:
        yield from _group_rows(model, "", tree, level)
    else:
        source = tree["posterior"].dataset
        for part in parts_of(model, source):
            yield from _group_rows(part.model, part.label, tree, level, part.draws)
    yield from _residual_rows(model, tree, level)
    for name in model.parameters:
        if name != "sigma":
            yield from _parameter_rows(tree, name, level)


def _group_rows(
    model: Model,
    label: str,
    tree: xr.DataTree,
    level: float,
    draws: xr.Dataset | None = None,
) -> Iterator[tuple[object, ...]]:
    for block, g in zip(model.design.blocks, group_names(model), strict=True):
        coefs = [f"{label}{name}" for name in g.coefs]
        sds = parameter(tree, g.sd, draws, level)
        for name, place in _sd_rows(block, g).items():
            yield (g.shown, "sd", f"{label}{name}", "", *sds[place])
        if g.pairs:
            free = {pair for t in model.terms if t.cor_key for pair in _pairs_of(t, g)}
            for pair, values in zip(
                g.pairs, parameter(tree, g.cor, draws, level, [CORRELATION]), strict=True
            ):
                if pair in free:  # a pattern's correlations are listed as its parameters
                    yield (g.shown, "cor", coefs[pair[0]], coefs[pair[1]], *values)
        if g.pars:
            bounds = [
                (p.lower, p.upper)
                for t in model.terms
                if t.group == g.group
                for p in t.structure.parameters
            ]
            found = parameter(tree, g.par, draws, level, bounds)
            for name, values in zip(g.pars, found, strict=True):
                yield (g.shown, "par", name, "", *values)
        for name in effect_parameters(model, g):
            found = parameter(tree, name, draws, level).reshape(-1, 4)
            labels = coefs if len(found) == len(coefs) and len(found) > 1 else [""] * len(found)
            for which, values in zip(labels, found, strict=True):
                yield (g.shown, "par", name.removesuffix(f"_{g.label}"), which, *values)


def _sd_rows(block: RandomBlock, g: GroupNames) -> dict[str, int]:
    """The rows of standard deviations, each with its place among them: one for all occasions or
    places of a term that share it, and one for each other coefficient."""
    out: dict[str, int] = {}
    for c, which in enumerate(g.sd_of):
        over_places = any(c in part.columns and part.at for part in block.parts)
        out[g.sd_names[c] if over_places else g.coefs[c]] = which
    return out


def _pairs_of(term: Term, g: GroupNames) -> list[tuple[int, int]]:
    if term.group != g.group:
        return []
    return [(a, b) for a in term.columns for b in term.columns if a < b]


def _residual_rows(model: Model, tree: xr.DataTree, level: float) -> Iterator[tuple[object, ...]]:
    names = residual_names(model)
    if model.has_sigma:
        labels = [""] if model.strata is None else list(model.strata.labels)
        for which, values in zip(
            labels, parameter(tree, "sigma", None, level).reshape(-1, 4), strict=True
        ):
            yield ("Residual", "sd", which, "", *values)
    if not names.pars:
        return
    assert model.residual is not None
    bounds = [(p.lower, p.upper) for p in model.residual.parameters]
    found = parameter(tree, RESIDUAL_PAR, None, level, bounds)
    for name, values in zip(names.pars, found, strict=True):
        if name.startswith("cor("):
            left, right = name.removeprefix("cor(").removesuffix(")").split(",", 1)
            yield ("Residual", "cor", left, right, *values)
        else:
            yield ("Residual", "par", name, "", *values)


def _parameter_rows(tree: xr.DataTree, name: str, level: float) -> Iterator[tuple[object, ...]]:
    values = parameter(tree, name, None, level)
    if values.ndim == 1:
        yield ("", "par", name, "", *values)
        return
    drawn = tree["posterior"].dataset[name]
    labels = drawn[next(d for d in drawn.dims if d not in SAMPLE)].values
    for which, four in zip(labels, values, strict=True):
        yield ("", "par", name, str(which), *four)


def parameter(
    tree: xr.DataTree,
    name: str,
    draws: xr.Dataset | None = None,
    level: float = LEVEL,
    bounds: Sequence[tuple[float, float]] = (POSITIVE,),
) -> Floats:
    """The four numbers of a variance parameter, shape (..., 4); `bounds` are its elements', or
    one pair for all."""
    if "estimate" not in tree:
        return summarise((tree["posterior"].dataset if draws is None else draws)[name], level)
    e = tree["estimate"].dataset
    parts = [e[name], e[f"{name}_std_error"], e[f"{name}_lower"], e[f"{name}_upper"]]
    found = np.stack([np.asarray(p.values) for p in parts], axis=-1)
    if level == LEVEL:
        return found
    if "dof" in e.attrs and bounds == (POSITIVE,):
        return of_inverse_gamma(found, e.attrs, level)
    if len(bounds) == 1:
        return at_level(found, bounds[0], level)
    return np.stack([at_level(f, b, level) for f, b in zip(found, bounds, strict=True)])


def summarise(draws: xr.DataArray, level: float = LEVEL) -> Floats:
    """Mean, sd and central interval of draws, shape (..., 4)."""
    return summarise_array(draws.transpose(*SAMPLE, ...).values, level)


def summarise_array(draws: Floats, level: float = LEVEL) -> Floats:
    """`summarise` for a plain array with chain and draw leading."""
    values = draws.reshape(draws.shape[0] * draws.shape[1], *draws.shape[2:])
    tail = (1 - level) / 2
    lower, upper = np.quantile(values, [tail, 1 - tail], axis=0)
    return np.stack([values.mean(axis=0), values.std(axis=0, ddof=1), lower, upper], axis=-1)


def half_width(attributes: Mapping[str, Any] | None = None, level: float = LEVEL) -> float:
    """Half of a central interval, in standard errors or posterior standard deviations.

    Normal; of estimates with ``residual_dof`` a t on as many; of a posterior with ``dof``, which
    is a t, the same over its standard deviation.
    """
    at, attributes = (1 + level) / 2, attributes or {}
    if "residual_dof" in attributes:
        return float(special.stdtrit(attributes["residual_dof"], at))
    if "dof" not in attributes:
        return float(special.ndtri(at))
    dof = attributes["dof"]
    shrink = np.sqrt((dof - 2) / dof) if dof > 2 else np.nan
    return float(special.stdtrit(dof, at) * shrink)


def residual_dof(model: Model) -> dict[str, float]:
    """n - rank(X) under its name, where the estimates of beta have an exact t on as many: linear
    models whose residuals' covariance is known up to sigma²; else nothing."""
    residual = model.residual
    known = residual is None or (residual.n_strata == 1 and not residual.parameters)
    if model.design.blocks or not known or not model.has_sigma:
        return {}
    return {"residual_dof": float(model.n - model.aliasing.rank)}


def _wald(estimate: Floats, std_error: Floats, e: xr.Dataset, level: float) -> Floats:
    half = half_width(e.attrs, level) * std_error
    return np.stack([estimate, std_error, estimate - half, estimate + half], axis=-1)


def _roots(covariances: Floats) -> Floats:
    """Standard deviations from covariance matrices (..., k, k)."""
    return np.sqrt(np.clip(np.einsum("...ii->...i", covariances), 0.0, None))


def _coef_estimates(model: Model, e: xr.Dataset, g: GroupNames, index: int, level: float) -> Floats:
    """Estimates and standard errors of `M_j beta + u_j`, with cov(beta, u) in them."""
    levels = level_maps(model.design, index).columns(_places(model, list(e["coef"].values)))
    maps, which = levels.maps, levels.which
    total = e[g.u].values + levels.population(e["beta"].values)
    of_beta = np.einsum("hkp,pq,hkq->hk", maps, e["beta_cov"].values, maps)[which]
    cross = np.einsum("jkp,jkp->jk", maps[which], e[f"{g.u}_beta_cov"].values)
    variance = np.einsum("jaa->ja", e[f"{g.u}_cov"].values) + of_beta + 2 * cross
    return _wald(total, np.sqrt(np.clip(variance, 0.0, None)), e, level)


def _by_level(g: GroupNames, values: Floats, label: str = "") -> pd.DataFrame:
    k, coefs = len(g.coefs), [f"{label}{name}" for name in g.coefs]
    frame = pd.DataFrame(values.reshape(-1, 4), columns=COLUMNS)
    frame.insert(0, "coef", np.tile(np.array(coefs, dtype=object), len(g.levels)))
    frame.insert(0, "level", np.repeat(np.asarray(g.levels, dtype=object), k))
    frame.insert(0, "group", g.shown)
    return frame


def _stack(frames: list[pd.DataFrame]) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=["group", "level", "coef", *COLUMNS])
    return pd.concat(frames, ignore_index=True)

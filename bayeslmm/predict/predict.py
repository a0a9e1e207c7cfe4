"""Predictions for known rows, new rows and new levels, from estimates or from draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.design import RandomBlock, Rows
from bayeslmm.errors import MethodError, check_seed
from bayeslmm.fit.covariances import covariance_of
from bayeslmm.fit.tables import COLUMNS, half_width, summarise_array
from bayeslmm.gaussian.equations import equations
from bayeslmm.gaussian.posterior import linear_variance
from bayeslmm.gaussian.variances import Variances, lambdas_from_covariances
from bayeslmm.model import Model
from bayeslmm.model.names import GroupNames, group_names
from bayeslmm.predict.random import ranef_draws
from bayeslmm.predict.rows import Extras, blocks_of, chosen_groups, residual_scale, rows_of

Floats = NDArray[np.float64]
Blocks = tuple[RandomBlock | None, ...]
NEW_LEVELS = ("error", "draw", "zero")
KINDS = ("mean", "link", "response")


def predict(
    model: Model,
    tree: xr.DataTree,
    new: Any = None,
    *,
    effects: str | Sequence[str] = "all",
    new_levels: str = "error",
    kind: str = "mean",
    extras: Extras | None = None,
    seed: int | None = None,
) -> pd.DataFrame:
    """Predictions by row: ``estimate, std_error, lower, upper``, index of the table.

    From draws where the fit has them; from the mixed-model equations otherwise, with the
    variances held at their estimates. `extras` are the offset, weights or known_sd of new rows.

    Raises
    ------
    MethodError
        An unknown choice.
    LevelError
        An unseen level under ``new_levels="error"``.
    DataError, ColumnError
        Rows that can't be used, or don't carry what the model needs.
    """
    _check("new_levels", new_levels, NEW_LEVELS)
    _check("kind", kind, KINDS)
    check_seed(seed)
    groups = chosen_groups(model, effects)
    rows = rows_of(model, new, new_levels, groups, extras)
    blocks = blocks_of(model, rows, groups)
    residual = residual_scale(model, rows) if kind == "response" else None
    if "posterior" in tree:
        rng = np.random.default_rng(seed)
        draws = _draws(model, tree["posterior"].dataset, tree, rows, blocks, new_levels, rng)
        if residual is not None:
            sigma = _sigma_draws(model, tree, draws.shape[:2])
            draws = draws + rng.standard_normal(draws.shape) * sigma[..., None] * residual
        values = summarise_array(draws)
    else:
        values = _plug_in(model, tree["estimate"].dataset, rows, blocks, new_levels, residual)
    return pd.DataFrame(values, columns=COLUMNS, index=pd.Index(rows.index))


def _check(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise MethodError(f"Unknown {name}={value!r}", allowed=allowed)


def _draws(
    model: Model,
    posterior: xr.Dataset,
    tree: xr.DataTree,
    rows: Rows,
    blocks: Blocks,
    new_levels: str,
    rng: np.random.Generator,
) -> Floats:
    """Draws of the linear predictor, shape (chain, draw, row)."""
    columns = [model.design.coefs.index(c) for c in posterior["coef"].values]
    total = posterior["beta"].values @ rows.X[:, columns].T + rows.offset
    wanted, places = {}, {}
    for index, block in enumerate(blocks):
        if block is not None:
            wanted[index], places[index] = np.unique(
                block.codes[block.codes >= 0], return_inverse=True
            )
    drawn = ranef_draws(model, tree, wanted, rng)
    for index, (g, block) in enumerate(zip(group_names(model), blocks, strict=True)):
        if block is None:
            continue
        seen, u = block.codes >= 0, drawn[index]
        total[..., seen] += np.einsum("cdnk,nk->cdn", u[:, :, places[index]], block.values[seen])
        if new_levels == "draw" and not seen.all():
            root = _roots(_group_covariance(tree, g, u.shape[:2]))
            z = rng.standard_normal((*u.shape[:2], int((~seen).sum()), u.shape[-1]))
            fresh = np.einsum("cdab,cdnb->cdna", root, z)
            total[..., ~seen] += np.einsum("cdnk,nk->cdn", fresh, block.values[~seen])
    return np.asarray(total)


def _group_covariance(tree: xr.DataTree, g: GroupNames, shape: tuple[int, ...]) -> Floats:
    """Covariance of a level's effects at every draw; the given one where it doesn't vary."""
    drawn = tree["posterior"].dataset
    source = drawn if g.sd in drawn else tree["estimate"].dataset
    sd = np.broadcast_to(source[g.sd].values, (*shape, len(g.coefs)))
    if not g.pairs:
        return covariance_of(sd, np.empty((*shape, 0)), g)
    source = drawn if g.cor in drawn else tree["estimate"].dataset
    return covariance_of(sd, np.broadcast_to(source[g.cor].values, (*shape, len(g.pairs))), g)


def _roots(covariance: Floats) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.clip(values, 0.0, None))[..., None, :])


def _sigma_draws(model: Model, tree: xr.DataTree, shape: tuple[int, ...]) -> Floats:
    if model.sigma_known:
        return np.ones(shape)
    drawn = tree["posterior"].dataset
    source = drawn if "sigma" in drawn else tree["estimate"].dataset
    return np.broadcast_to(source["sigma"].values, shape)


def _plug_in(
    model: Model,
    e: xr.Dataset,
    rows: Rows,
    blocks: Blocks,
    new_levels: str,
    residual: Floats | None,
) -> Floats:
    """Estimates and standard errors from the equations at the estimated variances."""
    names = group_names(model)
    columns = [model.design.coefs.index(c) for c in e["coef"].values]
    X = rows.X[:, columns]
    covariances = [
        covariance_of(e[g.sd].values, e[g.cor].values if g.pairs else np.empty(0), g) for g in names
    ]
    sigma = 1.0 if model.sigma_known else float(e["sigma"])
    at = Variances(tuple(c[None] for c in covariances), np.array([sigma]))
    system = equations(model, tuple(columns))
    factor = system.at(lambdas_from_covariances(system.moments.coordinates, at))
    taken = tuple(None if b is None else (b.codes, b.values) for b in blocks)
    estimate = X @ e["beta"].values + rows.offset
    variance = linear_variance(factor, sigma**2, X, taken)
    for g, block, cov in zip(names, blocks, covariances, strict=True):
        if block is not None:
            estimate = estimate + _known_effects(e[g.u].values, block)
            unseen = block.codes < 0
            if new_levels == "draw":
                z = block.values[unseen]
                variance[unseen] += np.einsum("na,ab,nb->n", z, cov, z)
    if residual is not None:
        variance = variance + sigma**2 * residual**2
    spread = np.sqrt(variance)
    half = half_width(e.attrs.get("dof")) * spread
    return np.stack([estimate, spread, estimate - half, estimate + half], axis=-1)


def _known_effects(u: Floats, block: RandomBlock) -> Floats:
    seen = block.codes >= 0
    out = np.zeros(len(block.codes))
    out[seen] = np.sum(u[block.codes[seen]] * block.values[seen], axis=1)
    return out

"""Predictions for known rows, new rows and new levels, from estimates or from draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.design import RandomBlock, Rows
from bayeslmm.errors import DataError, MethodError, check_seed, nearest
from bayeslmm.fit.covariances import covariance_of
from bayeslmm.fit.tables import COLUMNS, half_width, summarise_array
from bayeslmm.gaussian.equations import factorise
from bayeslmm.gaussian.moments import moments
from bayeslmm.gaussian.posterior import linear_variance
from bayeslmm.gaussian.variances import Variances, lambdas_from_covariances
from bayeslmm.model import Model
from bayeslmm.model.names import GroupNames, group_names

Floats = NDArray[np.float64]
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
    seed: int | None = None,
) -> pd.DataFrame:
    """Predictions by row: ``estimate, std_error, lower, upper``, index of the table.

    From draws where the fit has them; from the mixed-model equations otherwise, with the
    variances held at their estimates.

    Raises
    ------
    MethodError
        An unknown choice.
    LevelError
        An unseen level under ``new_levels="error"``.
    """
    for name, value, allowed in (("new_levels", new_levels, NEW_LEVELS), ("kind", kind, KINDS)):
        if value not in allowed:
            raise MethodError(f"Unknown {name}={value!r}", allowed=allowed)
    check_seed(seed)
    chosen = _chosen(model, effects)
    rows = _rows(model, new, new_levels, chosen)
    residual = _residual_scale(model, rows) if kind == "response" else None
    if "posterior" in tree:
        rng = np.random.default_rng(seed)
        draws = _draws(model, tree["posterior"].dataset, tree, rows, chosen, new_levels, rng)
        if residual is not None:
            sigma = _sigma_draws(model, tree, draws.shape[:2])
            draws = draws + rng.standard_normal(draws.shape) * sigma[..., None] * residual
        values = summarise_array(draws)
    else:
        values = _plug_in(model, tree["estimate"].dataset, rows, chosen, new_levels, residual)
    return pd.DataFrame(values, columns=COLUMNS, index=pd.Index(rows.index))


def _chosen(model: Model, effects: str | Sequence[str]) -> list[bool]:
    groups = [b.group for b in model.design.blocks]
    if isinstance(effects, str) and effects in ("all", "none"):
        return [effects == "all"] * len(groups)
    if not isinstance(effects, Iterable):
        raise MethodError(
            "effects can't be read", got=repr(effects), allowed=f"all, none, or a list of {groups}"
        )
    wanted = [effects] if isinstance(effects, str) else list(effects)
    for group in wanted:
        if group not in groups:
            hint = nearest(str(group), ["all", "none", *groups])
            raise MethodError(f"Unknown effects {group!r}", hint=hint)
    return [group in wanted for group in groups]


def _rows(model: Model, new: Any, new_levels: str, chosen: list[bool]) -> Rows:
    if new is None:
        return model.design.rows
    strict = new_levels == "error" and any(chosen)
    return model.design.apply(new, new_levels="error" if strict else "code")


def _residual_scale(model: Model, rows: Rows) -> Floats:
    """Residual standard deviation of each row over sigma."""
    if model.sigma_known and "known_sd" not in rows.extras:
        raise DataError(
            "New observations need their own known_sd, which these rows don't carry",
            hint="Give known_sd as a column, or use kind='mean' and add their variance",
        )
    if model.sigma_known:
        return rows.extras["known_sd"]
    with np.errstate(divide="ignore"):
        return 1.0 / np.sqrt(rows.extras.get("weights", np.ones(len(rows.X))))


def _draws(
    model: Model,
    posterior: xr.Dataset,
    tree: xr.DataTree,
    rows: Rows,
    chosen: list[bool],
    new_levels: str,
    rng: np.random.Generator,
) -> Floats:
    """Draws of the linear predictor, shape (chain, draw, row)."""
    total = posterior["beta"].values @ rows.X.T + rows.offset
    for g, block, take in zip(group_names(model), rows.blocks, chosen, strict=True):
        if not take:
            continue
        seen = block.codes >= 0
        u = posterior[g.u].values
        total[..., seen] += np.einsum(
            "cdnk,nk->cdn", u[:, :, block.codes[seen]], block.values[seen]
        )
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
    chosen: list[bool],
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
    factor = factorise(moments(model, tuple(columns)), lambdas_from_covariances(at), np.ones(1))
    taken = tuple(
        (b.codes, b.values) if take else None for b, take in zip(rows.blocks, chosen, strict=True)
    )
    estimate = X @ e["beta"].values + rows.offset
    variance = linear_variance(factor, sigma**2, X, taken)
    for g, block, cov, take in zip(names, rows.blocks, covariances, chosen, strict=True):
        if take:
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

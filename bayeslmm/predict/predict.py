"""Predictions for known rows, new rows and new levels, from estimates or from draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.design import RandomBlock, Rows
from bayeslmm.errors import MethodError, check_seed
from bayeslmm.fit.covariances import covariance_of
from bayeslmm.fit.predictors import Part, parts_of
from bayeslmm.fit.tables import COLUMNS, half_width, summarise_array
from bayeslmm.gaussian.equations import equations
from bayeslmm.gaussian.posterior import linear_variance
from bayeslmm.gaussian.variances import Variances, lambdas_from_covariances
from bayeslmm.model import Model
from bayeslmm.model.names import group_names
from bayeslmm.predict.linear import linear_draws
from bayeslmm.predict.response import parameter_draws, trials_of
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
    if "posterior" not in tree:
        residual = residual_scale(model, rows) if kind == "response" else None
        blocks = blocks_of(model, rows, groups)
        values = _plug_in(model, tree["estimate"].dataset, rows, blocks, new_levels, residual)
        return pd.DataFrame(values, columns=COLUMNS, index=pd.Index(rows.index))
    ask = _Question(model, tree, new, groups, new_levels, np.random.default_rng(seed))
    draws = ask.answer(rows, kind)
    return _table(model, rows, draws, kind)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of a posterior's draws."""

    model: Model
    tree: xr.DataTree
    new: Any
    groups: list[str]
    new_levels: str
    rng: np.random.Generator

    def answer(self, rows: Rows, kind: str) -> Floats:
        """Draws, shape (chain, draw, row), and (…, category) where there are any."""
        model = self.model
        parts = parts_of(model, self.tree["posterior"].dataset)
        own = [part for part in parts if part.model is model]
        eta = [self._linear(part, rows) for part in own]
        link = np.stack([np.zeros_like(eta[0]), *eta], axis=-1) if _unordered(model) else eta[0]
        if kind == "link":
            return link
        further = {}
        for name, part in zip(model.dpars, parts[len(own) :], strict=True):
            further[name] = self._linear(part, self._rows_of(part.model, rows))
        shape = (eta[0].shape[0], eta[0].shape[1])
        values = parameter_draws(model, self.tree, rows, further, shape, new=kind == "response")
        mu = model.family.location(link, model.link, values)
        trials = trials_of(model, rows)
        if kind == "mean":
            return model.family.mean(mu, values, trials)
        drawn = model.family.simulate(mu, values, self.rng, trials)
        if not model.family.categorical:
            return drawn
        return (drawn[..., None] == np.arange(mu.shape[-1])).astype(np.float64)

    def _linear(self, part: Part, rows: Rows) -> Floats:
        groups = [b.group for b in part.model.design.blocks if b.group in self.groups]
        blocks = blocks_of(part.model, rows, groups)
        return linear_draws(part, self.tree, rows, blocks, self.new_levels, self.rng)

    def _rows_of(self, model: Model, rows: Rows) -> Rows:
        """The same rows through the design of another predictor."""
        if self.new is None:
            return model.design.rows
        groups = [b.group for b in model.design.blocks if b.group in self.groups]
        return rows_of(model, self.new, self.new_levels, groups, None)


def _unordered(model: Model) -> bool:
    return model.family.categorical == "unordered"


def _table(model: Model, rows: Rows, draws: Floats, kind: str) -> pd.DataFrame:
    """The four numbers by row; by row and category where the answer is a probability each."""
    values = summarise_array(draws)
    index = pd.Index(rows.index)
    if values.ndim == 2:
        return pd.DataFrame(values, columns=COLUMNS, index=index)
    categories = pd.Index([str(c) for c in model.design.categories], name="category")
    pairs = pd.MultiIndex.from_product([index, categories[: values.shape[1]]])
    return pd.DataFrame(values.reshape(-1, 4), columns=COLUMNS, index=pairs)


def _check(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise MethodError(f"Unknown {name}={value!r}", allowed=allowed)


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

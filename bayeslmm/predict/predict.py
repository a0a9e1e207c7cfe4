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
from bayeslmm.errors import IdentifiabilityWarning, MethodError, check_seed, warn
from bayeslmm.fit.levels import LEVEL
from bayeslmm.fit.predictors import Part, parts_of
from bayeslmm.fit.tables import COLUMNS, half_width, summarise_array
from bayeslmm.model import Model
from bayeslmm.predict.linear import linear_draws
from bayeslmm.predict.patterns import draw_scaled
from bayeslmm.predict.plug_in import plug_in, plug_in_response
from bayeslmm.predict.residuals import (
    conditionals,
    joined,
    new_residuals,
    residual_points,
    taken,
)
from bayeslmm.predict.response import parameter_draws, trials_of
from bayeslmm.predict.rows import Extras, blocks_of, chosen_groups, residual_scale, rows_of

Floats = NDArray[np.float64]
Blocks = tuple[RandomBlock | None, ...]
NEW_LEVELS = ("error", "draw", "zero")
KINDS = ("mean", "link", "response")
SLACK = 1e-7


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
    level: float = LEVEL,
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
        Rows that are not valid, or lack a column of the model.
    """
    _check("new_levels", new_levels, NEW_LEVELS)
    _check("kind", kind, KINDS)
    check_seed(seed)
    groups = chosen_groups(model, effects)
    rows = rows_of(model, new, new_levels, groups, extras)
    if new is not None:
        _say_not_estimable(model, tree, rows)
        _refuse_unrelated(model, rows, new_levels)
    if "posterior" not in tree:
        estimate, blocks = tree["estimate"].dataset, blocks_of(model, rows, groups)
        residual = residual_scale(model, rows) if kind == "response" else None
        if residual is not None and model.residual is not None:
            values = plug_in_response(model, estimate, rows, blocks, new_levels, new, residual)
        else:
            values = plug_in(model, estimate, rows, blocks, new_levels, residual)
        middle, spread = values[:, 0], values[:, 1]
        half = half_width(estimate.attrs, level) * spread
        values = np.column_stack([middle, spread, middle - half, middle + half])
        return pd.DataFrame(values, columns=COLUMNS, index=pd.Index(rows.index))
    ask = _Question(model, tree, new, groups, new_levels, np.random.default_rng(seed))
    draws = ask.answer(rows, kind)
    return _table(model, rows, draws, level)


def _refuse_unrelated(model: Model, rows: Rows, new_levels: str) -> None:
    """Raise an error for new levels of a factor with known relationships."""
    for block in rows.blocks:
        if block.group in model.kin and new_levels == "draw" and np.any(block.codes < 0):
            raise MethodError(
                f"New levels of {block.group!r} are not in relationship=",
                hint="Include them in the matrix when the model is made; levels without rows are "
                "predicted",
            )


def _say_not_estimable(model: Model, tree: xr.DataTree, rows: Rows) -> None:
    """Warn of rows whose fixed part is not estimable, where aliased columns were dropped."""
    fitted = tree["estimate" if "estimate" in tree else "posterior"].dataset
    if not model.aliasing.aliased or fitted.sizes.get("coef", 0) == model.design.p:
        return
    coefs = list(model.design.coefs)
    off = np.zeros(len(rows.X), dtype=bool)
    for name, combination in model.aliasing.aliased.items():
        expected = sum((v * rows.X[:, coefs.index(c)] for c, v in combination.items()), 0.0)
        found = rows.X[:, coefs.index(name)]
        off |= np.abs(found - expected) > SLACK * np.maximum(1.0, np.abs(found))
    if off.any():
        first = rows.index[int(off.argmax())]
        warn(
            f"{int(off.sum())} of {len(off)} rows (the first is {first}) have fixed parts that "
            "are not estimable: their predictions depend on which aliased columns were dropped.",
            IdentifiabilityWarning,
        )


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
        if kind == "response" and model.residual is not None:
            return self._structured(own[0], rows)
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

    def _structured(self, part: Part, rows: Rows) -> Floats:
        """New observations whose residuals go with those of the observed rows of their group."""
        model, rng = self.model, self.rng
        shape = (part.draws.sizes["chain"], part.draws.sizes["draw"])
        size = shape[0] * shape[1]
        sigma, delta = residual_points(model, self.tree, size)
        if self.new is None:
            residual = sigma[:, None] * draw_scaled(model, delta, rng)
            return self._linear(part, rows) + residual.reshape(*shape, -1)
        new = new_residuals(model, self.new, residual_scale(model, rows))
        spread = sigma[:, None] * new.scales(delta)
        if set(self.groups) != {b.group for b in model.design.blocks}:
            drawn = rng.standard_normal(spread.shape) * spread
            return self._linear(part, rows) + drawn.reshape(*shape, -1)
        told = list(conditionals(model, new, delta))
        every = [np.empty(0, dtype=np.intp), *(t.observed for t in told)]
        observed = np.unique(np.concatenate(every))
        both = self._linear(part, joined(rows, taken(model.design.rows, observed)))
        both = both.reshape(size, -1)
        count = len(rows.X)
        left = model.design.y[observed] - both[:, count:]
        mean = both[:, :count]
        for t in told:
            e = left[:, np.searchsorted(observed, t.observed)]
            mean[:, t.new] += np.einsum("smk,sk->sm", t.weights, e)
            spread[:, t.new] *= np.sqrt(t.left)
        return (mean + spread * rng.standard_normal(spread.shape)).reshape(*shape, -1)

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


def _table(model: Model, rows: Rows, draws: Floats, level: float) -> pd.DataFrame:
    """The four numbers by row; by row and category where the answer is a probability each."""
    values = summarise_array(draws, level)
    index = pd.Index(rows.index)
    if values.ndim == 2:
        return pd.DataFrame(values, columns=COLUMNS, index=index)
    categories = pd.Index([str(c) for c in model.design.categories], name="category")
    pairs = pd.MultiIndex.from_product([index, categories[: values.shape[1]]])
    return pd.DataFrame(values.reshape(-1, 4), columns=COLUMNS, index=pairs)


def _check(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise MethodError(f"Unknown {name}={value!r}", allowed=allowed)

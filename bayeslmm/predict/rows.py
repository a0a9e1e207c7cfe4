"""Rows to predict: their design, and the standard deviations of their residuals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslmm.design import RandomBlock, Rows
from bayeslmm.errors import ColumnError, DataError, MethodError, nearest
from bayeslmm.model import Model

Floats = NDArray[np.float64]
Extras = Mapping[str, str | ArrayLike | None]
EXTRAS = ("offset", "weights", "known_sd", "trials")


def chosen_groups(model: Model, effects: str | Sequence[str]) -> list[str]:
    """The grouping factors whose random effects enter.

    Raises
    ------
    MethodError
        Where `effects` can't be read, or names a factor that the model doesn't have.
    """
    groups = [b.group for b in model.design.blocks]
    if isinstance(effects, str) and effects in ("all", "none"):
        return groups if effects == "all" else []
    if not isinstance(effects, Iterable):
        raise MethodError(
            "effects= is not valid",
            got=repr(effects),
            allowed=f"'all', 'none', or a list of {groups}",
        )
    wanted = [effects] if isinstance(effects, str) else list(effects)
    for group in wanted:
        if group not in groups:
            hint = nearest(str(group), ["all", "none", *groups])
            raise MethodError(f"Unknown effects {group!r}", hint=hint)
    return [group for group in groups if group in wanted]


def rows_of(
    model: Model, new: Any, new_levels: str, groups: Sequence[str], extras: Extras | None
) -> Rows:
    """The rows to predict; of new ones, no column of another grouping factor is asked for."""
    given = _given(model, extras)
    if new is not None:
        return model.design.apply(
            new,
            new_levels="error" if new_levels == "error" else "code",
            new_places="code",
            groups=groups,
            extras=given,
        )
    if given:
        raise MethodError(
            "extras= needs new rows, and none are given",
            got=", ".join(given),
            hint="Write fit.predict(new, extras=...)",
        )
    return model.design.rows


def blocks_of(model: Model, rows: Rows, groups: Sequence[str]) -> tuple[RandomBlock | None, ...]:
    """The rows' block of each of the model's grouping factors, None for one left out."""
    found = {block.group: block for block in rows.blocks}
    return tuple(found[b.group] if b.group in groups else None for b in model.design.blocks)


def residual_scale(model: Model, rows: Rows) -> Floats:
    """Residual standard deviation of each row over sigma.

    Raises
    ------
    DataError, ColumnError
        Where the model has weights or known standard deviations, and the rows don't.
    """
    key = "known_sd" if model.sigma_known else "weights"
    if key not in rows.extras:
        if key in model.design.inputs:
            raise _without(model, key)
        return np.ones(len(rows.X))
    values = rows.extras[key]
    if (values < 0).any() or (model.sigma_known and not values.all()):
        raise DataError(
            f"{key} of new rows must be {'positive' if model.sigma_known else 'zero or positive'}",
            got=f"{values.min():g}",
        )
    if model.sigma_known:
        return values
    with np.errstate(divide="ignore"):
        return 1.0 / np.sqrt(values)


def _without(model: Model, key: str) -> DataError:
    what = f"New observations need {key}, and these rows have none"
    other = "or use kind='mean'"
    other += " and add their variance" if key == "known_sd" else ", which needs none"
    column = model.design.schema.sources.get(key)
    if column is None:
        return DataError(
            f"{what}: the model took them from an array",
            hint=f"Give an array, or a column: extras={{{key!r}: ...}}; {other}",
        )
    return ColumnError(
        f"{what}: there is no column {column!r}",
        hint=f"Add the column, or give extras={{{key!r}: ...}}; {other}",
    )


def _given(model: Model, extras: Extras | None) -> dict[str, str | ArrayLike]:
    """The extras that differ from their defaults."""
    if not isinstance(extras, Mapping | None):
        raise MethodError(
            "extras= is not valid",
            got=repr(extras),
            allowed=f"a dict from {', '.join(EXTRAS)} to a column's name or an array",
        )
    given = {key: value for key, value in (extras or {}).items() if value is not None}
    for key in given:
        if key not in EXTRAS:
            raise MethodError(f"Unknown extra {key!r}", hint=nearest(str(key), EXTRAS))
    if "trials" in given and not model.family.takes_trials:
        raise MethodError(f"trials can't be used: family {model.family.name!r} has no trials")
    wrong = "weights" if model.sigma_known else "known_sd"
    if wrong in given:
        has = "known_sd" if model.sigma_known else "an estimated sigma"
        raise MethodError(f"{wrong} can't be used: the model has {has}")
    return given

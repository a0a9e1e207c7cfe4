"""The horizontal axis of pictures of fitted lines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.errors import ColumnError, nearest
from bayeslmm.formula import Formula, columns_of
from bayeslmm.model import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
_STEPS = [1, 2, 3, 5, 10]  # between ticks


@dataclass(frozen=True, slots=True)
class Across:
    """What runs along the panels: numbers at all rows, its name and its axis's label, and ticks of
    a factor."""

    values: Floats
    name: str
    ticks: tuple[str, ...] | None = None
    unit: str = ""

    @property
    def label(self) -> str:
        """What its axis is called."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def half_width(self) -> float:
        """Half the length of a dash, drawn in place of a line if x doesn't vary."""
        spread = float(np.ptp(self.values))
        return 0.3 if self.ticks is not None or spread == 0 else 0.04 * spread


def along(model: Model, index: int, x: str | None) -> Across:
    """The column along the panels of one block: `x`, or the first that varies by the factor,
    or the first there is, or the rows in their order.

    Raises
    ------
    ColumnError
        `x` is not a column of the model.
    """
    frame, block = model.design.frame, model.design.blocks[index]
    if x is None:
        own, free = _covariates(model.design.formula, block.group)
        if not free:
            order = pd.Series(block.codes).groupby(block.codes).cumcount() + 1
            return Across(np.asarray(order, dtype=np.float64), f"row within {block.group}")
        x = (own or free)[0]
    if x not in frame.columns:
        hint = nearest(x, [str(c) for c in frame.columns])
        raise ColumnError(f"The model has no column {x!r}", hint=hint)
    column = frame[x]
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        origin = model.design.columns[x].origin
        unit = "" if origin is None else origin.unit
        return Across(column.to_numpy(dtype=np.float64), x, unit=unit)
    factor = pd.Categorical(column)
    return Across(
        np.asarray(factor.codes, dtype=np.float64), x, tuple(str(c) for c in factor.categories)
    )


def _covariates(formula: Formula, group: str) -> tuple[list[str], list[str]]:
    """Columns that vary by a factor, and those with the fixed effects'."""
    terms = tuple(term for term in formula.random if term.group == group)
    factors = {name for term in terms for name in term.factors}
    alone = replace(formula, response="", offsets=(), random=terms)
    own = columns_of(replace(alone, fixed="1"))
    chosen = [[c for c in columns if c not in factors] for columns in (own, columns_of(alone))]
    return chosen[0], chosen[1]


def set_ticks(ax: Axes, across: Across) -> None:
    """Few enough to be read: a factor's levels, or round numbers."""
    from matplotlib.ticker import MaxNLocator

    ax.yaxis.set_major_locator(MaxNLocator(4, steps=_STEPS))
    if across.ticks is not None:
        ax.set_xlim(-0.5, len(across.ticks) - 0.5)
        ax.set_xticks(range(len(across.ticks)), across.ticks)
    elif np.ptp(across.values) == 0:
        ax.set_xticks(across.values[:1])
    else:
        whole = bool(np.all(across.values == np.round(across.values)))
        ax.xaxis.set_major_locator(MaxNLocator(4, steps=_STEPS, integer=whole))

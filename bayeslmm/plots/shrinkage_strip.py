"""Shrinkage of one coefficient: a row for each level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayeslmm.plots.choice import spread_choice
from bayeslmm.plots.parts import arrows, level_axis
from bayeslmm.plots.style import NO_POOLING, POPULATION, marks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 40


def strip_height(n_levels: int) -> float:
    """Inches that a strip needs."""
    return 1.3 + 0.17 * max(min(n_levels, MOST), 6)


def strip_rows(
    table: pd.DataFrame, coefs: Sequence[str], fits: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """The rows of each coefficient's strip, all in the order of the first one's no pooling."""
    tables = {coef: table[table["coef"] == coef].reset_index(drop=True) for coef in coefs}
    first = tables[coefs[0]]
    key = first["no_pooling"].fillna(first[fits[0]]).to_numpy()
    order = np.argsort(key, kind="stable")
    order = spread_choice(order, MOST, str(first["group"].iloc[0]))
    return {coef: rows.iloc[order] for coef, rows in tables.items()}


def draw_strip(ax: Axes, rows: pd.DataFrame, fits: list[str], most: int) -> None:
    """Draw a table of `shrinkage`, one coefficient of one factor, a row for each level.

    Parameters
    ----------
    ax : Axes
    rows : DataFrame
        Of `strip_rows`.
    fits : list of str
    most : int
        Rows of the longest strip in the picture, so that fits are as far apart in all.
    """
    y = np.arange(len(rows), dtype=np.float64)
    alone, population = rows["no_pooling"].to_numpy(), rows["population"].to_numpy()
    step = 0.3 * max(len(rows), 2) / max(most, 2) if len(fits) > 1 else 0.0
    offsets = step * (np.arange(len(fits)) - (len(fits) - 1) / 2)
    for (name, mark), offset in zip(marks(fits).items(), offsets, strict=True):
        shrunk = rows[name].to_numpy()
        arrows(ax, np.stack([alone, y], 1), np.stack([shrunk, y + offset], 1), mark.colour)
    ax.plot(alone, y, **NO_POOLING)
    for (name, mark), offset in zip(marks(fits).items(), offsets, strict=True):
        ax.plot(rows[name], y + offset, **mark.keywords(3.5), label=name)
    if np.ptp(population) <= 1e-9 * np.abs(population).max():
        ax.axvline(population[0], color=POPULATION, lw=0.9, ls="--", zorder=0, label="population")
    else:
        ax.plot(population, y, "|", color=POPULATION, ms=8, mew=1.3, label="population")
    ax.set_xlabel(str(rows["coef"].iloc[0]))
    ax.locator_params(axis="x", nbins=6)
    level_axis(ax, rows["level"].tolist())

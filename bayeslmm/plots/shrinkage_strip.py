"""Shrinkage of one coefficient: a row for each level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayeslmm.plots.choice import spread_choice
from bayeslmm.plots.parts import arrows, legend_above, level_axis
from bayeslmm.plots.style import NO_POOLING, POPULATION, marks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 60


def strip_height(n_levels: int) -> float:
    """Inches that a strip needs."""
    return 1.3 + 0.17 * max(min(n_levels, MOST), 6)


def draw_strip(ax: Axes, table: pd.DataFrame, coef: str, fits: list[str]) -> None:
    """Draw a table of `shrinkage`, one coefficient of one factor, levels sorted.

    Parameters
    ----------
    ax : Axes
    table : DataFrame
        Of one factor.
    coef : str
    fits : list of str
    """
    rows = table[table["coef"] == coef].reset_index(drop=True)
    group = str(rows["group"].iloc[0])
    key = rows["no_pooling"].fillna(rows[fits[0]]).to_numpy()
    rows = rows.iloc[spread_choice(np.argsort(key, kind="stable"), MOST, group)]
    y = np.arange(len(rows), dtype=np.float64)
    alone, population = rows["no_pooling"].to_numpy(), rows["population"].to_numpy()
    step = 0.3 if len(fits) > 1 else 0.0
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
    ax.set_xlabel(coef)
    level_axis(ax, rows["level"].tolist())
    ax.set_ylabel(group)
    legend_above(ax)

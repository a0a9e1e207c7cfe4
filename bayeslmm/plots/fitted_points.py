"""Picture of data and fitted values in one panel, for levels with a single row each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bayeslmm.model import Model
from bayeslmm.plots.fitted_axis import Across, set_ticks
from bayeslmm.plots.fitted_lines import Line
from bayeslmm.plots.style import DATA

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LETTERS = 75  # of the levels' names beside each other


def draw_points(
    ax: Axes,
    model: Model,
    blocks: list[int],
    levels: NDArray[np.intp],
    lines: list[Line],
    across: Across | None,
) -> None:
    """Draw the only row of each level and its fitted values.

    Parameters
    ----------
    ax : Axes
    model : Model
    blocks : list of int
        The factor, and those whose effects are in the lines.
    levels : ndarray of int
        Positions of those to draw.
    lines : list of Line
    across : Across or None
        What runs along x; the levels by default.
    """
    design, block = model.design, model.design.blocks[blocks[0]]
    row_of = dict(zip(block.codes.tolist(), range(design.n), strict=True))
    levels = levels[[int(level) in row_of for level in levels]]
    rows = np.array([row_of[int(level)] for level in levels], dtype=np.intp)
    x = np.arange(len(rows), dtype=np.float64) if across is None else across.values[rows]
    ax.plot(x, design.y[rows], "o", ms=2.6, mew=0, color=DATA, label="data", zorder=3)
    for line in lines:
        height = np.empty(len(rows))
        for i, (level, row) in enumerate(zip(levels, rows, strict=True)):
            Z = [design.blocks[b].values[[row]] for b in blocks]
            height[i] = line.height(int(level), design.X[[row]], Z)[0] + design.offset[row]
        if line.label == "population" and np.ptp(height) <= 1e-9 * np.abs(height).max():
            ax.axhline(height[0], label=line.label, zorder=0, **line.look)
        else:
            ax.plot(x, height, label=line.label, **line.marker)
    if across is not None:
        set_ticks(ax, across)
        ax.set_xlabel(across.label)
        return
    names = [str(block.levels[level]) for level in levels]
    steep = sum(map(len, names)) + 2 * len(names) > MOST_LETTERS
    ax.set_xticks(x, names, rotation=90 if steep else 0)
    ax.set_xlim(-0.6, len(rows) - 0.4)
    ax.grid(axis="x", color="#e6e6e6", lw=0.5)
    ax.set_axisbelow(True)
    ax.set_xlabel(block.group)

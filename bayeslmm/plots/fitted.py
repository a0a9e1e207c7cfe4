"""Data and fitted lines, a small panel for each level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bayeslmm.compare.fits import (
    Fits,
    HoldsModel,
    block_index,
    named,
    require_model,
    resolved_of,
)
from bayeslmm.design import RandomBlock
from bayeslmm.errors import MethodError
from bayeslmm.model import Model
from bayeslmm.plots.canvas import Canvas, canvas
from bayeslmm.plots.choice import part_of, spread_choice
from bayeslmm.plots.fitted_axis import Across, along, set_ticks
from bayeslmm.plots.fitted_lines import Line, lines_of
from bayeslmm.plots.fitted_points import draw_points
from bayeslmm.plots.style import DATA, house

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayeslmm.plots.canvas import Drawn, Place

Floats = NDArray[np.float64]


def plot_fitted(
    model: HoldsModel,
    fits: Fits,
    *,
    group: str | None = None,
    x: str | None = None,
    ncols: int | None = None,
    max_levels: int = 24,
    ax: Place = None,
    figsize: tuple[float, float] | None = None,
) -> Drawn:
    """Draw each level's data with its own least-squares line, the fits' and the population's.

    Lines join the fitted values at the level's own rows. A fit's line is X beta + Z u with the
    effects of this factor alone; other factors are at their mean of zero. The population's is
    X beta of the first fit. Where every level has a single row, all are in one panel.

    Parameters
    ----------
    model : Model
    fits : mapping of str to fit, or fit
    group : str, optional
        Grouping factor; the formula's first by default, which is said where there are others.
    x : str, optional
        Column along the panels; by default the first covariate that varies by the factor,
        otherwise the first of the formula; where there is none the rows in their order. Along
        a single panel by default the levels.
    ncols : int, optional
        Panels in a row.
    max_levels : int
        Most levels; of more, evenly spaced ones are drawn.
    ax : Axes, sequence of Axes, Figure or SubFigure, optional
        Where to draw: as many axes as levels are drawn, or a figure that gets the panels; a new
        figure by default.
    figsize : tuple of float, optional
        Width and height of a new figure in inches.

    Returns
    -------
    Axes or ndarray of Axes
        One for each level that is drawn, or the single panel; ``.figure`` of any of them is the
        figure.

    Raises
    ------
    ColumnError
        `x` is no column of the model.
    MethodError
        An unknown factor; no panels.
    ModelError, FitError
        As in `shrinkage`.

    Warns
    -----
    BayeslmmWarning
        More levels than `max_levels`.
    """
    if max_levels < 1 or (ncols is not None and ncols < 1):
        raise MethodError("max_levels and ncols must be at least 1", got=f"{max_levels}, {ncols}")
    resolved, chosen = resolved_of(model), named(fits)
    require_model(resolved, chosen)
    index = block_index(resolved, group)
    block = resolved.design.blocks[index]
    across = along(resolved, index, x)
    lines = lines_of(resolved, chosen, index)
    levels = spread_choice(np.arange(block.n_levels), max_levels, block.group)
    known = [b.group for b in resolved.design.blocks]
    note = part_of([block.group], known) if group is None else ""
    with house():
        if np.bincount(block.codes).max() == 1:
            area = canvas(3.2, ax=ax, figsize=figsize)
            shown = None if x is None else across
            draw_points(area.axes[0], block, levels, resolved.design.y, lines, shown)
            area.label(y=resolved.design.formula.response)
        else:
            columns = min(ncols or _columns(len(levels)), len(levels))
            height = 1.1 + max(1.15 * -(-len(levels) // columns), 2.0)
            shared = {"sharex": True, "sharey": True}
            area = canvas(height, len(levels), columns, ax=ax, figsize=figsize, **shared)
            _panels(area, resolved, block, levels, across, lines)
            area.label(across.name, resolved.design.formula.response)
        area.legend(note)
    return area.drawn


def _panels(
    area: Canvas,
    model: Model,
    block: RandomBlock,
    levels: NDArray[np.intp],
    across: Across,
    lines: list[Line],
) -> None:
    for level, each in zip(levels, area.axes, strict=True):
        rows = np.flatnonzero(block.codes == level)
        _panel(each, rows, model.design.y, across, lines)
        each.set_title(str(block.levels[level]), fontsize=8, pad=2)
    for each in area.axes[-area.columns :]:
        each.tick_params(labelbottom=True)
    for each in area.axes[:1] if area.whole else area.axes:
        set_ticks(each, across)


def _columns(n: int) -> int:
    if n <= 4:
        return n
    return -(-n // 2) if n <= 10 else 4 if n <= 12 else 6


def _panel(ax: Axes, rows: NDArray[np.intp], y: Floats, across: Across, lines: list[Line]) -> None:
    x = across.values
    order = rows[np.argsort(x[rows], kind="stable")]
    ax.plot(x[order], y[order], "o", ms=2.6, mew=0, color=DATA, alpha=0.8, label="data")
    point = np.ptp(x[order]) == 0  # where a line would not be seen
    ends = x[order[0]] + across.half_width() * np.array([-1.0, 1.0])
    for line in lines:
        height = np.repeat(line.height[order[0]], 2) if point else line.height[order]
        ax.plot(ends if point else x[order], height, label=line.label, **line.look)

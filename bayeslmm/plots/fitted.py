"""Picture of data and fitted lines, with a panel for each level."""

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
from bayeslmm.errors import MethodError
from bayeslmm.model import Model
from bayeslmm.plots.canvas import Canvas, canvas
from bayeslmm.plots.choice import joined, part_of, share_of, spread_choice
from bayeslmm.plots.fitted_axis import Across, along, set_ticks
from bayeslmm.plots.fitted_grid import Grid, level_grid
from bayeslmm.plots.fitted_lines import Line, lines_of, outer_factors
from bayeslmm.plots.fitted_points import draw_points
from bayeslmm.plots.style import DATA, house

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayeslmm.plots.canvas import Drawn, Place

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


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
    """Draw each level's data with the lines of no pooling, the fits and the population.

    A fit's line is X beta + Z u with the effects of this factor and of factors that are constant
    within its levels (for example, the block of a plot); the effects of all other factors are
    zero. The population line is that of the first fit without the effects of this factor, and
    the line without pooling has the unshrunk effects of `shrinkage` instead. Covariates other
    than x that vary within a level are averaged over its rows, the same at every x. The legend
    states these choices. If every level has a single row, all are drawn in one panel.

    Parameters
    ----------
    model : Model
    fits : mapping of str to fit, or fit
    group : str, optional
        Grouping factor; by default the first in the formula.
    x : str, optional
        Column on the horizontal axis; by default the first covariate with a random slope for the
        factor, otherwise the first covariate of the formula, otherwise the order of the rows. In
        a single panel the default is the levels.
    ncols : int, optional
        Panels in a row.
    max_levels : int
        Largest number of levels drawn; of more levels, evenly spaced ones are drawn.
    ax : Axes, sequence of Axes, Figure or SubFigure, optional
        Where to draw: as many axes as levels are drawn, or a figure that gets the panels; a new
        figure by default.
    figsize : tuple of float, optional
        Width and height of a new figure in inches.

    Returns
    -------
    Axes or ndarray of Axes
        One for each level that is drawn, or the single panel. Their attribute ``.figure`` is the
        figure.

    Raises
    ------
    ColumnError
        `x` is not a column of the model.
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
        raise MethodError("max_levels and ncols must be 1 or more", got=f"{max_levels}, {ncols}")
    resolved, chosen = resolved_of(model), named(fits)
    require_model(resolved, chosen)
    index = block_index(resolved, group)
    blocks = resolved.design.blocks
    block = blocks[index]
    across, outer = along(resolved, index, x), outer_factors(resolved, index)
    levels = spread_choice(np.arange(block.n_levels), max_levels, block.group)
    lines = lines_of(resolved, chosen, index, outer, levels)
    single = np.bincount(block.codes, minlength=block.n_levels).max() == 1
    grids = [] if single else _grids(resolved, levels, across, [index, *outer])
    note = joined(
        part_of([block.group], [b.group for b in blocks]) if group is None else "",
        share_of(len(levels), block.group, block.n_levels),
        _named("with the effects of", [blocks[i].group for i in outer]),
        _named("averaged over", sorted({name for grid in grids for name in grid.averaged})),
    )
    with house():
        if single:
            area = canvas(3.2, ax=ax, figsize=figsize)
            shown = None if x is None else across
            draw_points(area.axes[0], resolved, [index, *outer], levels, lines, shown)
            area.label(y=resolved.design.formula.response)
        else:
            columns = min(ncols or _columns([str(block.levels[j]) for j in levels]), len(levels))
            height = 1.1 + max(1.15 * -(-len(levels) // columns), 2.0)
            shared = {"sharex": True, "sharey": True}
            area = canvas(height, len(levels), columns, ax=ax, figsize=figsize, **shared)
            for level, grid, each in zip(levels, grids, area.axes, strict=True):
                rows = np.flatnonzero(block.codes == level)
                _panel(each, resolved.design.y, rows, across, grid, int(level), lines)
                each.set_title(str(block.levels[level]), fontsize=8, pad=2)
            _ticks(area, across)
            area.label(across.label, resolved.design.formula.response)
        area.legend(note)
    return area.drawn


def _named(what: str, names: list[str]) -> str:
    return f"{what} {', '.join(names)}" if names else ""


def _grids(model: Model, levels: Codes, across: Across, blocks: list[int]) -> list[Grid]:
    codes = model.design.blocks[blocks[0]].codes
    return [
        level_grid(model.design, np.flatnonzero(codes == level), across, blocks) for level in levels
    ]


def _ticks(area: Canvas, across: Across) -> None:
    for each in area.axes[-area.columns :]:
        each.tick_params(labelbottom=True)
    for each in area.axes[:1] if area.whole else area.axes:
        set_ticks(each, across)


def _columns(titles: list[str]) -> int:
    n = len(titles)
    most = 6 if max(map(len, titles)) <= 13 else 4
    if n <= 4:
        return n
    return min(-(-n // 2) if n <= 10 else 4 if n <= 12 else 6, most)


def _panel(
    ax: Axes,
    y: Floats,
    rows: Codes,
    across: Across,
    grid: Grid,
    level: int,
    lines: list[Line],
) -> None:
    ax.plot(across.values[rows], y[rows], "o", ms=2.6, mew=0, color=DATA, alpha=0.8, label="data")
    for line in lines:
        x, height = grid.x, line.height(level, grid.X, grid.Z) + grid.offset
        if len(x) == 1:  # where a line would not be seen
            x, height = x + across.half_width() * np.array([-1.0, 1.0]), np.repeat(height, 2)
        ax.plot(x, height, label=line.label, **line.look)

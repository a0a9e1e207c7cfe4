"""Data and fitted lines, a small panel for each level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from bayeslmm.plots.choice import part_of, spread_choice
from bayeslmm.plots.fitted_axis import Across, along, set_ticks
from bayeslmm.plots.fitted_lines import Line, lines_of
from bayeslmm.plots.fitted_points import draw_points
from bayeslmm.plots.style import DATA, canvas, finish, house

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


def plot_fitted(
    model: HoldsModel,
    fits: Fits,
    *,
    group: str | None = None,
    x: str | None = None,
    ncols: int | None = None,
    max_levels: int = 24,
) -> Figure:
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

    Returns
    -------
    Figure

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
            figure, axes = canvas(3.2)
            shown = None if x is None else across
            draw_points(axes[0, 0], block, levels, resolved.design.y, lines, shown)
        else:
            columns = min(ncols or _columns(len(levels)), len(levels))
            figure, axes = _panels(resolved, block, levels, columns, across, lines)
        figure.supylabel(resolved.design.formula.response, fontsize=9)
        look = {"title": note or None, "title_fontsize": 9.5}
        handles = axes.flat[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncols=5, **look)
    return finish(figure)


def _panels(
    model: Model,
    block: RandomBlock,
    levels: NDArray[np.intp],
    columns: int,
    across: Across,
    lines: list[Line],
) -> tuple[Figure, Any]:
    n_rows = -(-len(levels) // columns)
    height = 1.1 + max(1.15 * n_rows, 2.0)
    figure, axes = canvas(height, n_rows, columns, sharex=True, sharey=True)
    for level, ax in zip(levels, axes.flat, strict=False):
        rows = np.flatnonzero(block.codes == level)
        _panel(ax, rows, model.design.y, across, lines)
        ax.set_title(str(block.levels[level]), fontsize=8, pad=2)
    _trim(axes, len(levels), across)
    figure.supxlabel(across.name, fontsize=9)
    return figure, axes


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


def _trim(axes: Any, used: int, across: Across) -> None:
    """Take empty panels away, and keep the ticks few enough to be read."""
    for ax in axes.flat[used:]:
        ax.remove()
    for ax in axes.flat[max(used - axes.shape[1], 0) : used]:
        ax.tick_params(labelbottom=True)
    set_ticks(axes.flat[0], across)

"""Data and fitted lines, a small panel for each level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.compare.fits import (
    Fits,
    HoldsFit,
    HoldsModel,
    beta_of,
    block_index,
    named,
    require_model,
    resolved_of,
    u_of,
)
from bayeslmm.compare.pooling import no_pooling
from bayeslmm.errors import MethodError
from bayeslmm.model import Model
from bayeslmm.plots.choice import spread_choice
from bayeslmm.plots.fitted_axis import Across, along, set_ticks
from bayeslmm.plots.style import DATA, POPULATION, canvas, finish, house, marks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of every panel: its height at all rows of the data, and its look."""

    label: str
    height: Floats
    look: dict[str, Any]


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
    X beta of the first fit.

    Parameters
    ----------
    model : Model
    fits : mapping of str to fit, or fit
    group : str, optional
        Grouping factor; the formula's first by default.
    x : str, optional
        Column along the panels; by default the first covariate that varies by the factor,
        otherwise the first of the formula; where there is none the rows in their order.
    ncols : int, optional
        Panels in a row.
    max_levels : int
        Most panels; of more levels, evenly spaced ones are drawn.

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
        More levels than panels.
    """
    if max_levels < 1 or (ncols is not None and ncols < 1):
        raise MethodError("max_levels and ncols must be at least 1", got=f"{max_levels}, {ncols}")
    resolved, chosen = resolved_of(model), named(fits)
    require_model(resolved, chosen)
    index = block_index(resolved, group)
    block = resolved.design.blocks[index]
    across = along(resolved, index, x)
    lines = _lines(resolved, chosen, index)
    levels = spread_choice(np.arange(block.n_levels), max_levels, block.group)
    columns = min(ncols or _columns(len(levels)), len(levels))
    n_rows = -(-len(levels) // columns)
    with house():
        height = 1.1 + max(1.15 * n_rows, 2.0)
        figure, axes = canvas(height, n_rows, columns, sharex=True, sharey=True)
        for level, ax in zip(levels, axes.flat, strict=False):
            rows = np.flatnonzero(block.codes == level)
            _panel(ax, rows, resolved.design.y, across.values, lines)
            ax.set_title(str(block.levels[level]), fontsize=8, pad=2)
        _trim(axes, len(levels), across)
        figure.supxlabel(across.name, fontsize=9)
        figure.supylabel(resolved.design.formula.response, fontsize=9)
        handles, labels = axes.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=5)
    return finish(figure)


def _lines(model: Model, fits: dict[str, HoldsFit], index: int) -> list[Line]:
    design, block = model.design, model.design.blocks[index]
    alone = np.sum(no_pooling(model, index)[block.codes] * block.values, axis=1) + design.offset
    fixed = {name: design.X @ beta_of(fit) + design.offset for name, fit in fits.items()}
    dotted, dashed = {"lw": 1.0, "ls": (0, (1, 1))}, {"lw": 0.9, "ls": "--"}
    out = [
        Line("no pooling", alone, {"color": DATA, **dotted}),
        Line("population", next(iter(fixed.values())), {"color": POPULATION, **dashed}),
    ]
    for name, mark in marks(list(fits)).items():
        own = np.sum(u_of(fits[name], index)[block.codes] * block.values, axis=1)
        look = {"color": mark.colour, "lw": 1.4, "ls": mark.dash}
        out.append(Line(name, fixed[name] + own, look))
    return out


def _columns(n: int) -> int:
    if n <= 4:
        return n
    return -(-n // 2) if n <= 10 else 4 if n <= 12 else 6


def _panel(ax: Axes, rows: NDArray[np.intp], y: Floats, x: Floats, lines: list[Line]) -> None:
    order = rows[np.argsort(x[rows], kind="stable")]
    ax.plot(x[order], y[order], "o", ms=2.6, mew=0, color=DATA, alpha=0.8, label="data")
    point = np.ptp(x[order]) == 0  # where a line would not be seen
    order = order[:1] if point else order
    for i, line in enumerate(lines):
        dash: dict[str, Any] = {"marker": "_", "ms": 26 - 5 * min(i, 4)} if point else {}
        ax.plot(x[order], line.height[order], label=line.label, **line.look, **dash)


def _trim(axes: Any, used: int, across: Across) -> None:
    """Take empty panels away, and keep the ticks few enough to be read."""
    for ax in axes.flat[used:]:
        ax.remove()
    for ax in axes.flat[max(used - axes.shape[1], 0) : used]:
        ax.tick_params(labelbottom=True)
    set_ticks(axes.flat[0], across)

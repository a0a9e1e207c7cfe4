"""Caterpillar plot: random effects with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayeslmm.compare.fits import HoldsFit, block_index
from bayeslmm.errors import FitError
from bayeslmm.fit.levels import LEVEL, check_level, percent
from bayeslmm.model import Model
from bayeslmm.plots.canvas import canvas, is_axes
from bayeslmm.plots.choice import chosen_coefs, joined, part_of, share_of, spread_choice
from bayeslmm.plots.parts import level_axis
from bayeslmm.plots.style import COLOURS, PALE, house

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayeslmm.plots.canvas import Drawn, Place

NAMED = 40  # levels that are named; of more all are drawn, without names
MOST = 3_000
MOST_PANELS = 6


def plot_ranef(
    fit: HoldsFit,
    *,
    group: str | None = None,
    coefs: str | Sequence[str] | None = None,
    level: float = LEVEL,
    ax: Place = None,
    figsize: tuple[float, float] | None = None,
) -> Drawn:
    """Draw the random effects with their intervals.

    There is a panel for each factor and coefficient. The levels of a factor are sorted by its
    first coefficient, so that a row is the same level in all its panels. The title names what is
    left out by default.

    Parameters
    ----------
    fit : Fit
    group : str, optional
        Grouping factor. By default all that fit in six panels, or the first in the formula if
        `coefs` is given.
    coefs : str or sequence of str, optional
        Coefficients to draw; by default all, up to six, or the first if `ax` is one Axes.
    level : float
        Probability of the intervals, stated in the label of the axis.
    ax : Axes, sequence of Axes, Figure or SubFigure, optional
        Where to draw: as many axes as panels, or a figure that gets the panels; a new figure by
        default.
    figsize : tuple of float, optional
        Width and height of a new figure in inches.

    Returns
    -------
    Axes or ndarray of Axes
        One for each panel. Their attribute ``.figure`` is the figure.

    Raises
    ------
    MethodError
        An unknown factor or coefficient; a level that is not between 0 and 1.

    Warns
    -----
    BayeslmmWarning
        Only some of the levels are drawn; the message states which.
    """
    if not isinstance(fit, HoldsFit):
        raise FitError("The first argument must be one fit", got=type(fit).__name__)
    parts, note = _parts(fit.resolved, group, coefs, one=is_axes(ax))
    table = fit.ranef(level=check_level(level))
    tables = [_sorted(table, factor, names) for factor, names in parts]
    n_rows = max(len(rows) for factor in tables for rows in factor.values())
    height = 1.0 + 0.16 * min(max(n_rows, 8), NAMED)
    with house():
        area = canvas(height, sum(map(len, tables)), ax=ax, figsize=figsize)
        if area.whole:
            _share(list(area.axes), tables)
        remaining = iter(area.axes)
        for (factor, _), panels in zip(parts, tables, strict=True):
            for i, (name, rows) in enumerate(panels.items()):
                each = next(remaining)
                _panel(each, rows, name)
                each.tick_params(labelleft=i == 0 or not area.whole)
                each.set_ylabel(factor if i == 0 or not area.whole else "")
        unnamed = [factor for (factor, _), rows in zip(parts, tables, strict=True) if _many(rows)]
        names = f"too many levels of {', '.join(unnamed)} to be labelled" if unnamed else ""
        note = joined(note, names, *_shares(fit.resolved, parts))
        area.label(f"random effect with its {percent(level)} interval ({fit.method})", title=note)
    return area.drawn


def _many(panels: dict[str, pd.DataFrame]) -> bool:
    return any(len(rows) > NAMED for rows in panels.values())


def _shares(model: Model, parts: list[tuple[str, list[str]]]) -> list[str]:
    sizes = {b.group: b.n_levels for b in model.design.blocks}
    return [share_of(min(sizes[name], MOST), name, sizes[name]) for name, _ in parts]


def _parts(
    model: Model, group: str | None, coefs: str | Sequence[str] | None, *, one: bool
) -> tuple[list[tuple[str, list[str]]], str]:
    """Factors with their coefficients to draw, and what is left out."""
    blocks, first = model.design.blocks, block_index(model, group)
    block = blocks[first]
    most = 1 if one else MOST_PANELS
    names = [block.coefs[i] for i in chosen_coefs(coefs, block.coefs, most)]
    parts = [(block.group, names)]
    if group is None and coefs is None and not one:
        ends = np.cumsum([b.n_coefs for b in blocks])
        more = [b for b, end in zip(blocks, ends, strict=True) if end <= MOST_PANELS][1:]
        parts += [(b.group, list(b.coefs)) for b in more]
    notes = []
    if group is None:
        notes.append(part_of([name for name, _ in parts], [b.group for b in blocks]))
    if coefs is None:
        notes.append(part_of(names, block.coefs))
    return parts, "; ".join(note for note in notes if note)


def _sorted(table: pd.DataFrame, factor: str, names: list[str]) -> dict[str, pd.DataFrame]:
    """The rows of each coefficient's panel, all in the order of the first one's estimates."""
    own = table[table["group"] == factor]
    rows = {name: own[own["coef"] == name].reset_index(drop=True) for name in names}
    order = np.argsort(rows[names[0]]["estimate"].to_numpy(), kind="stable")
    order = spread_choice(order, MOST, factor)
    return {name: part.iloc[order] for name, part in rows.items()}


def _share(axes: list[Axes], tables: list[dict[str, pd.DataFrame]]) -> None:
    """One y for a factor's panels, and one x for a coefficient that several factors have."""
    first_of: dict[str, Axes] = {}
    start = 0
    for panels in tables:
        own = axes[start : start + len(panels)]
        for name, ax in zip(panels, own, strict=True):
            if ax is not own[0]:
                ax.sharey(own[0])
            if name in first_of:
                ax.sharex(first_of[name])
            first_of.setdefault(name, ax)
        start += len(panels)


def _panel(ax: Axes, rows: pd.DataFrame, name: str) -> None:
    y = np.arange(len(rows))
    ax.axvline(0.0, color="black", lw=0.8, ls="--", zorder=0)
    named = len(rows) <= NAMED
    thin = min(1.1, 120.0 / len(rows))
    ax.hlines(
        y, rows["lower"], rows["upper"], color=COLOURS[0] if named else PALE, lw=max(thin, 0.3)
    )
    ax.plot(rows["estimate"], y, "o", color=COLOURS[0], ms=3.5 if named else 1.6)
    if named:
        level_axis(ax, rows["level"].tolist())
    else:
        ax.set_yticks([])
        ax.set_ylim(-1, len(rows))
    ax.locator_params(axis="x", nbins=5)
    ax.set_title(name)

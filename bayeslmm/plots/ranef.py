"""Random effects with their intervals: the caterpillar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayeslmm.compare.fits import HoldsFit, block_index
from bayeslmm.errors import FitError
from bayeslmm.model import Model
from bayeslmm.plots.choice import chosen_coefs, part_of, spread_choice
from bayeslmm.plots.parts import level_axis
from bayeslmm.plots.style import COLOURS, canvas, finish, house

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 80
MOST_PANELS = 6


def plot_ranef(
    fit: HoldsFit,
    *,
    group: str | None = None,
    coefs: str | Sequence[str] | None = None,
) -> Figure:
    """Draw the random effects with their 95 % intervals.

    A panel for each factor and coefficient; a factor's levels are sorted by the first of its
    coefficients, so that a row is one level in all its panels. What is left out unasked is said
    in the title.

    Parameters
    ----------
    fit : Fit
    group : str, optional
        Grouping factor. By default all, as far as six panels reach, or the formula's first
        where `coefs` are named.
    coefs : str or sequence of str, optional
        Some of its coefficients; by default all, up to six.

    Returns
    -------
    Figure

    Raises
    ------
    MethodError
        An unknown factor or coefficient.

    Warns
    -----
    BayeslmmWarning
        More levels than can be drawn: which of them are.
    """
    if not isinstance(fit, HoldsFit):
        raise FitError("The first argument must be one fit", got=type(fit).__name__)
    parts, note = _parts(fit.resolved, group, coefs)
    tables = [_sorted(fit.ranef(), factor, names) for factor, names in parts]
    n_rows = max(len(rows) for factor in tables for rows in factor.values())
    with house():
        height = 1.0 + 0.16 * max(n_rows, 8)
        figure, axes = canvas(height, 1, sum(map(len, tables)))
        _share(list(axes[0]), tables)
        remaining = iter(axes[0])
        for (factor, _), panels in zip(parts, tables, strict=True):
            for i, (name, rows) in enumerate(panels.items()):
                ax = next(remaining)
                _panel(ax, rows, name)
                ax.tick_params(labelleft=i == 0)
                ax.set_ylabel(factor if i == 0 else "")
        if note:
            figure.suptitle(note, fontsize=9.5)
        figure.supxlabel(f"random effect with its 95 % interval ({fit.method})", fontsize=9)
    return finish(figure)


def _parts(
    model: Model, group: str | None, coefs: str | Sequence[str] | None
) -> tuple[list[tuple[str, list[str]]], str]:
    """Factors with their coefficients to draw, and what is left out."""
    blocks, first = model.design.blocks, block_index(model, group)
    block = blocks[first]
    names = [block.coefs[i] for i in chosen_coefs(coefs, block.coefs, MOST_PANELS)]
    parts = [(block.group, names)]
    if group is None and coefs is None:
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
    ax.hlines(y, rows["lower"], rows["upper"], color=COLOURS[0], lw=1.1)
    ax.plot(rows["estimate"], y, "o", color=COLOURS[0], ms=3.5)
    level_axis(ax, rows["level"].tolist())
    ax.locator_params(axis="x", nbins=5)
    ax.set_title(name)

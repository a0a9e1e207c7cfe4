"""Picture of shrinkage: estimates without pooling, and the estimates of the fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from bayeslmm.compare import shrinkage
from bayeslmm.compare.fits import Fits, HoldsModel, block_index, named, resolved_of
from bayeslmm.errors import MethodError
from bayeslmm.model import Model
from bayeslmm.plots.canvas import Canvas, canvas, is_axes
from bayeslmm.plots.choice import chosen_coefs, joined, part_of, share_of
from bayeslmm.plots.shrinkage_plane import MOST as PLANE_LEVELS
from bayeslmm.plots.shrinkage_plane import draw_plane, population_ellipse
from bayeslmm.plots.shrinkage_strip import MOST as STRIP_LEVELS
from bayeslmm.plots.shrinkage_strip import draw_strip, strip_height, strip_rows
from bayeslmm.plots.style import house

if TYPE_CHECKING:
    from bayeslmm.plots.canvas import Drawn, Place

MOST_PANELS = 6
MOST_FACTORS = 3  # side by side


def plot_shrinkage(
    model: HoldsModel,
    fits: Fits,
    *,
    group: str | None = None,
    coefs: str | Sequence[str] | None = None,
    ellipses: bool = False,
    ax: Place = None,
    figsize: tuple[float, float] | None = None,
) -> Drawn:
    """Draw every level's no-pooling estimate, with arrows to the shrunken estimates of the fits.

    Two coefficients are drawn in their plane; otherwise there is a strip for each coefficient,
    with the levels sorted by their no-pooling estimate of the first one. Population values are
    black. The numbers are those of `shrinkage`. The legend names what is left out by default.

    Parameters
    ----------
    model : Model
    fits : mapping of str to fit, or fit
    group : str, optional
        Grouping factor. By default all side by side, up to three, if each has a single
        coefficient; otherwise the first in the formula.
    coefs : str or sequence of str, optional
        Coefficients to draw; by default all, up to six, or two with `ellipses` or if `ax` is
        one Axes.
    ellipses : bool
        In a plane, draw the ellipses that contain 50 % and 95 % of the population of levels
        under the first fit.
    ax : Axes, sequence of Axes, Figure or SubFigure, optional
        Where to draw: as many axes as panels, or a figure that gets the panels; a new figure by
        default.
    figsize : tuple of float, optional
        Width and height of a new figure in inches.

    Returns
    -------
    Axes or ndarray of Axes
        The plane, or an array of several strips. Their attribute ``.figure`` is the figure.

    Raises
    ------
    MethodError
        An unknown factor or coefficient.
    ModelError, FitError
        As in `shrinkage`.

    Warns
    -----
    BayeslmmWarning
        Only some of the levels are drawn; the message states which.
    """
    resolved, chosen = resolved_of(model), named(fits)
    parts, note = _parts(resolved, group, coefs, one=is_axes(ax) or ellipses)
    index, names = parts[0]
    if ellipses and len(names) != 2:
        raise MethodError(
            "ellipses=True needs two coefficients",
            got=", ".join(names),
            hint="Name two with coefs=[...], or leave ellipses out",
        )
    blocks = resolved.design.blocks
    tables = [shrinkage(model, chosen, group=blocks[i].group) for i, _ in parts]
    with house():
        if len(names) == 2:
            area = canvas(4.6, ax=ax, figsize=figsize)
            rings = population_ellipse(resolved, chosen, index, names) if ellipses else None
            draw_plane(area.axes[0], tables[0], names, list(chosen), rings)
        else:
            strips = [
                strip_rows(t, c, list(chosen)) for t, (_, c) in zip(tables, parts, strict=True)
            ]
            area = _strips(ax, figsize, strips, list(chosen))
        most = PLANE_LEVELS if len(names) == 2 else STRIP_LEVELS
        counts = [
            share_of(min(blocks[i].n_levels, most), blocks[i].group, blocks[i].n_levels)
            for i, _ in parts
        ]
        counts += [_without_estimate(t, names) for t, (_, names) in zip(tables, parts, strict=True)]
        area.legend(joined(note, *counts))
    return area.drawn


def _without_estimate(table: pd.DataFrame, coefs: list[str]) -> str:
    """Levels that lack an estimate without pooling of some coefficient that is drawn."""
    rows = table[table["coef"].isin(coefs) & table["no_pooling"].isna()]
    count, group = rows["level"].nunique(), str(table["group"].iloc[0])
    return f"no-pooling estimates do not exist for {count} levels of {group}" if count else ""


def _parts(
    model: Model, group: str | None, coefs: str | Sequence[str] | None, *, one: bool
) -> tuple[list[tuple[int, list[str]]], str]:
    """Factors with their coefficients to draw, on one axes or not, and what is left out."""
    blocks, first = model.design.blocks, block_index(model, group)
    single = all(block.n_coefs == 1 for block in blocks)
    chosen = [first]
    if group is None and coefs is None and single and not one:
        chosen = list(range(min(len(blocks), MOST_FACTORS)))
    most = 2 if one else MOST_PANELS
    parts = []
    for i in chosen:
        known = blocks[i].coefs
        parts.append((i, [known[c] for c in chosen_coefs(coefs, known, most)]))
    notes = []
    if group is None:
        notes.append(part_of([blocks[i].group for i in chosen], [b.group for b in blocks]))
    if coefs is None:
        notes.append(part_of(parts[0][1], blocks[first].coefs))
    return parts, "; ".join(note for note in notes if note)


def _strips(
    ax: Place,
    figsize: tuple[float, float] | None,
    factors: list[dict[str, pd.DataFrame]],
    fits: list[str],
) -> Canvas:
    """Strips side by side: of one factor's coefficients, or of several factors."""
    panels = [rows for factor in factors for rows in factor.values()]
    most = max(map(len, panels))
    same = len({coef for factor in factors for coef in factor}) == 1
    shared = {"sharey": len(factors) == 1, "sharex": same}
    area = canvas(strip_height(most), len(panels), ax=ax, figsize=figsize, **shared)
    for panel, rows in zip(area.axes, panels, strict=True):
        draw_strip(panel, rows, fits, most)
        if panel is area.axes[0] or len(factors) > 1 or not area.whole:
            panel.set_ylabel(str(rows["group"].iloc[0]))
    return area

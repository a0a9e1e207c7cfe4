"""Where each level's estimate would stand alone, and where the fits put it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayeslmm.compare import shrinkage
from bayeslmm.compare.fits import Fits, HoldsModel, block_index, named, resolved_of
from bayeslmm.errors import MethodError
from bayeslmm.model import Model
from bayeslmm.plots.choice import chosen_coefs, part_of
from bayeslmm.plots.parts import legend_above
from bayeslmm.plots.shrinkage_plane import draw_plane, population_ellipse
from bayeslmm.plots.shrinkage_strip import draw_strip, strip_height, strip_rows
from bayeslmm.plots.style import canvas, finish, house

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 6
MOST_FACTORS = 3  # side by side


def plot_shrinkage(
    model: HoldsModel,
    fits: Fits,
    *,
    group: str | None = None,
    coefs: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    ellipses: bool = False,
) -> Figure:
    """Draw every level's no-pooling estimate, with arrows to where the fits shrink it.

    With two coefficients a plane; otherwise a strip for each coefficient, its levels sorted by
    the first one's no-pooling estimates. What the population says is marked in black. The
    numbers are `shrinkage`'s. What is left out unasked is said over the legend.

    Parameters
    ----------
    model : Model
    fits : mapping of str to fit, or fit
    group : str, optional
        Grouping factor. By default all side by side, up to three, where each has a single
        coefficient; otherwise the formula's first.
    coefs : str or sequence of str, optional
        Some of its coefficients; by default all, up to six, or two with `ax` or `ellipses`.
    ax : Axes, optional
        Where to draw one factor's plane or strip; a new figure by default.
    ellipses : bool
        In a plane, draw where the first fit expects half and 95 % of the population's levels.

    Returns
    -------
    Figure

    Raises
    ------
    MethodError
        An unknown factor or coefficient.
    ModelError, FitError
        As in `shrinkage`.

    Warns
    -----
    BayeslmmWarning
        More levels than can be drawn: which of them are.
    """
    resolved, chosen = resolved_of(model), named(fits)
    parts, note = _parts(resolved, group, coefs, one=ax is not None or ellipses)
    index, names = parts[0]
    if ellipses and len(names) != 2:
        raise MethodError("Ellipses need two coefficients", got=", ".join(names))
    blocks = resolved.design.blocks
    tables = [shrinkage(model, chosen, group=blocks[i].group) for i, _ in parts]
    with house():
        if len(names) == 2:
            axes = [canvas(4.6)[1][0, 0] if ax is None else ax]
            rings = population_ellipse(resolved, chosen, index, names) if ellipses else None
            draw_plane(axes[0], tables[0], names, list(chosen), rings)
        else:
            strips = [
                strip_rows(t, c, list(chosen)) for t, (_, c) in zip(tables, parts, strict=True)
            ]
            axes = _strips(ax, strips, list(chosen))
        legend_above(axes, note)
    figure: Any = axes[0].get_figure(root=True)
    return finish(figure)


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


def _strips(ax: Axes | None, factors: list[dict[str, pd.DataFrame]], fits: list[str]) -> list[Axes]:
    """Strips side by side: of one factor's coefficients, or of several factors."""
    panels = [rows for factor in factors for rows in factor.values()]
    most = max(map(len, panels))
    if ax is None:
        height = strip_height(most)
        same = len({coef for factor in factors for coef in factor}) == 1
        shared = {"sharey": len(factors) == 1, "sharex": same}
        axes = list(canvas(height, 1, len(panels), **shared)[1][0])
    else:
        axes = [ax]
    for panel, rows in zip(axes, panels, strict=True):
        draw_strip(panel, rows, fits, most)
        if panel is axes[0] or len(factors) > 1:
            panel.set_ylabel(str(rows["group"].iloc[0]))
    return axes

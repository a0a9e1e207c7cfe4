"""Random effects with their intervals: the caterpillar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayeslmm.compare.fits import HoldsFit, block_index
from bayeslmm.errors import FitError
from bayeslmm.plots.choice import chosen_coefs, spread_choice
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
    """Draw the random effects of a factor with their 95 % intervals.

    A panel for each coefficient; levels are sorted by the first of them, so that a row is one
    level in all panels.

    Parameters
    ----------
    fit : Fit
    group : str, optional
        Grouping factor; the formula's first by default.
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
    block = fit.resolved.design.blocks[block_index(fit.resolved, group)]
    names = [block.coefs[i] for i in chosen_coefs(coefs, block.coefs, MOST_PANELS)]
    table = fit.ranef()
    table = table[table["group"] == block.group]
    by_coef = {name: table[table["coef"] == name].reset_index(drop=True) for name in names}
    order = np.argsort(by_coef[names[0]]["estimate"].to_numpy(), kind="stable")
    order = spread_choice(order, MOST, block.group)
    with house():
        height = 1.0 + 0.16 * max(len(order), 8)
        figure, axes = canvas(height, 1, len(names), sharey=True)
        for ax, (name, rows) in zip(axes[0], by_coef.items(), strict=True):
            _panel(ax, rows.iloc[order], name)
        axes[0, 0].set_ylabel(block.group)
        figure.supxlabel(f"random effect with its 95 % interval ({fit.method})", fontsize=9)
    return finish(figure)


def _panel(ax: Axes, rows: pd.DataFrame, name: str) -> None:
    y = np.arange(len(rows))
    ax.axvline(0.0, color="black", lw=0.8, ls="--", zorder=0)
    ax.hlines(y, rows["lower"], rows["upper"], color=COLOURS[0], lw=1.1)
    ax.plot(rows["estimate"], y, "o", color=COLOURS[0], ms=3.5)
    level_axis(ax, rows["level"].tolist())
    ax.locator_params(axis="x", nbins=5)
    ax.set_title(name)

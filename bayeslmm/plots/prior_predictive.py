"""Picture of the prior predictive distribution of the response, with the observed data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.errors import FitError
from bayeslmm.plots.canvas import canvas
from bayeslmm.plots.style import COLOURS, house

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayeslmm.plots.canvas import Place

Floats = NDArray[np.float64]
CURVES = 60
SHARE = 0.9  # of the prior's responses, and no more of them, that the axis shows
WIDER = 4.0  # ranges of the observed data on either side of them that it shows at most


def plot_prior_predictive(
    tree: xr.DataTree, *, ax: Place = None, figsize: tuple[float, float] | None = None
) -> Axes:
    """Draw the distribution functions of data sets from the prior and of the observed data.

    Parameters
    ----------
    tree : DataTree
        From `Model.prior_predictive`.
    ax : Axes, Figure or SubFigure, optional
        Where to draw; a new figure by default.
    figsize : tuple of float, optional
        Width and height of a new figure in inches.

    Returns
    -------
    Axes
        The axis covers the observed data and the central 90 % of the prior predictive
        distribution, but at most four ranges of the observed data on either side of them. The
        title gives the proportion outside.

    Raises
    ------
    FitError
        A tree without prior predictive data.
    """
    from matplotlib.ticker import MaxNLocator

    if not isinstance(tree, xr.DataTree) or "prior_predictive" not in tree:
        raise FitError("The first argument must be the result of model.prior_predictive()")
    drawn = tree["prior_predictive"].dataset
    name = str(next(iter(drawn.data_vars)))
    y = drawn[name].values.reshape(-1, drawn.sizes["row"])
    observed = tree["observed_data"].dataset[name].values
    low, high = _range(y, observed)
    outside = float(np.mean((y < low) | (y > high)))
    with house():
        axes = canvas(3.2, ax=ax, figsize=figsize).axes[0]
        for row in y[np.linspace(0, len(y) - 1, min(CURVES, len(y))).astype(int)]:
            _curve(axes, row, low, high, color=COLOURS[5], lw=0.6, alpha=0.5)
        axes.plot([], [], color=COLOURS[5], label="data sets from the prior")
        _curve(axes, observed, low, high, color="black", lw=1.8, label="observed")
        axes.set_xlim(low, high)
        axes.set_ylim(-0.02, 1.02)
        whole = bool(np.all(observed == np.round(observed)))
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=whole))
        axes.set_xlabel(name)
        axes.set_ylabel("cumulative proportion of rows")
        axes.legend(loc="lower right", frameon=True, framealpha=0.8, edgecolor="none")
        if outside > 0.001:
            axes.set_title(
                f"{100 * outside:.2g} % of the responses drawn from the prior are outside this axis"
            )
        _name_categories(axes, drawn[name].attrs.get("categories"))
    return axes


def _range(y: Floats, observed: Floats) -> tuple[float, float]:
    """Where the axis begins and ends."""
    finite, tail = y[np.isfinite(y)], (1 - SHARE) / 2
    low, high = np.quantile(finite, [tail, 1 - tail]) if finite.size else (np.inf, -np.inf)
    least, most = float(observed.min()), float(observed.max())
    reach = WIDER * (most - least) or np.inf
    low = max(min(float(low), least), least - reach)
    high = min(max(float(high), most), most + reach)
    margin = 0.03 * (high - low) or 1.0
    return low - margin, high + margin


def _curve(ax: Axes, values: Floats, low: float, high: float, **look: Any) -> None:
    """The share of values at or below each point of the axis."""
    x = np.sort(values)
    inside = x[(x >= low) & (x <= high)]
    at = np.concatenate([[low], inside, [high]])
    ax.step(at, np.searchsorted(x, at, side="right") / len(x), where="post", **look)


def _name_categories(ax: Axes, names: Sequence[str] | None) -> None:
    if names is not None:
        ax.set_xticks(range(len(names)), names)

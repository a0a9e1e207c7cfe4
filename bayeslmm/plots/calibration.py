"""Picture of a calibration: distribution of the ranks, with a band for uniform ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayeslmm.diagnostics.calibration import Calibration
from bayeslmm.diagnostics.uniform import reference
from bayeslmm.errors import MethodError
from bayeslmm.plots.canvas import canvas
from bayeslmm.plots.style import COLOURS, DATA, house

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayeslmm.plots.canvas import Drawn, Place

KINDS = ("ecdf", "histogram")
COLUMNS, MOST = 3, 24
BINS = 20


def plot_calibration(
    calibration: Calibration,
    *,
    kind: str = "ecdf",
    ax: Place = None,
    figsize: tuple[float, float] | None = None,
) -> Drawn:
    """Draw the ranks of each quantity in a panel, with a 95 % band for uniform ranks.

    Parameters
    ----------
    calibration : Calibration
    kind : {"ecdf", "histogram"}
        The distribution function minus the uniform one, with a simultaneous 95 % band of
        uniform ranks; or counts in twenty bins, with pointwise 95 % bounds.

    Returns
    -------
    Figure

    Raises
    ------
    MethodError
        An object that is not a calibration, or an unknown kind.
    """
    if not isinstance(calibration, Calibration):
        raise MethodError(
            "The first argument must be the result of bl.calibrate",
            got=type(calibration).__name__,
        )
    if kind not in KINDS:
        raise MethodError(f"Unknown kind={kind!r}", allowed=KINDS)
    p = calibration.p_values
    names = list(p.index) if len(p) <= MOST else list(p.sort_values().index[:MOST])
    rows = -(-len(names) // COLUMNS)
    shared = {"sharex": True, "sharey": True}
    with house():
        area = canvas(0.5 + 1.5 * rows, len(names), COLUMNS, ax=ax, figsize=figsize, **shared)
        panel = _ecdf if kind == "ecdf" else _histogram
        for each, name in zip(area.axes, names, strict=True):
            panel(each, calibration, name)
            each.set_title(f"{name}\np = {p[name]:.2g}", fontsize=8)
        left = (
            ""
            if len(names) == len(p)
            else f"; the {len(names)} quantities with smallest p of {len(p)}"
        )
        title = f"{calibration.method!r}: {len(calibration.ranks)} data sets{left}"
        area.label(
            "normalised rank of the true value",
            "ECDF minus uniform ECDF" if kind == "ecdf" else "data sets",
            title if area.whole else "",
        )
    return area.drawn


def _ecdf(ax: Axes, calibration: Calibration, name: str) -> None:
    size, n = calibration.size, len(calibration.ranks)
    share = np.arange(1, size + 1) / (size + 1)
    low, high = reference(n, size).band()
    ax.fill_between(share, low - share, high - share, color=DATA, alpha=0.25, lw=0)
    ranks = np.sort(calibration.ranks[name].to_numpy())
    ecdf = np.searchsorted(ranks, np.arange(size), side="right") / n
    ax.step(share, ecdf - share, color=COLOURS[0], lw=1.1)
    ax.axhline(0.0, color="black", lw=0.6, ls="--")


def _histogram(ax: Axes, calibration: Calibration, name: str) -> None:
    from scipy import stats

    n, size = len(calibration.ranks), calibration.size
    share = (calibration.ranks[name].to_numpy() + 0.5) / (size + 1)
    low, high = stats.binom.ppf([0.025, 0.975], n, 1 / BINS)
    ax.axhspan(low, high, color=DATA, alpha=0.25, lw=0, zorder=0)
    ax.hist(share, bins=BINS, range=(0, 1), color=COLOURS[0], alpha=0.7)
    ax.axhline(n / BINS, color="black", lw=0.6, ls="--")

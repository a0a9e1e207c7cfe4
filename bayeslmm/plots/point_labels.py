"""Names of levels beside their points in a plane, without overlaps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
SIZE = 6.5  # of the letters, in points
GAP = 5.0  # between a point's middle and its name
RADIUS = 3.5  # of a marker
ALONG = np.linspace(0.0, 1.0, 12)  # where an arrow is looked at


def label_points(
    ax: Axes,
    names: NDArray[np.object_],
    alone: Floats,
    ends: Sequence[Floats],
    centres: Floats,
    curves: Floats,
) -> None:
    """Write each level's name beside its no-pooling estimate, best on the side away from its
    arrow. Those that moved furthest come first; a name that finds no free side is left out.

    Parameters
    ----------
    ax : Axes
        With everything else drawn.
    names : ndarray of object, shape (J,)
    alone : ndarray, shape (J, 2)
        No pooling; NaN is passed over.
    ends : sequence of ndarray, each of shape (J, 2)
        Every fit's estimates.
    centres : ndarray, shape (c, 2)
        The population's points.
    curves : ndarray, shape (m, 2)
        Points of other lines that are drawn.
    """
    known = np.isfinite(alone).all(axis=1)
    start, *stops = [_in_points(ax, xy[known]) for xy in (alone, *ends)]
    middle = _in_points(ax, np.concatenate([centres, *[xy[~known] for xy in ends]]))
    taken = _boxes(start, stops, middle, _in_points(ax, curves))
    moved = start - stops[0]
    for j in np.argsort(-np.hypot(*moved.T), kind="stable"):
        name = str(names[known][j])
        size = np.array([0.62 * SIZE * len(name), SIZE])
        for side in _sides(moved[j]):
            centre = start[j] + side * (GAP + size / 2)
            gap = np.abs(centre - taken[:, :2]) - (size + taken[:, 2:]) / 2
            if np.all(gap.max(axis=1) >= 0):
                taken = np.vstack([taken, np.concatenate([centre, size])])
                _write(ax, name, alone[known][j], side)
                break


def _in_points(ax: Axes, xy: Floats) -> Floats:
    """Data to points (1/72 inch) on the page."""
    ax.get_xlim(), ax.get_ylim()  # settles the limits
    figure: Any = ax.get_figure(root=True)
    return np.asarray(ax.transData.transform(xy) * 72 / figure.dpi)


def _boxes(start: Floats, stops: list[Floats], middle: Floats, curves: Floats) -> Floats:
    """Middle and size of everything that a name must not cover, shape (m, 4)."""
    shafts = [start + t * (stop - start) for stop in stops for t in ALONG]
    thick, thin = [start, *stops, middle], [*shafts, curves]
    parts = [(np.concatenate(thick), 2 * RADIUS), (np.concatenate(thin), 1.0)]
    return np.vstack([np.hstack([xy, np.full(xy.shape, size)]) for xy, size in parts])


def _sides(moved: Floats) -> list[NDArray[np.int_]]:
    """The eight sides of a point as signs, those away from its arrow first."""
    around = [np.array([a, b]) for a in (-1, 0, 1) for b in (-1, 0, 1) if (a, b) != (0, 0)]
    return sorted(around, key=lambda side: -float(side @ moved) / float(np.hypot(*side)))


def _write(ax: Axes, name: str, at: Floats, side: NDArray[np.int_]) -> None:
    ax.annotate(
        name,
        (at[0], at[1]),
        xytext=(GAP * side[0], GAP * side[1]),
        textcoords="offset points",
        ha=("center", "left", "right")[side[0]],
        va=("center", "bottom", "top")[side[1]],
        fontsize=SIZE,
        color="#555555",
    )

"""The style of all pictures: colours, sizes, markers and dashes.

Colours are those of Okabe & Ito (2008, "Color Universal Design"), which remain distinct under
every common kind of colour vision; each fit also has a different marker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

WIDTH = 6.5  # inches: a notebook's column, a page's text
DATA = "#666666"
PALE = "#9DB9CC"  # intervals of levels too many to be told apart
POPULATION = "#000000"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "D", "s", "^", "v", "P")
DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)), "-.", (0, (6, 1, 1, 1, 1, 1)), (0, (8, 3)))

_RC = {
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}


@dataclass(frozen=True, slots=True)
class Mark:
    """How one fit looks in every picture."""

    colour: str
    marker: str
    dash: Any
    filled: bool

    def keywords(self, size: float = 4.5) -> dict[str, Any]:
        """For `Axes.plot` without a line. Every second fit is hollow and a little larger, so
        that fits on one spot can both be seen."""
        return {
            "linestyle": "none",
            "marker": self.marker,
            "markersize": size if self.filled else size + 1.5,
            "markeredgecolor": self.colour,
            "markerfacecolor": self.colour if self.filled else "none",
            "markeredgewidth": 1.0,
        }


NO_POOLING: dict[str, Any] = {
    "linestyle": "none",
    "marker": "o",
    "markersize": 4.5,
    "markeredgecolor": DATA,
    "markerfacecolor": "white",
    "markeredgewidth": 0.9,
    "label": "no pooling",
}


NO_POOLING_LINE: dict[str, Any] = {
    "color": "#333333",
    "lw": 1.3,
    "ls": (0, (1, 1.6)),
    "zorder": 3,  # over the fits' lines, which may hide it
}


def marks(names: Sequence[str]) -> dict[str, Mark]:
    """One look for each fit, in their order."""
    size = len(COLOURS)
    return {
        name: Mark(COLOURS[i % size], MARKERS[i % size], DASHES[i % size], i % 2 == 0)
        for i, name in enumerate(names)
    }


@contextmanager
def house() -> Iterator[None]:
    """matplotlib's settings of the house while a picture is drawn; then the user's again.

    Nothing else is put back: the first figure of a session loads the backend, which in a notebook
    sets `interactive`, and without that later figures would not show.
    """
    import matplotlib

    before = {key: matplotlib.rcParams[key] for key in _RC}
    matplotlib.rcParams.update(_RC)
    try:
        yield
    finally:
        matplotlib.rcParams.update(before)

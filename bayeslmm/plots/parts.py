"""Parts that several pictures have: arrows, and a row for each level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]


def arrows(ax: Axes, starts: Floats, ends: Floats, colour: str) -> None:
    """Thin arrows between points of the data, shape (m, 2) each; none where two all but touch."""
    look = {
        "arrowstyle": "-|>,head_length=0.35,head_width=0.14",
        "color": colour,
        "linewidth": 0.7,
        "alpha": 0.55,
        "shrinkA": 2.5,
        "shrinkB": 2.5,
    }
    span: Floats = np.nanmax([starts, ends], axis=(0, 1)) - np.nanmin([starts, ends], axis=(0, 1))
    length = np.hypot(*((ends - starts) / np.where(span > 0, span, 1.0)).T)
    for start, end in zip(starts[length > 0.012], ends[length > 0.012], strict=True):
        ax.annotate("", xy=end, xytext=start, arrowprops=look, annotation_clip=False)


def level_axis(ax: Axes, levels: Sequence[object]) -> None:
    """A row for each level along y."""
    ax.set_yticks(range(len(levels)), [str(level) for level in levels])
    ax.set_ylim(-0.8, len(levels) - 0.2)
    ax.tick_params(axis="y", length=0, labelsize=8 if len(levels) <= 40 else 7)
    ax.grid(axis="y", color="#e6e6e6", lw=0.5)
    ax.set_axisbelow(True)

"""Parts that several pictures have: arrows, a row for each level, the legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

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


def legend_above(axes: Sequence[Axes], note: str = "") -> None:
    """One legend over all axes: no pooling, the fits, then the population; the note over it.

    The axes are one, perhaps the user's, or all of a figure of the house.
    """
    handles, labels = axes[0].get_legend_handles_labels()
    last = {"population": 1}
    order = sorted(range(len(labels)), key=lambda i: last.get(labels[i], 0))
    shown = [handles[i] for i in order], [labels[i] for i in order]
    look: dict[str, Any] = {"ncols": 5, "handletextpad": 0.4, "columnspacing": 1.4}
    look |= {"title": note or None, "title_fontsize": 9.5}
    if len(axes) == 1:
        axes[0].legend(*shown, loc="lower center", bbox_to_anchor=(0.5, 1.0), **look)
    else:
        figure: Any = axes[0].get_figure(root=True)
        figure.legend(*shown, loc="outside upper center", **look)

"""The figure and axes of a picture: new ones of pyplot, or those that the user gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.errors import MethodError
from bayeslmm.plots.style import WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    type Place = Axes | Figure | SubFigure | Sequence[Axes] | NDArray[Any] | None
    type Drawn = Axes | NDArray[Any]


@dataclass(frozen=True, slots=True)
class Canvas:
    """The panels of a picture.

    Attributes
    ----------
    figure : Figure or SubFigure
    axes : tuple of Axes
        One for each panel, by row.
    columns : int
        Panels in a row.
    whole : bool
        Whether titles, labels and the legend belong to the figure; otherwise the axes are the
        user's, and each panel has its title and labels.
    """

    figure: Any
    axes: tuple[Any, ...]
    columns: int
    whole: bool

    @property
    def drawn(self) -> Drawn:
        """What a plot returns: the axes, or an array of them where there are several panels."""
        if len(self.axes) == 1:
            return self.axes[0]
        out = np.empty(len(self.axes), dtype=object)
        out[:] = self.axes
        return out

    def label(self, x: str = "", y: str = "", title: str = "") -> None:
        """Name both axes and the picture: once for all panels, or in each of the user's axes."""
        if self.whole:
            if x:
                self.figure.supxlabel(x, fontsize=9)
            if y:
                self.figure.supylabel(y, fontsize=9)
            if title:
                self.figure.suptitle(title, fontsize=9.5)
            return
        for ax in self.axes:
            ax.set(xlabel=x or ax.get_xlabel(), ylabel=y or ax.get_ylabel())
        if title:
            self.axes[0].set_title(title, loc="left", fontsize=9.5)

    def legend(self, note: str = "", last: str = "population") -> None:
        """Put one legend over all panels, with the note as its title."""
        found: dict[str, Any] = {}
        for ax in self.axes:
            found = dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True)) | found
        names = sorted(found, key=lambda name: name == last)
        look: dict[str, Any] = {"ncols": 5, "handletextpad": 0.5, "columnspacing": 1.4}
        look |= {"title": note or None, "title_fontsize": 8.5}
        handles = [found[name] for name in names], names
        if self.whole and len(self.axes) > 1:
            self.figure.legend(*handles, loc="outside upper center", **look)
        else:
            self.axes[0].legend(*handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), **look)


def is_axes(place: object) -> bool:
    """Whether it is a single Axes."""
    from matplotlib.axes import Axes

    return isinstance(place, Axes)


def canvas(
    height: float,
    panels: int = 1,
    columns: int | None = None,
    *,
    ax: Place = None,
    figsize: tuple[float, float] | None = None,
    **shared: Any,
) -> Canvas:
    """The panels of a picture: in a new figure of pyplot, in a given figure, or given axes.

    Parameters
    ----------
    height : float
        Height of a new figure in inches; the width is that of the style.
    panels : int
    columns : int, optional
        Panels in a row; all of them by default.
    ax : Axes, sequence of Axes, Figure or SubFigure, optional
    figsize : tuple of float, optional
        Width and height of a new figure in inches.
    **shared
        ``sharex`` and ``sharey`` of new axes.

    Raises
    ------
    MethodError
        The number of axes is not that of panels, `ax` is of another type, or both `figsize` and
        `ax` are given.
    """
    from matplotlib import pyplot as plt
    from matplotlib.figure import FigureBase

    if ax is not None and figsize is not None:
        raise MethodError(
            "figsize= and ax= can't be combined: figsize is the size of a new figure",
            hint="Leave figsize out, or resize the figure: ax.figure.set_size_inches(6, 4)",
        )
    columns = min(columns or panels, panels)
    if ax is not None and not isinstance(ax, FigureBase):
        axes = _given(ax, panels)
        return Canvas(axes[0].get_figure(), axes, columns, whole=False)
    rows = -(-panels // columns)
    if ax is None:
        figure: Any = plt.figure(figsize=figsize or (WIDTH, height), layout="constrained")
    else:
        figure = ax
    made = figure.subplots(rows, columns, squeeze=False, **shared).ravel()
    for empty in made[panels:]:
        empty.remove()
    return Canvas(figure, tuple(made[:panels]), columns, whole=True)


def _given(ax: Any, panels: int) -> tuple[Any, ...]:
    """The user's axes, as many as there are panels."""
    found = [ax] if is_axes(ax) else list(np.ravel(np.asarray(ax, dtype=object)))
    wrong = [item for item in found if not is_axes(item)]
    allowed = "an Axes, a sequence of Axes, a Figure or a SubFigure"
    if wrong:
        raise MethodError(
            "ax= is not a place to draw on", got=type(wrong[0]).__name__, allowed=allowed
        )
    if len(found) != panels:
        raise MethodError(
            f"The picture needs {panels} Axes",
            got=f"{len(found)} axes",
            hint=f"Give {panels} axes, or a figure: ax=plt.figure()",
        )
    return tuple(found)

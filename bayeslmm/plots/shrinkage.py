"""Where each level's estimate would stand alone, and where the fits put it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bayeslmm.compare import shrinkage
from bayeslmm.compare.fits import Fits, HoldsModel, block_index, named, resolved_of
from bayeslmm.errors import MethodError
from bayeslmm.plots.choice import chosen_coefs
from bayeslmm.plots.shrinkage_plane import draw_plane, population_ellipse
from bayeslmm.plots.shrinkage_strip import draw_strip, strip_height
from bayeslmm.plots.style import canvas, finish, house

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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

    With two coefficients a plane, with one a strip of levels sorted by their no-pooling
    estimates; what the population says is marked in black. The numbers are `shrinkage`'s.

    Parameters
    ----------
    model : Model
    fits : mapping of str to fit, or fit
    group : str, optional
        Grouping factor; the formula's first by default.
    coefs : str or sequence of str, optional
        One or two of its coefficients; by default the first two.
    ax : Axes, optional
        Where to draw; a new figure by default.
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
    index = block_index(resolved, group)
    block = resolved.design.blocks[index]
    positions = chosen_coefs(coefs, block.coefs, 2)
    if ellipses and len(positions) < 2:
        raise MethodError("Ellipses need two coefficients", got=block.coefs[positions[0]])
    table = shrinkage(model, chosen, group=block.group)
    names = [block.coefs[i] for i in positions]
    with house():
        if ax is None:
            height = 4.6 if len(names) == 2 else strip_height(block.n_levels)
            ax = canvas(height)[1][0, 0]
        if len(names) == 2:
            first = next(iter(chosen))
            rings = population_ellipse(resolved, chosen[first], index, positions)
            draw_plane(ax, table, names, list(chosen), rings if ellipses else None)
        else:
            draw_strip(ax, table, names[0], list(chosen))
    figure: Any = ax.get_figure(root=True)
    return finish(figure)

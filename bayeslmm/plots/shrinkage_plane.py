"""Shrinkage of two coefficients at once, in their plane (after Bates, 2010, lme4, sec. 3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.compare.fits import HoldsFit
from bayeslmm.engines.given import given_variances
from bayeslmm.model import Model
from bayeslmm.plots.choice import spread_choice
from bayeslmm.plots.parts import arrows
from bayeslmm.plots.point_labels import label_points
from bayeslmm.plots.style import DATA, NO_POOLING, POPULATION, marks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
MOST = 150
MOST_LABELS = 30
SHARES = (0.5, 0.95)
SAME_ARROW = 0.05  # of the plane's width: heads of arrows closer than this are one


def draw_plane(
    ax: Axes,
    table: pd.DataFrame,
    coefs: list[str],
    fits: list[str],
    rings: tuple[Floats, ...] | None,
) -> None:
    """Draw a table of `shrinkage` in the plane of two coefficients.

    Parameters
    ----------
    ax : Axes
    table : DataFrame
        Of one factor.
    coefs : list of str
        The coefficients on x and y.
    fits : list of str
    rings : tuple of ndarray, each of shape (points, 2), or None
        Ellipses about zero, drawn around the mean of the population's points.
    """
    group = str(table["group"].iloc[0])
    alone, population = _points(table, coefs, "no_pooling"), _points(table, coefs, "population")
    shrunk = {name: _points(table, coefs, name) for name in fits}
    shown = spread_choice(np.arange(len(alone)), MOST, group)
    _arrows(ax, alone[shown], [shrunk[name][shown] for name in fits])
    ax.plot(*alone[shown].T, **NO_POOLING)
    for name, mark in marks(fits).items():
        ax.plot(*shrunk[name][shown].T, **mark.keywords(), label=name)
    centres = np.unique(population.round(12), axis=0)
    if rings is not None:
        _rings(ax, population.mean(axis=0), rings, fits[0], one=len(centres) == 1)
    size = 13 if len(centres) <= 4 else 6
    ax.plot(*centres.T, "*", color=POPULATION, ms=size, mew=0, zorder=5, label="population")
    ax.set_xlabel(_own(coefs[0], group))
    ax.set_ylabel(_own(coefs[1], group))
    ax.margins(0.08)
    if len(shown) <= MOST_LABELS:
        levels = table.loc[table["coef"] == coefs[0], "level"].to_numpy()
        ends = [shrunk[name][shown] for name in fits]
        curves = np.concatenate(
            [np.empty((0, 2)), *[population.mean(axis=0) + r for r in rings or ()]]
        )
        label_points(ax, levels[shown], alone[shown], ends, centres, curves)


def _own(coef: str, group: str) -> str:
    what = "intercept" if coef == "Intercept" else f"coefficient of {coef}"
    return f"Each {group}'s {what}"


def _arrows(ax: Axes, alone: Floats, ends: list[Floats]) -> None:
    """Grey arrows to the fits; one alone where several would lie on each other."""
    everywhere = np.concatenate([alone, *ends])
    span = np.nanmax(everywhere, axis=0) - np.nanmin(everywhere, axis=0)
    span = np.where(span > 0, span, 1.0)
    for i, end in enumerate(ends):
        near = [np.hypot(*((end - other) / span).T) < SAME_ARROW for other in ends[:i]]
        drawn = ~np.any(near, axis=0) if near else np.ones(len(end), dtype=bool)
        arrows(ax, alone, np.where(drawn[:, None], end, alone), DATA)


def _rings(ax: Axes, centre: Floats, rings: tuple[Floats, ...], fit: str, *, one: bool) -> None:
    """Ellipses of the distribution of levels about their population value, drawn once."""
    where = "" if one else " about their population"
    label: str | None = (
        f"{' and '.join(f'{100 * s:.0f} %' for s in SHARES)} of levels{where}, by {fit}"
    )
    for ring in rings:
        ax.plot(*(centre + ring).T, color="#999999", lw=0.8, zorder=0, label=label)
        label = None


def population_ellipse(
    model: Model, fits: dict[str, HoldsFit], index: int, coefs: list[str]
) -> tuple[Floats, ...]:
    """Contours about zero that hold 50 % and 95 % of N(0, Omega), Omega at the first fit's
    variances.

    In two dimensions the squared radius is chi² on 2 degrees of freedom: -2 log(1 - share).
    """
    at, _ = given_variances(model, next(iter(fits.values())).tree)
    positions = [model.design.blocks[index].coefs.index(name) for name in coefs]
    omega = at.covariances[index][0][np.ix_(positions, positions)]
    values, vectors = np.linalg.eigh(omega)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    angle = np.linspace(0.0, 2 * np.pi, 181)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return tuple(np.sqrt(-2 * np.log1p(-share)) * circle @ root.T for share in SHARES)


def _points(table: pd.DataFrame, coefs: list[str], column: str) -> Floats:
    """One column of the table by level, shape (J, 2)."""
    wide = [table.loc[table["coef"] == name, column].to_numpy(dtype=np.float64) for name in coefs]
    return np.stack(wide, axis=1)

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
from bayeslmm.plots.parts import arrows, legend_above
from bayeslmm.plots.style import NO_POOLING, POPULATION, marks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
MOST = 300
MOST_LABELS = 30
SHARES = (0.5, 0.95)


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
        Ellipses about zero, drawn around every population point.
    """
    group = str(table["group"].iloc[0])
    alone, population = _points(table, coefs, "no_pooling"), _points(table, coefs, "population")
    shrunk = {name: _points(table, coefs, name) for name in fits}
    shown = spread_choice(np.arange(len(alone)), MOST, group)
    for name, mark in marks(fits).items():
        arrows(ax, alone[shown], shrunk[name][shown], mark.colour)
    ax.plot(*alone[shown].T, **NO_POOLING)
    for name, mark in marks(fits).items():
        ax.plot(*shrunk[name][shown].T, **mark.keywords(), label=name)
    centres = np.unique(population.round(12), axis=0)
    if rings is not None:
        _rings(ax, centres, rings, fits[0])
    size = 13 if len(centres) <= 4 else 6
    ax.plot(*centres.T, "*", color=POPULATION, ms=size, mew=0, zorder=5, label="population")
    if len(shown) <= MOST_LABELS:
        levels = table.loc[table["coef"] == coefs[0], "level"].to_numpy()
        _label(ax, levels[shown], alone[shown], shrunk[fits[0]][shown])
    ax.set_xlabel(f"{coefs[0]} by {group}")
    ax.set_ylabel(f"{coefs[1]} by {group}")
    ax.margins(0.08)
    legend_above(ax)


def _rings(ax: Axes, centres: Floats, rings: tuple[Floats, ...], fit: str) -> None:
    label: str | None = f"{' and '.join(f'{100 * s:.0f} %' for s in SHARES)} of levels ({fit})"
    for centre in centres:
        for ring in rings:
            ax.plot(*(centre + ring).T, color="#999999", lw=0.8, zorder=0, label=label)
            label = None


def population_ellipse(
    model: Model, fit: HoldsFit, index: int, coefs: tuple[int, ...]
) -> tuple[Floats, ...]:
    """Contours about zero that hold 50 % and 95 % of N(0, Omega), Omega at a fit's variances.

    In two dimensions the squared radius is chi² on 2 degrees of freedom: -2 log(1 - share).
    """
    at, _ = given_variances(model, fit.tree)
    omega = at.covariances[index][0][np.ix_(coefs, coefs)]
    values, vectors = np.linalg.eigh(omega)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    angle = np.linspace(0.0, 2 * np.pi, 181)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return tuple(np.sqrt(-2 * np.log1p(-share)) * circle @ root.T for share in SHARES)


def _points(table: pd.DataFrame, coefs: list[str], column: str) -> Floats:
    """One column of the table by level, shape (J, 2)."""
    wide = [table.loc[table["coef"] == name, column].to_numpy(dtype=np.float64) for name in coefs]
    return np.stack(wide, axis=1)


def _label(ax: Axes, levels: NDArray[np.object_], alone: Floats, shrunk: Floats) -> None:
    """Write each level's name beside its no-pooling estimate, on the side away from its arrow.

    Those that moved furthest come first; a name that would lie on another one is left out.
    """
    known = np.isfinite(alone).all(axis=1)
    levels, alone, shrunk = levels[known], alone[known], shrunk[known]
    span = np.ptp(np.concatenate([alone, shrunk]), axis=0)
    span = np.where(span > 0, span, 1.0)
    moved = (alone - shrunk) / span
    length = np.hypot(*moved.T)
    side = (
        np.round(1.2 * moved / np.where(length > 0, length, 1.0)[:, None]).clip(-1, 1).astype(int)
    )
    taken: list[Floats] = []
    for j in np.argsort(-length, kind="stable"):
        size = np.array([0.015 * len(str(levels[j])), 0.035])
        centre = alone[j] / span + side[j] * (0.012 + size / 2)
        if any(np.all(np.abs(centre - other[:2]) < (size + other[2:]) / 2) for other in taken):
            continue
        taken.append(np.concatenate([centre, size]))
        ax.annotate(
            str(levels[j]),
            alone[j],
            xytext=5 * side[j],
            textcoords="offset points",
            ha=("center", "left", "right")[side[j][0]],
            va=("center", "bottom", "top")[side[j][1]],
            fontsize=6.5,
            color="#555555",
        )

"""Points where the lines of a level are evaluated: along x, averaged over other covariates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.design import Design, covariate_columns, crossed_values
from bayeslmm.errors import BayeslmmError
from bayeslmm.plots.fitted_axis import Across

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
MOST_OTHERS = 50  # rows of a level whose other covariates are averaged over


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Points along x with the mean of the columns there.

    Attributes
    ----------
    x : ndarray, shape (m,)
    X : ndarray, shape (m, p)
    Z : tuple of ndarray, each of shape (m, k)
    offset : ndarray, shape (m,)
    averaged : tuple of str
        Columns that vary in the level and are averaged over.
    """

    x: Floats
    X: Floats
    Z: tuple[Floats, ...]
    offset: Floats
    averaged: tuple[str, ...]


def level_grid(design: Design, rows: Codes, across: Across, blocks: Sequence[int]) -> Grid:
    """The grid of a level with these rows.

    Columns that are constant in the level keep their value; those that x determines move along
    with it; all others are averaged over the level's rows, at every x alike, so that a line
    doesn't follow which of them were observed where.
    """
    names = covariate_columns(design, [design.blocks[i].group for i in blocks])
    xs, first, back = np.unique(across.values[rows], return_index=True, return_inverse=True)
    varying = [n for n in names if n != across.name and _varies(design, n, rows)]
    others = tuple(n for n in varying if not _follows(design, n, across))
    chosen = rows
    if len(rows) > MOST_OTHERS:
        order = np.lexsort([design.columns[n].values[rows] for n in others] or [rows])
        chosen = rows[order[np.linspace(0, len(rows) - 1, MOST_OTHERS).round().astype(int)]]
    if not others:
        chosen = rows[:1]
    m, count = len(xs), len(chosen)
    taken = {n: np.repeat(rows[first], count) for n in names}
    taken |= {n: np.tile(chosen, m) for n in others}
    try:
        X, Z = crossed_values(design, taken, m * count, blocks)
    except BayeslmmError:  # no such combination: use the level's rows
        X, Z = design.X[rows], tuple(design.blocks[i].values[rows] for i in blocks)
        return Grid(
            xs,
            _means(X, back),
            tuple(_means(z, back) for z in Z),
            offset_at(design, rows, back),
            others,
        )
    mean = [np.asarray(a.reshape(m, count, -1).mean(axis=1)) for a in (X, *Z)]
    return Grid(xs, mean[0], tuple(mean[1:]), offset_at(design, rows, back), others)


def offset_at(design: Design, rows: Codes, back: Codes) -> Floats:
    """The mean offset of the level's rows at each x."""
    return _means(design.offset[rows][:, None], back)[:, 0]


def _means(values: Floats, back: Codes) -> Floats:
    """Means of rows by place, shape (m, c)."""
    frame = pd.DataFrame(values).groupby(back.ravel(), sort=True).mean()
    return frame.to_numpy()


def _varies(design: Design, name: str, rows: Codes) -> bool:
    values = design.columns[name].values[rows]
    return bool(np.any(values != values[0]))


def _follows(design: Design, name: str, across: Across) -> bool:
    """Whether a column is a function of x in the whole table, and x has values in common."""
    by_x = pd.Series(design.columns[name].values).groupby(across.values).nunique()
    return bool(by_x.max() == 1 and 2 * len(by_x) <= design.n)

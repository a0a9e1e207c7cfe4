"""Rank of a fixed design: which columns are combinations of columns before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.design.centred import Centred
from bayeslmm.design.normal import Columns
from bayeslmm.design.types import Floats
from bayeslmm.linalg.components import components

TOLERANCE = 1e-7
MANY = 64  # columns from which blocks are looked for
_STRETCH = 4_096


@dataclass(frozen=True, slots=True)
class Aliasing:
    """What `aliasing` found.

    Attributes
    ----------
    kept : tuple of int
        Columns that add to the span of those before them.
    aliased : dict of str to dict of str to float
        Every other column as a combination of kept ones: ``{"b": {"Intercept": 1, "a": -1}}``
        says that ``b = 1 - a``. A column of zeros is the empty combination.
    """

    kept: tuple[int, ...]
    aliased: dict[str, dict[str, float]]

    @property
    def rank(self) -> int:
        """How many columns are kept."""
        return len(self.kept)


def aliasing(X: Floats, names: Sequence[str]) -> Aliasing:
    """Find the columns of a design that are combinations of earlier ones.

    Columns are taken in their order, as `lm` takes them: one is aliased if its part orthogonal
    to the kept columns is shorter than 1e-7 times itself (LINPACK's `dqrdc2` with R's
    tolerance). The unit of a column doesn't matter.

    Parameters
    ----------
    X : ndarray, shape (n, p)
    names : sequence of str, length p

    Returns
    -------
    Aliasing
    """
    if X.shape[1] >= MANY:
        blocks = components(X)
        if len(blocks) > 1:
            return _by_blocks(X, names, blocks)
    X = _short(X)
    norms = np.linalg.norm(X, axis=0)
    unit = X / np.where(norms > 0, norms, 1.0)
    basis = np.empty((len(X), min(X.shape)))
    kept: list[int] = []
    dropped: list[int] = []
    for j in range(X.shape[1]):
        rest = unit[:, j].copy()
        for _ in range(2):  # a second pass takes away what rounding left in the first
            rest -= basis[:, : len(kept)] @ (basis[:, : len(kept)].T @ rest)
        length = np.linalg.norm(rest)
        if norms[j] == 0 or length < TOLERANCE or len(kept) == len(X):
            dropped.append(j)
            continue
        basis[:, len(kept)] = rest / length
        kept.append(j)
    if not dropped:
        return Aliasing(tuple(kept), {})
    weights = np.linalg.lstsq(unit[:, kept], unit[:, dropped], rcond=None)[0]
    aliased = {
        names[j]: {
            names[k]: float(weights[i, d] * norms[j] / norms[k])
            for i, k in enumerate(kept)
            if abs(weights[i, d]) > TOLERANCE
        }
        for d, j in enumerate(dropped)
    }
    return Aliasing(tuple(kept), aliased)


def aliasing_of_centred(
    centred: Centred,
    columns: Columns,
    X: Floats,
    used: slice | NDArray[np.bool_],
    names: Sequence[str],
) -> Aliasing:
    """The same by the centred columns, whose variation isn't lost beside a far origin.

    X_c = X T: a combination of centred columns that is zero gives one of the user's.

    Parameters
    ----------
    centred : Centred
    columns : Columns
        The learnt rows.
    X : ndarray, shape (n, p)
        The user's columns.
    used : slice or ndarray of bool
        Rows to take.
    names : sequence of str, length p
    """
    order = list(range(centred.size)) if centred.rises else list(centred.order)
    inside = centred.values(X, columns)[used]
    found = aliasing(inside[:, order], [names[j] for j in order])
    kept = sorted(order[k] for k in found.kept)
    dropped = sorted(set(range(centred.size)) - set(kept))
    if not dropped:
        return Aliasing(tuple(kept), {})
    place = {name: j for j, name in enumerate(names)}
    null = np.eye(centred.size)[:, dropped]
    for d, j in enumerate(dropped):
        for name, value in found.aliased[names[j]].items():
            null[place[name], d] = -value
    null = centred.T @ null
    weights = -null @ np.linalg.inv(null[dropped])
    sizes = np.linalg.norm(X[used], axis=0)
    parts = np.abs(weights) * sizes[:, None]
    least = TOLERANCE * parts.max(axis=0, initial=0.0)
    return Aliasing(
        tuple(kept),
        {
            names[j]: {names[k]: float(weights[k, d]) for k in kept if parts[k, d] > least[d]}
            for d, j in enumerate(dropped)
        },
    )


def _by_blocks(
    X: Floats, names: Sequence[str], blocks: Sequence[tuple[np.ndarray, np.ndarray]]
) -> Aliasing:
    """The same for columns that fall into blocks with rows of their own each."""
    kept: list[int] = []
    aliased: dict[str, dict[str, float]] = {
        names[j]: {} for j in np.flatnonzero(~X.any(axis=0)).tolist()
    }
    for rows, columns in blocks:
        found = aliasing(X[np.ix_(rows, columns)], [names[j] for j in columns])
        kept += [int(columns[k]) for k in found.kept]
        aliased |= found.aliased
    return Aliasing(tuple(sorted(kept)), {n: aliased[n] for n in names if n in aliased})


def _short(X: Floats) -> Floats:
    """Few rows whose columns have the lengths and angles of those of `X`.

    They are R of X = QR, found by stretches of rows, each below the R so far (Golub and Van
    Loan, 2013, Matrix Computations, 5.2.3 and 6.5). Householder's transformations err by
    rounding relative to each column, so the unit of a column still doesn't matter.
    """
    rows = max(_STRETCH, 8 * X.shape[1])
    if len(X) <= rows or X.shape[1] == 0:
        return X
    short = np.linalg.qr(X[:rows], mode="r")
    for start in range(rows, len(X), rows):
        short = np.linalg.qr(np.vstack([short, X[start : start + rows]]), mode="r")
    return short

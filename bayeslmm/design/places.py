"""Occasions and points: where the coefficients of a term, or the residuals of a group, are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayeslmm.design.levels import label
from bayeslmm.design.normal import Columns
from bayeslmm.design.transforms import States
from bayeslmm.design.types import Floats
from bayeslmm.errors import DataError, FormulaError, LevelError
from bayeslmm.formula import RandomTerm, trees_of
from bayeslmm.formula.syntax import Column

SAME = 1e-6  # share of a step by which an occasion may be off the grid
MOST_STEPS = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class LearntPlaces:
    """Columns of zeros and ones, one for each place that occurred.

    Attributes
    ----------
    columns : tuple of str
    points : ndarray, shape (k, d)
        The places as the columns' numbers, or codes of a categorical's levels, in order.
    at : ndarray, shape (k, d)
        The same as a structure takes them: steps of ordered occasions, or the numbers themselves.
    labels : tuple of str
    names : tuple of str
        What the coefficients are called.
    """

    columns: tuple[str, ...]
    points: Floats
    at: Floats
    labels: tuple[str, ...]
    names: tuple[str, ...]

    def codes(self, columns: Columns) -> np.ndarray:
        """The place of each row, shape (n,).

        Raises
        ------
        LevelError
            For a place that wasn't learnt.
        """
        rows = numbers_of(self.columns, columns)
        known = {tuple(point): i for i, point in enumerate(self.points.tolist())}
        found = np.array([known.get(tuple(row), -1) for row in rows.tolist()], dtype=np.intp)
        if (found < 0).any():
            first = int((found < 0).argmax())
            raise LevelError(
                f"The place {label_of(rows[first])} of {', '.join(self.columns)} was not in the "
                "data that the model learnt from",
                hint="Rows of weight zero teach the model a place without data; its effects are "
                "then predicted from the others'",
            )
        return found

    def found(self, columns: Columns) -> tuple[np.ndarray, Floats]:
        """The place of each row, -1 for one that wasn't learnt, and where it is, as `at` says it.

        Raises
        ------
        DataError
            An occasion off the learnt grid.
        """
        rows = numbers_of(self.columns, columns)
        known = {tuple(point): i for i, point in enumerate(self.points.tolist())}
        codes = np.array([known.get(tuple(row), -1) for row in rows.tolist()], dtype=np.intp)
        if np.array_equal(self.at, self.points):
            return codes, rows
        at = np.where((codes >= 0)[:, None], self.at[codes], np.nan)
        span = self.points[-1, 0] - self.points[0, 0]
        numeric = all(columns[name].labels is None for name in self.columns)
        if numeric and self.at.shape[1] == 1 and span > 0:
            at = (rows - self.points[0]) * (self.at[-1, 0] - self.at[0, 0]) / span
            off = np.abs(at - np.rint(at)) > 1e-3
            if off.any():
                value = label(rows[int(off.argmax()), 0])
                raise DataError(
                    f"{value} of {self.columns[0]!r} is between the steps that the model learnt"
                )
            at = np.rint(at)
        return codes, at

    def values(self, columns: Columns, states: States) -> Floats:
        """Zeros and ones for the rows of `columns`, shape (n, k)."""
        out = np.zeros((len(columns), len(self.points)))
        out[np.arange(len(out)), self.codes(columns)] = 1.0
        return out


Kind = Literal["order", "points", "any"]


def learn_places(names: Sequence[str], columns: Columns, *, kind: Kind) -> LearntPlaces:
    """The places that occur in some columns.

    Parameters
    ----------
    names : sequence of str
    columns : Columns
    kind : {"order", "points", "any"}
        Occasions in order, a gap counted in steps; points in time or space; or nothing but
        different.

    Raises
    ------
    DataError
        Several columns, or numbers on no common grid, where occasions are wanted; levels that
        are text where points are.
    """
    names = tuple(names)
    rows = numbers_of(names, columns)
    points = np.unique(rows, axis=0)
    categorical = [columns[name].labels is not None for name in names]
    if kind == "any":
        at = np.arange(float(len(points)))[:, None]
    elif kind == "order":
        if len(names) > 1:
            raise DataError(
                "Ordered occasions stand in one column", got=", ".join(names),
                hint="Points in space have exp, gau or matern",
            )  # fmt: skip
        at = points - points[0] if categorical[0] else steps_of(points, names[0])
    else:
        at = np.column_stack([_points(columns, n, points[:, i]) for i, n in enumerate(names)])
    labels = tuple(_label(names, point, columns) for point in points)
    shown = "+".join(names)
    return LearntPlaces(names, points, at, labels, tuple(f"{shown}[{text}]" for text in labels))


def placed_columns(term: RandomTerm) -> tuple[str, ...]:
    """The columns of a term over places, ``0 + time``.

    Raises
    ------
    FormulaError
        Anything but columns, without an intercept.
    """
    intercept, trees = trees_of(term.lhs)
    plain = [tree[0] for tree in trees if len(tree) == 1 and isinstance(tree[0], Column)]
    if intercept or len(plain) < len(trees) or not plain:
        what = "x + y" if term.structure in ("exp", "gau", "matern") else "time"
        raise FormulaError(
            f"{term.structure}() takes columns that say when or where, and no intercept",
            got=str(term),
            hint=f"Write {term.structure}(0 + {what} | {term.group})",
        )
    return tuple(node.name for node in plain)


def numbers_of(names: Sequence[str], columns: Columns) -> Floats:
    """Numbers, and codes of categoricals, shape (n, d)."""
    found = [columns[name] for name in names]
    return np.column_stack([c.floats if c.labels is None else c.values for c in found]).astype(
        np.float64
    )


def steps_of(points: Floats, name: str) -> Floats:
    """Numbers in units of their greatest common spacing, from the least, shape (k, 1).

    Raises
    ------
    DataError
        Where there is none.
    """
    own = points[:, 0] - points[0, 0]
    gaps = np.diff(own)
    if not len(gaps):
        return np.zeros((len(own), 1))
    unit = _common(gaps)
    if unit is None or own[-1] / unit > MOST_STEPS:
        raise DataError(
            f"The numbers of {name!r} have no common spacing",
            hint="car1 takes continuous time; ar1(1 | g) counts the rows of a group",
        )
    return np.rint(own / unit)[:, None]


def _common(gaps: Floats) -> float | None:
    """The greatest number of which all gaps are multiples, but for rounding (Euclid)."""
    unit, largest = float(gaps[0]), float(gaps.max())
    for gap in gaps[1:]:
        a, b = unit, float(gap)
        while b > SAME * largest:
            rest = a - b * np.round(a / b)
            a, b = b, abs(rest)
            if a < SAME * largest:
                return None
        unit = a
    off = np.abs(gaps / unit - np.rint(gaps / unit))
    return unit if np.all(off < 1e-3) else None


def _points(columns: Columns, name: str, values: Floats) -> Floats:
    column = columns[name]
    if column.labels is None:
        return values
    try:
        return np.array([float(level) for level in column.labels])[values.astype(np.intp)]
    except (TypeError, ValueError):
        raise DataError(
            f"The levels of {name!r} are no numbers, and distances are taken between them",
            got=label(column.labels[0]),
        ) from None


def _label(names: Sequence[str], point: Floats, columns: Columns) -> str:
    parts = []
    for name, value in zip(names, point, strict=True):
        labels = columns[name].labels
        parts.append(label(value if labels is None else labels[int(value)]))
    return ",".join(parts)


def label_of(point: Floats) -> str:
    """A point as text."""
    return ", ".join(label(value) for value in point)

"""Occasions and points: where the coefficients of a term, or the residuals of a group, are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayeslmm.design.axes import Axis, Kind, learn_axis
from bayeslmm.design.levels import label
from bayeslmm.design.normal import Columns
from bayeslmm.design.transforms import States
from bayeslmm.design.types import Floats
from bayeslmm.errors import DataError, FormulaError, LevelError
from bayeslmm.formula import RandomTerm, trees_of
from bayeslmm.formula.syntax import Column

OFF = 1e-3  # of a step: rounding of an occasion
SAME = 1e-6  # share of a step by which an occasion may be off the grid
MOST_STEPS = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class LearntPlaces:
    """Columns of zeros and ones, one for each place that occurred.

    Attributes
    ----------
    axes : tuple of Axis
        How the columns' values become numbers.
    kind : {"order", "points", "any"}
    points : ndarray, shape (k, d)
        The places as these numbers, in order.
    unit : float
        Of ordered occasions, the number of one step.
    labels : tuple of str
    names : tuple of str
        What the coefficients are called.
    """

    axes: tuple[Axis, ...]
    kind: Kind
    points: Floats
    unit: float
    labels: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(axis.name for axis in self.axes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What order was taken, where that is a choice."""
        return tuple(note for axis in self.axes for note in axis.notes)

    @property
    def at(self) -> Floats:
        """The places as a structure takes them, shape (k, d): steps of ordered occasions, or the
        numbers themselves."""
        if self.kind == "any":
            return np.arange(float(len(self.points)))[:, None]
        if self.kind == "points":
            return self.points
        return np.rint((self.points - self.points[0]) / self.unit)

    @property
    def step(self) -> str:
        """What one step is, in words."""
        axis = self.axes[0]
        return (
            f"one level of {axis.name}"
            if axis.levels is not None
            else (f"{self.unit:g} of {axis.name}")
        )

    def codes(self, columns: Columns) -> np.ndarray:
        """The place of each row, shape (n,).

        Raises
        ------
        LevelError
            For a place that wasn't learnt.
        """
        found = self._codes(self._numbers(columns))
        if (found < 0).any():
            raise self._unseen(columns, int((found < 0).argmax()))
        return found

    def found(self, columns: Columns) -> tuple[np.ndarray, Floats]:
        """The place of each row, -1 for one that wasn't learnt, and where it is, shape (n, d), in
        the units of `at`.

        Raises
        ------
        LevelError
            A value that has no number.
        DataError
            An occasion between two steps.
        """
        rows = self._numbers(columns)
        codes = self._codes(rows)
        if self.kind == "any":
            return codes, np.where(codes < 0, np.nan, codes.astype(np.float64))[:, None]
        unread = np.isnan(rows).any(axis=1)
        if unread.any():
            raise self._unseen(columns, int(unread.argmax()))
        if self.kind == "points":
            return codes, rows
        steps = (rows - self.points[0]) / self.unit
        off = np.abs(steps - np.rint(steps))[:, 0] > OFF
        if off.any():
            value = label(columns[self.axes[0].name].value(int(off.argmax())))
            raise DataError(
                f"{value} of {self.axes[0].name!r} is between two steps",
                allowed=f"whole steps from {self.labels[0]}, each {self.step}",
                hint="For any times use car1 or exp",
            )
        return codes, np.rint(steps)

    def values(self, columns: Columns, states: States, *, new_places: bool = False) -> Floats:
        """Zeros and ones for the rows of `columns`, shape (n, k); zeros alone at a new place,
        where there may be some.

        Raises
        ------
        LevelError
            For a place that wasn't learnt, unless `new_places`.
        """
        out = np.zeros((len(columns), len(self.points)))
        codes = self.found(columns)[0] if new_places else self.codes(columns)
        rows = np.flatnonzero(codes >= 0)
        out[rows, codes[rows]] = 1.0
        return out

    def further(self, columns: Columns) -> tuple[np.ndarray, Floats, tuple[str, ...]] | None:
        """The rows at places that weren't learnt, where these are, and their labels; None where
        there are none."""
        codes, at = self.found(columns)
        rows = np.flatnonzero(codes < 0)
        labels = tuple(_label(self.columns, columns, int(row)) for row in rows)
        return (rows, at[rows], labels) if len(rows) else None

    def _numbers(self, columns: Columns) -> Floats:
        return np.column_stack([axis.numbers(columns[axis.name]) for axis in self.axes])

    def _codes(self, rows: Floats) -> np.ndarray:
        known = {tuple(point): i for i, point in enumerate(self.points.tolist())}
        return np.array([known.get(tuple(row), -1) for row in rows.tolist()], dtype=np.intp)

    def _unseen(self, columns: Columns, row: int) -> LevelError:
        return LevelError(
            f"The place {_label(self.columns, columns, row)} of {', '.join(self.columns)}, in row "
            f"{columns.index[row]}, was not in the data that the model was fitted to",
            hint="Rows of weight zero give the model a place without data; its effects are "
            "then predicted from the others'",
        )


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
        Several columns, or numbers on no common grid, where occasions are wanted; text whose
        order, or whose distances, are not known.
    """
    names = tuple(names)
    if kind == "order" and len(names) > 1:
        raise DataError(
            "ar1, arma, toep and ante take one ordered column", got=", ".join(names),
            hint="For coordinates in space use exp, gau or matern",
        )  # fmt: skip
    axes = tuple(learn_axis(columns[name], kind) for name in names)
    rows = np.column_stack([axis.numbers(columns[axis.name]) for axis in axes])
    points, first = np.unique(rows, axis=0, return_index=True)
    unit = 1.0
    if kind == "order" and axes[0].levels is None:
        unit = _unit(np.unique(np.concatenate([points[:, 0], axes[0].declared])), names[0])
    labels = tuple(_label(names, columns, int(row)) for row in first)
    shown = "+".join(names)
    return LearntPlaces(
        axes, kind, points, unit, labels, tuple(f"{shown}[{text}]" for text in labels)
    )


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
        bar = f" | {term.group}" if term.factors else ""
        raise FormulaError(
            f"{term.structure}() needs columns with the times or coordinates, and no intercept",
            got=str(term),
            hint=f"Write {term.structure}(0 + {what}{bar})",
        )
    return tuple(node.name for node in plain)


def _unit(numbers: Floats, name: str) -> float:
    """The greatest common spacing of numbers in order.

    Raises
    ------
    DataError
        Where there is none.
    """
    gaps = np.diff(numbers)
    if not len(gaps):
        return 1.0
    unit = _common(gaps)
    if unit is None or (numbers[-1] - numbers[0]) / unit > MOST_STEPS:
        raise DataError(
            f"The numbers of {name!r} have no common spacing",
            hint="For continuous times use car1; for the order of rows in a group use ar1(1 | g)",
        )
    return unit


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
    return unit if np.all(off < OFF) else None


def _label(names: Sequence[str], columns: Columns, row: int) -> str:
    return ",".join(label(columns[name].value(row)) for name in names)

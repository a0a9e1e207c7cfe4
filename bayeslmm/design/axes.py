"""The numbers of a column whose order, or whose distances, a covariance depends on.

Numbers are taken as they are. Text is read where it shows one number in a common text, or names
months or days of the week; an ordered categorical gives the rank of each level among all that it
declares. Any other text has no order that is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bayeslmm.design.levels import codes_of, label
from bayeslmm.design.normal import Normal
from bayeslmm.design.readings import Reading, Template, plain_number, reading_of
from bayeslmm.design.types import Floats
from bayeslmm.errors import DataError

Kind = Literal["order", "points", "any"]
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([ T][\d:.]+)?")  # as ISO 8601 has them
SHOWN = 3  # labels of a note


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """How the values of one column become numbers; for new rows too.

    Attributes
    ----------
    name : str
        Of the column.
    levels : ndarray, shape (L,), or None
        The levels whose place is the number; None where the number is in the value.
    reading : Reading or None
        How text is read; None where the levels are numbers.
    declared : tuple of float
        Numbers that a categorical declares, whether a row has them or not.
    notes : tuple of str
        What order was taken, where that is a choice.
    """

    name: str
    levels: NDArray[Any] | None = None
    reading: Reading | None = None
    declared: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()

    def numbers(self, column: Normal) -> Floats:
        """The number of each row, shape (n,); NaN where the value has none."""
        if self.levels is not None:
            codes = codes_of(column, self.levels)
            return np.where(codes < 0, np.nan, codes.astype(np.float64))
        plain = self.reading is None or self.reading == Template("", "")
        if column.labels is None:
            return column.floats if plain else np.full(len(column), np.nan)
        of_level = [self._number(level) for level in column.labels]
        return np.array(of_level, dtype=np.float64)[column.values]

    def _number(self, level: Any) -> float:
        if isinstance(level, str):
            number = plain_number(level) if self.reading is None else self.reading.number(level)
            return np.nan if number is None else number
        return float(level) if self.reading in (None, Template("", "")) else np.nan


def learn_axis(column: Normal, kind: Kind) -> Axis:
    """How a column's values become numbers.

    Parameters
    ----------
    column : Normal
    kind : {"order", "points", "any"}
        Whether the order counts, the distances do, or neither.

    Raises
    ------
    DataError
        For text whose order, or whose distances, are not known.
    """
    labels = column.labels
    if labels is None:
        return Axis(column.name)
    if kind == "any":
        return Axis(column.name, column.coded[0])
    named = list(column.declared or labels)
    if kind == "points" or not column.ordered:
        axis = _by_number(column, named, plain=column.ordered)
        if axis is not None:
            return axis if kind == "order" else replace(axis, notes=_placed(column, axis))
    if column.ordered:
        return Axis(column.name, _array(named), notes=_empty(column) if kind == "order" else ())
    if kind == "order" and len(labels) < 3:  # the order of two makes no difference
        return Axis(column.name, _array(labels))
    raise _no_order(column, kind)


def _by_number(column: Normal, named: Sequence[Any], *, plain: bool) -> Axis | None:
    """By the numbers in the levels; `plain`: only where nothing stands around them."""
    labels = column.labels or ()
    if not any(isinstance(level, str) for level in named):
        return Axis(column.name, declared=tuple(map(float, named)), notes=_empty(column))
    for levels in (named, labels):  # a level that no row has may be called anything
        reading = reading_of([str(level) for level in levels])
        if reading is not None and not (plain and reading != Template("", "")):
            declared = tuple(reading.number(str(level)) or 0.0 for level in levels)
            note = (
                f"The occasions of {column.name!r} are ordered by {reading.described}: "
                f"{_in_order(column, reading)}."
            )
            empty = _empty(column) if len(levels) > len(labels) else ()
            return Axis(column.name, None, reading, declared, (note, *empty))
    return None


def _array(levels: Sequence[Any]) -> NDArray[Any]:
    return np.array(levels, dtype=object if isinstance(levels[0], str) else None)


def _placed(column: Normal, axis: Axis) -> tuple[str, ...]:
    if axis.reading is None or axis.reading == Template("", ""):
        return ()
    shown = _in_order(column, axis.reading)
    return (f"The levels of {column.name!r} are placed at {axis.reading.described}: {shown}.",)


def _in_order(column: Normal, reading: Reading) -> str:
    labels = sorted(map(str, column.labels or ()), key=lambda text: reading.number(text) or 0.0)
    return ", ".join(labels if len(labels) <= SHOWN + 1 else [*labels[:SHOWN], "…", labels[-1]])


def _empty(column: Normal) -> tuple[str, ...]:
    if not column.unused:
        return ()
    shown = ", ".join(column.unused[:5]) + (", …" if len(column.unused) > 5 else "")
    return (
        f"{len(column.unused)} level(s) of {column.name!r} without rows count as steps between "
        f"occasions ({shown}).",
    )


def _no_order(column: Normal, kind: Kind) -> DataError:
    labels, name = column.labels or (), column.name
    few = [*map(label, labels[:SHOWN]), *(["…"] if len(labels) > SHOWN else [])]
    what = "The order of" if kind == "order" else "The distances between"
    return DataError(
        f"{what} the levels of {name!r} can't be read from their text",
        got=", ".join(few),
        allowed="numbers, text with one number in a common text (week 1, week 2), names of months "
        "or of days of the week, or an ordered categorical",
        hint=f"Convert it to dates: data[{name!r}] = pd.to_datetime(data[{name!r}])"
        if all(_DATE.fullmatch(str(level)) for level in labels)
        else f"Name the levels in their order: data[{name!r}] = pd.Categorical(data[{name!r}], "
        f"categories=[{', '.join(repr(label(level)) for level in labels[:2])}, ...], ordered=True)",
    )

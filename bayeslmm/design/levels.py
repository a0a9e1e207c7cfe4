"""Levels of a categorical: what they are, how they are shown, and which one a value is.

A value is a level if it equals it. Where one side is text and the other numbers, as after a file
was read anew, a value is a level if it is written the same: the number 308 or 308.0 is the
level ``"308"``, the text ``"308"`` the level 308. A pair that stands for one number but is
written differently, 7 and ``"007"``, is refused: whether they mean the same can't be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.design.columns import first_row
from bayeslmm.design.normal import Normal
from bayeslmm.errors import LevelError

_EXACT = 2**53  # from here on floats skip whole numbers
_REFUSED = -2


def label(level: object) -> str:
    """A level as text; a whole float without its point."""
    plain = level.item() if isinstance(level, np.generic) else level
    if isinstance(plain, float) and plain.is_integer() and abs(plain) < _EXACT:
        return str(int(plain))
    return str(plain)


def codes_of(column: Normal, levels: NDArray[Any]) -> NDArray[np.intp]:
    """Level of each row, -1 where it isn't one of `levels`; shape (n,).

    Raises
    ------
    LevelError
        For a number and a text that may or may not mean the same level.
    """
    own, inverse = column.coded
    if levels is own:
        return inverse
    # as they stand in the table: how 308.0 may be written differs from 308
    labels = column.labels
    found = own.astype(column.values.dtype).tolist() if labels is None else list(labels)
    known = levels.tolist()
    codes = pd.Index(known, dtype=object).get_indexer(pd.Index(found, dtype=object))
    if _of_two_kinds(found, known):
        codes = np.where(codes < 0, _by_text(found, known), codes)
    of_row = np.asarray(codes, dtype=np.intp)[inverse]
    if (of_row == _REFUSED).any():
        raise _unclear(column, of_row == _REFUSED, known)
    return of_row


def unseen(
    name: str, column: Normal, codes: NDArray[np.intp], what: str, levels: NDArray[Any]
) -> LevelError:
    """The error for the first row whose level has no code."""
    rows = np.flatnonzero(codes < 0)
    value = column.value(rows[0])
    values = list(dict.fromkeys(label(column.value(row)) for row in rows[:1000]))
    more = f" (and {len(values) - 1} more such levels)" if len(values) > 1 else ""
    row = first_row(column.index, codes < 0)
    mismatch = ""
    if _of_two_kinds([_plain(value)], levels.tolist()):
        here, there = ("text", "numbers") if isinstance(value, str) else ("a number", "text")
        mismatch = f"; it is {here}, and the model's levels are {there}"
    return LevelError(
        f"The level {label(value)!r} of {name!r}{more}, in row {row}, "
        f"was not in the data that the model was fitted to{mismatch}",
        hint=what,
    )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _of_two_kinds(found: Sequence[Any], known: Sequence[Any]) -> bool:
    """Whether one side is text and the other numbers; a side has one kind."""
    if not found or not known:
        return False
    kinds = {"text" if isinstance(side[0], str) else _is_number(side[0]) for side in (found, known)}
    return kinds == {"text", True}


def _by_text(found: Sequence[Any], known: Sequence[Any]) -> NDArray[np.intp]:
    """Place in `known` of each value by how it is written; -1 where there is none."""
    by_number: dict[float, list[int]] = {}
    for place, level in enumerate(known):
        number = _number_in(level)
        if number is not None:
            by_number.setdefault(number, []).append(place)
    return np.array([_place(value, known, by_number) for value in found], dtype=np.intp)


def _place(value: Any, known: Sequence[Any], by_number: dict[float, list[int]]) -> int:
    number = _number_in(value)
    same = [] if number is None else by_number.get(number, [])
    if not same:
        return -1
    if len(same) == 1 and _spellings(value) & _spellings(known[same[0]]):
        return same[0]
    return _REFUSED


def _spellings(value: Any) -> set[str]:
    """How a value is written: text as it is, a float with and without its point."""
    if isinstance(value, float) and abs(value) >= _EXACT:
        return set()
    return {label(value), str(value)}


def _number_in(value: Any) -> float | None:
    """The number that a value is or shows; whole ones stay exact."""
    if not isinstance(value, str):
        return value
    if "_" in value:  # Python would read 1_2 as 12
        return None
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        return None


def _unclear(column: Normal, refused: NDArray[np.bool_], known: Sequence[Any]) -> LevelError:
    value = _plain(column.value(int(refused.argmax())))
    alike = [level for level in known if _number_in(level) == _number_in(value)]
    here, there = ("text", "numbers") if isinstance(value, str) else ("numbers", "text")
    kind = "the same numbers" if isinstance(value, str) else "the same text"
    return LevelError(
        f"The levels of {column.name!r} are {here} in the new rows and were {there} when the model "
        f"learnt them: {value!r}, in row {first_row(column.index, refused)}, may or may not be "
        + " or ".join(map(repr, alike)),
        hint=f"Give the column as {kind} as before",
    )

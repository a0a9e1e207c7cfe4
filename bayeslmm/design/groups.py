"""Grouping factors: the levels that occurred, and the level of each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.design.columns import first_row
from bayeslmm.design.levels import codes_of, label, unseen
from bayeslmm.design.normal import Columns, distinct
from bayeslmm.errors import DataError, LevelError

Codes = NDArray[np.intp]
ALL = "all"  # the level of a term without a grouping factor


@dataclass(frozen=True, slots=True, eq=False)
class LearntGroup:
    """A grouping factor of one column, or of the combinations of several that occurred.

    Attributes
    ----------
    factors : tuple of str
        Its columns.
    of_factor : tuple of ndarray
        The levels of each column.
    tables : tuple of ndarray
        After each column from the second on, the combinations that occurred, as sorted numbers:
        place of the combination so far times the levels of the next column, plus its code.
    levels : ndarray, shape (J,)
        The levels as users see them.
    """

    factors: tuple[str, ...]
    of_factor: tuple[NDArray[Any], ...]
    tables: tuple[Codes, ...]
    levels: NDArray[Any]

    def codes(self, columns: Columns, *, new_levels: str) -> Codes:
        """Level of each row, -1 for a new one where `new_levels` is ``"code"``; shape (n,).

        Raises
        ------
        LevelError
            For a new level, where `new_levels` is ``"error"``; for one that is a number where
            the learnt levels are text, or the other way round, unless it is written the same.
        """
        if not self.factors:
            return np.zeros(len(columns), dtype=np.intp)
        single = [
            codes_of(columns[name], known)
            for name, known in zip(self.factors, self.of_factor, strict=True)
        ]
        hint = "For levels that are not in the data, use predict(..., new_levels='draw') or 'zero'"
        if new_levels == "error":
            for name, codes, known in zip(self.factors, single, self.of_factor, strict=True):
                if (codes < 0).any():
                    raise unseen(name, columns[name], codes, hint, known)
        total = single[0]
        for codes, table, known in zip(single[1:], self.tables, self.of_factor[1:], strict=True):
            keys = _keys(total, codes, len(known))
            place = np.searchsorted(table, keys).clip(max=len(table) - 1)
            total = np.where((keys >= 0) & (table[place] == keys), place, -1)
        if new_levels == "error" and (total < 0).any():
            raise self._new_combination(columns, total, hint)
        return total.astype(np.intp, copy=False)

    def _new_combination(self, columns: Columns, codes: Codes, hint: str) -> LevelError:
        row = int((codes < 0).argmax())
        value = ":".join(label(columns[name].value(row)) for name in self.factors)
        return LevelError(
            f"The combination {value!r} of {':'.join(self.factors)!r}, in row "
            f"{first_row(columns.index, codes < 0)}, was not in the data that the model learnt "
            "from",
            hint=hint,
        )


def learn_group(factors: Sequence[str], columns: Columns) -> tuple[LearntGroup, Codes]:
    """Learn the levels of a grouping factor, in the order of its columns' levels.

    Returns
    -------
    LearntGroup
    codes : ndarray of intp, shape (n,)
        Level of each row.

    Raises
    ------
    DataError
        If two levels would have one label.
    """
    if not factors:  # one realisation for all rows
        one = LearntGroup((), (), (), np.array([ALL], dtype=object))
        return one, np.zeros(len(columns), dtype=np.intp)
    coded = [columns[name].coded for name in factors]
    levels, total = coded[0]
    if levels.dtype == bool:
        levels = np.array([label(level) for level in levels])
    tables: list[Codes] = []
    for known, codes in coded[1:]:
        table, total = distinct(total * len(known) + codes)
        parts = np.divmod(table, len(known))
        levels = np.array(
            [f"{label(levels[a])}:{label(known[b])}" for a, b in zip(*parts, strict=True)]
        )
        tables.append(table)
    if len(set(levels.tolist())) < len(levels):
        raise DataError(
            f"Two combinations of {':'.join(factors)!r} would have the same label",
            hint="Rename levels that contain a colon",
        )
    of_factor = tuple(known for known, _ in coded)
    return LearntGroup(tuple(factors), of_factor, tuple(tables), levels), total


def group_of_levels(
    factors: Sequence[str], columns: Columns, levels: NDArray[Any]
) -> tuple[LearntGroup, Codes]:
    """A grouping factor whose levels are given; also the level of each row, (n,).

    Raises
    ------
    DataError
        A factor of several columns.
    LevelError
        A row of another level.
    """
    if len(factors) > 1:
        raise DataError(
            f"A relationship matrix needs a factor of one column, not {':'.join(factors)!r}"
        )
    codes = codes_of(columns[factors[0]], levels)
    if (codes < 0).any():
        hint = "Add the missing levels to the relationship matrix"
        raise unseen(factors[0], columns[factors[0]], codes, hint, levels)
    return LearntGroup(tuple(factors), (levels,), (), levels), codes


def _keys(before: Codes, codes: Codes, count: int) -> Codes:
    """One number for a pair of codes, -1 where either is new."""
    return np.where((before < 0) | (codes < 0), -1, before * count + codes)

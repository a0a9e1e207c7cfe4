"""Columns in normal form: whole numbers, floats, or codes of levels, as plain arrays.

What is asked of a column more than once (its floats, its levels, the level of each row) is found
when it is first asked for, and kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.design.times import Origin
from bayeslmm.design.types import Floats
from bayeslmm.errors import DataError

_EXACT = 2**53  # from here on floats skip whole numbers
_FEW = 1_000


@dataclass(frozen=True, eq=False)
class Normal:
    """A column in normal form (see `columns.normalise`).

    Attributes
    ----------
    name : str
    values : ndarray, shape (n,)
        int64 or float64, all finite; of a categorical the code of each row's level.
    index : Index, length n
        The rows' labels.
    labels : sequence or None
        The used levels of a categorical, as Python's own values; None for numbers.
    ordered : bool
        Whether the levels are.
    unused : tuple of str
        Levels that the table's column named, and no row has.
    declared : sequence
        All levels that it named, in order, where no row has some of them; else empty.
    is_text : bool
        Whether it was plain text, and no categorical.
    merged : bool
        Whether its numbers are beyond 64 bits, and different ones became one float: it can be a
        covariate, and has no levels.
    origin : Origin or None
        Where its days are counted from, if the table's column held times.
    """

    name: str
    values: NDArray[Any]
    index: pd.Index[Any]
    labels: Sequence[Any] | None = None
    ordered: bool = False
    unused: tuple[str, ...] = ()
    declared: Sequence[Any] = ()
    is_text: bool = False
    merged: bool = False
    origin: Origin | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def is_truth(self) -> bool:
        """Whether it is a categorical whose levels are truth values."""
        return self.labels is not None and all(isinstance(v, bool | np.bool_) for v in self.labels)

    @cached_property
    def floats(self) -> Floats:
        """Its numbers as floats, truth values as 0 and 1; shape (n,)."""
        if self.labels is None:
            return self.values.astype(np.float64, copy=False)
        return np.array(self.labels, dtype=np.float64)[self.values]

    @cached_property
    def coded(self) -> tuple[NDArray[Any], NDArray[np.intp]]:
        """Its levels, shape (J,), or its numbers in order; and the level of each row, (n,)."""
        if self.merged:
            raise DataError(
                f"The column {self.name!r} contains integers beyond 64 bits, whose levels are not "
                "distinct as floats",
                hint=f"Convert them to text: data[{self.name!r}] = data[{self.name!r}].astype(str)",
            )
        if self.labels is not None:
            return (np.array(self.labels) if self.labels else np.empty(0)), self.values
        found, codes = distinct(self.values)
        if found.dtype.kind != "i" and np.all(np.abs(found) < _EXACT):
            whole = found.astype(np.int64)
            found = whole if np.array_equal(whole, found) else found
        return found, codes

    def value(self, row: int) -> Any:
        """The value of one row."""
        value = self.values[row]
        return value if self.labels is None else self.labels[value]

    def series(self, *, declared: bool = False) -> pd.Series[Any]:
        """The column for pandas: numbers, or a categorical of its levels, or of all `declared`."""
        if self.labels is None:
            return pd.Series(self.values, index=self.index, copy=False)
        levels, codes = self.labels, self.values
        if declared and self.declared:
            place = {level: i for i, level in enumerate(self.declared)}
            levels, codes = self.declared, np.array([place[v] for v in self.labels])[codes]
        dtype = pd.CategoricalDtype(
            pd.Index(levels, dtype=index_dtype(levels)), ordered=self.ordered
        )
        return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), index=self.index)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Columns in normal form with the labels of their rows."""

    of: Mapping[str, Normal]
    index: pd.Index[Any]

    def __getitem__(self, name: str) -> Normal:
        return self.of[name]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def origins(self) -> dict[str, Origin | None]:
        """The origin of each column of times, None for others."""
        return {name: column.origin for name, column in self.of.items()}

    @property
    def time_notes(self) -> list[str]:
        """A sentence for each column of times: since when its days are counted."""
        return [one.note(name) for name, one in self.origins.items() if one is not None]

    def frame(self, *, declared: bool = False) -> pd.DataFrame:
        """The columns as a table, times as days; `declared`: with the levels that no row has."""
        columns = {name: column.series(declared=declared) for name, column in self.of.items()}
        return pd.DataFrame(columns, index=self.index)


def index_dtype(levels: Sequence[Any]) -> Any:
    """Text and truth values as objects, so that they don't depend on pandas' string types."""
    return object if any(isinstance(v, str | bool) for v in levels) else None


def distinct(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The distinct numbers in order, shape (J,), and the place of each value, shape (n,).

    The same as ``np.unique(values, return_inverse=True)``, but without sorting all values:
    whole numbers over a range that isn't much wider than they are many are looked up in a table
    of that range, and other numbers are hashed.
    """
    if values.dtype.kind == "i":
        low, high = int(values.min()), int(values.max())
        if high - low <= max(4 * len(values), _FEW):
            shifted = values - low
            present = np.zeros(high - low + 1, dtype=bool)
            present[shifted] = True
            found = np.flatnonzero(present)
            place = np.empty(len(present), dtype=np.intp)
            place[found] = np.arange(len(found))
            return found + low, place[shifted]
    if len(values) < _FEW:
        return np.unique(values, return_inverse=True)
    codes, found = pd.factorize(values)
    return in_order(found, codes)


def in_order(found: NDArray[Any], codes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Distinct values sorted, and the codes of rows renumbered to match."""
    order = np.argsort(found, kind="stable")
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    return found[order], place[codes]

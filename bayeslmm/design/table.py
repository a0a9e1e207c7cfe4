"""The one door where a table comes in: any kind of table to the needed pandas columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from narwhals import dependencies
from numpy.typing import NDArray

from bayeslmm.errors import ColumnError, DataError, FormulaError, nearest, shorter

_TABLES = "a pandas or polars DataFrame, a pyarrow Table, or a dict of columns"


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """The needed columns of a table, as they are.

    Attributes
    ----------
    columns : dict of str to Series, each of shape (n,)
        By name; each has `index`.
    index : Index, length n
        The table's row labels.
    labelled : bool
        Whether the labels are the table's own, so that a Series is matched by them.
    """

    columns: dict[str, pd.Series[Any]]
    index: pd.Index[Any]
    labelled: bool = False

    def __len__(self) -> int:
        return len(self.index)


def take(data: object, names: Sequence[str]) -> Taken:
    """The columns `names` of a table, with the table's index.

    Raises
    ------
    DataError
        If `data` isn't a table, has no rows, or has two columns of a needed name.
    ColumnError
        If a column isn't there.
    """
    if isinstance(data, pd.DataFrame):
        taken = _from_pandas(data, names)
    elif isinstance(data, Mapping):
        taken = _from_mapping(data, names)
    else:
        taken = _from_other(data, names)
    if len(taken) == 0:
        raise DataError("The table has no rows", allowed="at least one row")
    return taken


def row_count(data: object) -> int:
    """How many rows a table has; `take` has accepted it before."""
    if isinstance(data, Mapping):
        return len(next(iter(data.values()), ()))
    return len(data)  # type: ignore[arg-type]


def has_column(data: object, name: str) -> bool:
    """Whether a table has a column `name`."""
    columns = data if isinstance(data, Mapping) else getattr(data, "columns", ())
    names = getattr(data, "column_names", None)  # a pyarrow Table's `columns` are the arrays
    return name in [str(column) for column in (columns if names is None else names)]


def matched(series: pd.Series[Any], index: pd.Index[Any], what: str, where: str) -> pd.Series[Any]:
    """A Series in the order of `index`.

    Raises
    ------
    DataError
        The labels differ, or repeat in another order.
    """
    if series.index.equals(index):
        return series
    if not (series.index.is_unique and index.is_unique):
        raise DataError(
            f"{what} has repeated row labels, and they are not those of {where} in the same order",
            hint="If the rows correspond by position, give an array: .to_numpy()",
        )
    absent = index.difference(series.index, sort=False)
    if len(series) != len(index) or len(absent):
        extra = series.index.difference(index, sort=False)
        only = [
            f"only in {whose}: {_labels(labels)}"
            for whose, labels in ((where, absent), (what, extra))
            if len(labels)
        ]
        raise DataError(
            f"{what} and {where} have different row labels",
            got="; ".join(only),
            hint="If the rows correspond by position, give an array: .to_numpy()",
        )
    return series.reindex(index)


def _labels(labels: pd.Index[Any], most: int = 3) -> str:
    """The first labels, and the number of them all where there are more."""
    shown = [shorter(repr(label), 60) for label in labels[:most].tolist()]
    return ", ".join(shown) + (f", … ({len(labels)} in all)" if len(labels) > most else "")


def labels_of(index: pd.Index[Any]) -> NDArray[Any]:
    """The row labels of an index; those of a MultiIndex are tuples."""
    return np.asarray(index.to_numpy())


def _from_pandas(data: pd.DataFrame, names: Sequence[str]) -> Taken:
    if data.columns.nlevels > 1:
        raise DataError(
            "The table's columns have several levels",
            hint="Flatten them first: data.columns = ['_'.join(c) for c in data.columns]",
        )
    labels = list(data.columns)
    places = _places([str(column) for column in labels], names)
    columns = {name: _pandas_column(data, labels, place) for name, place in places.items()}
    return Taken(columns, data.index, labelled=True)


def _pandas_column(data: pd.DataFrame, labels: Sequence[Any], place: int) -> pd.Series[Any]:
    label = labels[place]
    if isinstance(label, str):
        return data[label]  # several times as fast as by its place
    return data.iloc[:, place].rename(str(label))


def _from_mapping(data: Mapping[Any, Any], names: Sequence[str]) -> Taken:
    keys = list(data)
    places = _places([str(key) for key in keys], names)
    columns = {name: _one_column(name, data[keys[place]]) for name, place in places.items()}
    columns = _matched_series(data, places, columns)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(
            "The columns differ in length",
            got=", ".join(f"{name}: {length}" for name, length in lengths.items()),
        )
    index = pd.RangeIndex(max(lengths.values(), default=row_count(data)))
    return Taken(
        {name: column.set_axis(index).rename(name) for name, column in columns.items()}, index
    )


def _matched_series(
    data: Mapping[Any, Any], places: Mapping[str, int], columns: dict[str, pd.Series[Any]]
) -> dict[str, pd.Series[Any]]:
    """The columns of a dict, those given as Series in the order of the first such."""
    keys = list(data)
    labelled = [name for name in columns if isinstance(data[keys[places[name]]], pd.Series)]
    if len({len(column) for column in columns.values()}) > 1:  # told of by the caller
        return columns
    first = columns[labelled[0]].index if labelled else pd.RangeIndex(0)
    return columns | {
        name: matched(columns[name], first, f"The column {name!r}", f"column {labelled[0]!r}")
        for name in labelled[1:]
    }


def _one_column(name: str, values: object) -> pd.Series[Any]:
    if isinstance(values, pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        return pd.Series(values)
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise DataError(f"The column {name!r} is not a sequence", got=type(values).__name__)
    if dependencies.is_polars_series(values) or dependencies.is_pyarrow_chunked_array(values):
        return _series(nw.from_native(values, series_only=True))
    array = values if isinstance(values, np.ndarray) else list(values)
    if isinstance(array, np.ndarray) and array.ndim != 1:
        raise DataError(f"The column {name!r} has {array.ndim} dimensions", allowed="one")
    try:
        return pd.Series(array)
    except UnicodeEncodeError as error:
        raise DataError(
            f"The column {name!r} has text that can't be written to a file",
            got=ascii(error.object[error.start : error.end]),
            hint="Replace lone surrogates, which are halves of characters",
        ) from None


def _from_other(data: object, names: Sequence[str]) -> Taken:
    if dependencies.is_pyarrow_table(data):
        _places(list(data.column_names), names)
        arrow: pd.DataFrame = data.select(list(names)).to_pandas(types_mapper=_arrow_dtype)
        return Taken({name: arrow[name] for name in names}, pd.RangeIndex(data.num_rows))
    try:
        table = nw.from_native(data, eager_only=True)  # type: ignore[call-overload]
    except TypeError:
        hint = "Write it as data.to_frame()" if isinstance(data, pd.Series) else None
        if hasattr(data, "collect"):
            hint = "Collect the lazy table first: data.collect()"
        raise DataError(
            "The data are not a table", got=type(data).__name__, allowed=_TABLES, hint=hint
        ) from None
    _places(list(table.columns), names)
    index = pd.RangeIndex(len(table))
    return Taken({name: _series(table[name]).rename(name) for name in names}, index)


def _arrow_dtype(kind: Any) -> pd.ArrowDtype | None:
    # pandas reads a dictionary as a categorical by itself, order kept
    return None if str(kind).startswith("dictionary") else pd.ArrowDtype(kind)


def _series(column: nw.Series[Any]) -> pd.Series[Any]:
    """A narwhals column as a pandas one, through plain lists where the types differ."""
    dtype, values = column.dtype, column.to_list()
    if isinstance(dtype, nw.Enum):
        return pd.Series(pd.Categorical(values, categories=list(dtype.categories)))
    if dtype == nw.Boolean:
        return pd.Series(values, dtype="boolean")
    if isinstance(dtype, nw.Int128 | nw.UInt128):
        return pd.Series(values, dtype=object)
    if dtype.is_integer():
        unsigned = isinstance(dtype, nw.UInt64)
        return pd.Series(values, dtype="UInt64" if unsigned else "Int64")
    if dtype.is_float():
        return pd.Series(values, dtype="float64")
    return pd.Series(values, dtype=object)


def _places(columns: Sequence[str], names: Sequence[str]) -> dict[str, int]:
    """Where each needed column stands."""
    places: dict[str, int] = {}
    for name in names:
        found = [place for place, column in enumerate(columns) if column == name]
        if not found:
            raise _no_column(name, columns)
        if len(found) > 1:
            raise DataError(
                f"The table has {len(found)} columns named {name!r}", hint="Rename or drop one"
            )
        places[name] = found[0]
    return places


def _no_column(name: str, columns: Sequence[str]) -> DataError | FormulaError:
    head = name.split(".")[0]
    if head != name and head in columns:
        return FormulaError(
            f"{shorter(name, 80)!r} is not a column, and attributes of {head!r} can't be used in a "
            "formula",
            hint="Put the values in a column of the table",
        )
    return ColumnError(
        f"There is no column {shorter(name, 80)!r} in the table",
        hint=nearest(name, columns, "column"),
    )

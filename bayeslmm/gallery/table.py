"""Reads a model's data file: CSV or Parquet, with the levels that the model file gives."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bayeslmm.errors import FileError, nearest
from bayeslmm.gallery.types import Column

MISSING = ["", "NA", "NaN", "nan"]
_ENCODING = "utf-8-sig"  # UTF-8, with or without the mark that spreadsheets put in front


def read_table(path: Path, columns: Mapping[str, Column]) -> pd.DataFrame:
    """Read a data file; `columns` describes those whose type has to be declared.

    Parameters
    ----------
    path : Path
        A ``.csv`` file (UTF-8, header line; empty, ``NA`` or ``NaN`` is missing) or ``.parquet``.
    columns : mapping
        By column name; columns not named are read as pandas reads them.

    Raises
    ------
    FileError
        A missing file or column, unreadable text, a value that is not among the levels, or text
        in a column of numbers.
    """
    if not path.is_file():
        raise FileError(
            f"There is no data file {str(path)!r}",
            hint="data.file is relative to the folder of the model file",
        )
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    if path.suffix.lower() not in readers:
        raise FileError(f"{path.name}: unknown kind of data file", allowed=readers)
    table = readers[path.suffix.lower()](path, columns)
    for name, column in columns.items():
        if name not in table.columns:
            raise FileError(
                f"{path.name} has no column {name!r}", hint=nearest(name, map(str, table.columns))
            )
        convert = _as_category if column.kind == "category" else _as_number
        table[name] = convert(table[name], column, path)
    return table


def _read_csv(path: Path, columns: Mapping[str, Column]) -> pd.DataFrame:
    as_text = {name: str for name, column in columns.items() if column.kind == "category"}
    try:
        header = pd.read_csv(path, header=None, nrows=1, dtype=str, encoding=_ENCODING)
        _refuse_duplicates([str(name) for name in header.iloc[0]], path)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # more values than headings
            return pd.read_csv(
                path,
                dtype=as_text,
                encoding=_ENCODING,
                index_col=False,
                keep_default_na=False,
                low_memory=False,
                na_values=MISSING,
            )
    except pd.errors.EmptyDataError as error:
        raise FileError(f"{path.name} is empty") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError) as error:
        raise FileError(f"{path.name} can't be read as CSV: {error}") from error


def _read_parquet(path: Path, columns: Mapping[str, Column]) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except ImportError as error:
        raise FileError(
            f"{path.name}: reading Parquet needs pyarrow", hint="pip install 'bayeslmm[tables]'"
        ) from error
    except (ValueError, OSError) as error:  # pyarrow's own errors are ValueErrors
        raise FileError(f"{path.name} can't be read as Parquet: {error}") from error


def _refuse_duplicates(names: list[str], path: Path) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise FileError(f"{path.name} has two columns with the same name", got=twice)


def _as_category(values: pd.Series, column: Column, path: Path) -> pd.Series:
    labels = _labels(values)
    levels = column.levels
    if levels is None:
        if isinstance(values.dtype, pd.CategoricalDtype):
            levels = tuple(map(str, values.cat.categories))
        else:
            levels = tuple(sorted(labels.dropna().unique()))
    stray = (labels.notna() & ~labels.isin(levels)).to_numpy()
    if stray.any():
        row = int(stray.argmax())
        raise FileError(
            f"{path.name}, column {values.name!r}, row {row + 1}: not one of the levels",
            got=repr(labels.iloc[row]),
            allowed=levels,
        )
    return labels.astype(pd.CategoricalDtype(list(levels), ordered=column.ordered))


def _labels(values: pd.Series) -> pd.Series:
    """The values as text; whole numbers without a decimal point, missing ones left missing."""
    if pd.api.types.is_float_dtype(values.dtype) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype(object).map(str, na_action="ignore")


def _as_number(values: pd.Series, column: Column, path: Path) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    stray = (values.notna() & numbers.isna()).to_numpy()
    if stray.any():
        row = int(stray.argmax())
        raise FileError(
            f"{path.name}, column {values.name!r}, row {row + 1}: not a number",
            got=repr(values.iloc[row]),
        )
    return numbers

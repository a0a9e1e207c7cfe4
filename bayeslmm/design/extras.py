"""Row-wise inputs beside the formula: weights, known standard deviations, trials, offset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bayeslmm.design.table import Taken, matched
from bayeslmm.errors import DataError

Extras = Mapping[str, str | ArrayLike]
_ALLOWED = "a column's name, or one number for each row"


def read_extras(extras: Extras | None, table: Taken) -> dict[str, pd.Series[Any]]:
    """The extras as columns beside the table's, by what they are for.

    Parameters
    ----------
    extras : dict of str to (column name or array of shape (n,))
    table : Taken, n rows
        Holds the named columns. A Series is matched by the row labels of a pandas table; all else
        by position.

    Raises
    ------
    DataError
        If an array hasn't one number a row, or a Series has other row labels.
    """
    return {key: _read(key, value, table) for key, value in (extras or {}).items()}


def named_columns(extras: Extras | None) -> list[str]:
    """The extras that are column names."""
    return [value for value in (extras or {}).values() if isinstance(value, str)]


def _read(key: str, value: str | ArrayLike, table: Taken) -> pd.Series[Any]:
    if isinstance(value, str):
        return table.columns[value]
    column = value if isinstance(value, pd.Series | pd.Index) else pd.Series(_array(key, value))
    if len(column) != len(table):
        raise DataError(
            f"{key} has {len(column)} values for {len(table)} rows of the table", allowed=_ALLOWED
        )
    if table.labelled and isinstance(value, pd.Series):
        column = matched(value, table.index, key, "the table")
    # without its own name, which may be that of another column
    return pd.Series(column).set_axis(table.index).rename(None)


def _array(key: str, value: ArrayLike) -> NDArray[Any]:
    array = np.asarray(value)
    if array.ndim != 1:
        raise DataError(f"{key} has {array.ndim} dimensions", allowed=_ALLOWED)
    return array

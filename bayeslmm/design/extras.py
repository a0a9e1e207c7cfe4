"""Row-wise inputs beside the formula: weights, known standard deviations, trials, offset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bayeslmm.design.table import Taken
from bayeslmm.errors import DataError

Extras = Mapping[str, str | ArrayLike]


def read_extras(extras: Extras | None, table: Taken) -> dict[str, pd.Series[Any]]:
    """The extras as columns beside the table's, by what they are for.

    Parameters
    ----------
    extras : dict of str to (column name or array of shape (n,))
    table : Taken, n rows
        Holds the named columns.

    Raises
    ------
    DataError
        If an array hasn't one number a row.
    """
    return {key: _read(key, value, table) for key, value in (extras or {}).items()}


def named_columns(extras: Extras | None) -> list[str]:
    """The extras that are column names."""
    return [value for value in (extras or {}).values() if isinstance(value, str)]


def _read(key: str, value: str | ArrayLike, table: Taken) -> pd.Series[Any]:
    if isinstance(value, str):
        return table.columns[value]
    if not isinstance(value, pd.Series | pd.Index):
        array = np.asarray(value)
        if array.ndim != 1:
            raise DataError(
                f"{key} has {array.ndim} dimensions",
                allowed=f"a column's name, or one number for each of the {len(table)} rows",
            )
        value = pd.Series(array)
    if len(value) != len(table):
        raise DataError(f"{key} has {len(value)} values, and the table {len(table)} rows")
    # without its own name, which may be that of another column
    return pd.Series(value).set_axis(table.index).rename(None)

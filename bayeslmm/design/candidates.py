"""A table of candidate rows through the fixed part of a formula; no response is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.design.coding import learn_terms
from bayeslmm.design.columns import first_row, missing_in, normal_columns
from bayeslmm.design.table import take
from bayeslmm.design.transforms import State
from bayeslmm.design.types import Floats
from bayeslmm.errors import DataError, DataWarning, FormulaError, warn
from bayeslmm.formula import columns_of, parse


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Rows that a design may be made of.

    Attributes
    ----------
    coefs : tuple of str, length p
    X : ndarray, shape (N, p)
    table : DataFrame, N rows
        As it was given, if it was a DataFrame; else the columns that the formula names.
    """

    coefs: tuple[str, ...]
    X: Floats
    table: pd.DataFrame

    def chosen(self, places: NDArray[np.intp]) -> pd.DataFrame:
        """Some of the rows, with their labels."""
        return self.table.iloc[places]


def read_candidates(text: str, data: Any) -> Candidates:
    """The fixed columns of a formula for every row of a table.

    Parameters
    ----------
    text : str
        ``"~ x + I(x**2)"``; a response is not looked at.
    data : table
        pandas, polars, Arrow, or a dict of columns.

    Raises
    ------
    FormulaError
        Random terms: rows of one level depend on each other.
    ColumnError, DataError
        A column that isn't there, or has missing values.
    """
    formula = parse(text, one_sided=isinstance(text, str) and text.lstrip().startswith("~"))
    if formula.random:
        raise FormulaError(
            "Optimal designs exchange single rows and need a formula without random terms",
            got=str(formula.random[0]),
            hint="Compare whole designs by compare_designs, or give the group as a fixed effect",
        )
    names = list(columns_of(replace(formula, response="")))
    raw = take(data, names or _any_column(data))
    for name, column in raw.columns.items():
        gone = missing_in(column)
        if gone.any():
            raise DataError(
                f"The candidates' column {name!r} has missing values, "
                f"the first in row {first_row(column.index, gone)}"
            )
    columns = normal_columns(raw, [])
    for note in columns.time_notes:
        warn(note, DataWarning)
    states: dict[str, State] = {}
    terms = learn_terms(formula.fixed, columns, states)
    X = terms.values(columns, states)
    if not np.all(np.isfinite(X)):
        bad = [terms.names[j] for j in np.flatnonzero(~np.isfinite(X).all(axis=0))]
        raise DataError("Columns of the candidates must be finite", got=", ".join(bad))
    table = data if isinstance(data, pd.DataFrame) else pd.DataFrame(dict(raw.columns))
    return Candidates(terms.names, X, table)


def _any_column(data: Any) -> list[str]:
    """A column to count the rows by, for ``~ 1``."""
    names = data if isinstance(data, Mapping) else getattr(data, "column_names", None)
    return [str(name) for name in (getattr(data, "columns", ()) if names is None else names)][:1]

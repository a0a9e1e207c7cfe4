"""How the levels of a categorical become columns: dummies, or contrasts (formulaic's)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from formulaic.transforms.contrasts import (
    DiffContrasts,
    HelmertContrasts,
    PolyContrasts,
    SumContrasts,
    TreatmentContrasts,
)
from numpy.typing import NDArray

from bayeslmm.design.columns import first_row
from bayeslmm.design.types import Floats
from bayeslmm.errors import DataError, FormulaError, LevelError, nearest
from bayeslmm.formula.syntax import Contrast

_KINDS = {
    "treatment": TreatmentContrasts,
    "sum": SumContrasts,
    "helmert": HelmertContrasts,
    "poly": PolyContrasts,
    "diff": DiffContrasts,
}
TREATMENT, POLYNOMIAL = Contrast("treatment"), Contrast("poly")


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """Columns made from the codes of a categorical.

    Attributes
    ----------
    matrix : ndarray, shape (J, k)
        The k values of each of the J levels.
    labels : tuple of str, length k
        What stands in the brackets of a coefficient, ``Sex[Male]``.
    """

    matrix: Floats
    labels: tuple[str, ...]


def dummies(levels: NDArray[Any]) -> Coding:
    """A column for each level."""
    return Coding(np.eye(len(levels)), tuple(map(label, levels)))


def contrasts(levels: NDArray[Any], contrast: Contrast, column: str) -> Coding:
    """One column fewer than levels, coded as `contrast` says.

    Raises
    ------
    DataError
        If there is one level only.
    FormulaError
        If the contrast doesn't fit the levels.
    """
    if len(levels) < 2:
        raise DataError(
            f"The column {column!r} has one level only, {label(levels[0])!r}; its effect can't "
            "be told from the intercept",
            hint="Leave it out",
        )
    options = {option.name: option.value for option in contrast.options}
    known = [level.item() if isinstance(level, np.generic) else level for level in levels]
    if "base" in options:
        options["base"] = _base(known, options["base"], column)
    try:
        coding = _KINDS[contrast.kind](**options)
        matrix = coding.get_coding_matrix(known, reduced_rank=True)
        names = coding.get_coding_column_names(known, reduced_rank=True)
    except ValueError as error:
        raise FormulaError(
            f"contr.{contrast.kind} doesn't fit {column!r} with {len(levels)} levels",
            got=str(error),
        ) from error
    return Coding(np.asarray(matrix, dtype=np.float64), tuple(map(label, names)))


def label(level: object) -> str:
    """A level as text; a whole float without its point."""
    plain = level.item() if isinstance(level, np.generic) else level
    return str(int(plain)) if isinstance(plain, float) and plain.is_integer() else str(plain)


def levels_of(column: pd.Series[Any]) -> NDArray[Any]:
    """The levels of a normal column: its categories, or its numbers in order; shape (J,)."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        categories = list(column.cat.categories)
        return np.array(categories) if categories else np.empty(0)
    found = np.unique(column.to_numpy())
    whole = found.astype(np.int64) if np.all(np.abs(found) < 2**53) else found
    return whole if np.array_equal(whole, found) else found


def codes_of(column: pd.Series[Any], levels: NDArray[Any]) -> NDArray[np.intp]:
    """Level of each row, -1 where it isn't one of `levels`; shape (n,)."""
    known = pd.Index(list(levels.tolist()), dtype=object)
    if isinstance(column.dtype, pd.CategoricalDtype):
        of_category = known.get_indexer(pd.Index(list(column.cat.categories), dtype=object))
        return np.asarray(of_category, dtype=np.intp)[column.cat.codes.to_numpy()]
    found, inverse = np.unique(column.to_numpy(), return_inverse=True)
    of_value = known.get_indexer(pd.Index(found.tolist(), dtype=object))
    return np.asarray(of_value, dtype=np.intp)[inverse]


def unseen(name: str, column: pd.Series[Any], codes: NDArray[np.intp], what: str) -> LevelError:
    """The error for the first row whose level has no code."""
    rows = np.flatnonzero(codes < 0)
    value = column.iloc[rows[0]]
    values = list(dict.fromkeys(label(column.iloc[row]) for row in rows[:1000]))
    more = f" (and {len(values) - 1} more such levels)" if len(values) > 1 else ""
    row = first_row(column.index, codes < 0)
    return LevelError(
        f"The level {label(value)!r} of {name!r}{more}, in row {row}, "
        "was not in the data that the model learnt from",
        hint=what,
    )


def _base(levels: list[Any], base: Any, column: str) -> Any:
    for level in levels:
        # the formula can't tell the level 1 from the level "1"
        if level == base or label(level) == label(base):
            return level
    raise FormulaError(
        f"{label(base)!r} is not a level of {column!r}",
        hint=nearest(label(base), map(label, levels)),
    )

"""One column of any type to one of three: whole numbers, floats, or a categorical.

Text and truth values become categoricals, as in R, so that nothing downstream ever asks what
a column was stored as. Missing values are looked for before, and gone by then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.design.types import Floats
from bayeslmm.errors import DataError

_TIMES = "Turn it into a number first, such as days since a start"
_TIME_GROUPS = "As a grouping factor it has to be text: data[{0!r}] = data[{0!r}].astype(str)"


def missing_in(column: pd.Series[Any]) -> NDArray[np.bool_]:
    """Which rows of a column have no value, ``None``, ``NA`` or ``NaN``; shape (n,)."""
    gone = column.isna().to_numpy(dtype=bool)
    if pd.api.types.is_float_dtype(column.dtype):
        # nullable and Arrow floats tell NaN from NA; here both are missing
        gone = gone | np.isnan(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return gone


def normal_frame(raw: pd.DataFrame, grouping: Collection[str]) -> pd.DataFrame:
    """All columns in normal form; those of `grouping` are grouping factors."""
    columns = {name: normalise(raw[name], name, group=name in grouping) for name in raw.columns}
    return pd.DataFrame(columns, index=raw.index)


def normalise(column: pd.Series[Any], name: str, *, group: bool = False) -> pd.Series[Any]:
    """A column without missing values as int64, float64 or a categorical of its used levels.

    Parameters
    ----------
    column : Series, shape (n,)
    name : str
        What messages call it.
    group : bool
        Whether it is a grouping factor; messages advise accordingly.

    Returns
    -------
    Series, shape (n,)
        Levels of text are sorted, those of truth values are False and True; a categorical
        keeps the order of its categories, and whether it is ordered.

    Raises
    ------
    DataError
        For infinite values, and types that stand for neither numbers nor groups.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.ArrowDtype) and str(dtype).startswith("dictionary"):
        arrow: Any = column.array.__arrow_array__()
        column = arrow.unify_dictionaries().to_pandas().set_axis(column.index)
        dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _categorical(column, name)
    if pd.api.types.is_bool_dtype(dtype):
        return _of_levels(column, [bool(v) for v in column], [False, True])
    if pd.api.types.is_complex_dtype(dtype):
        raise DataError(f"The column {name!r} is complex", allowed="real numbers")
    if _is_time(dtype):
        raise _times(name, str(dtype), group)
    if pd.api.types.is_numeric_dtype(dtype):
        return _number(column, name)
    if pd.api.types.is_string_dtype(dtype) and not _is_object(dtype):
        values = [str(v) for v in column]
        return _of_levels(column, values, sorted(set(values)))
    if _is_object(dtype):
        return _object(column, name, group)
    raise DataError(f"The column {name!r} can't be used", got=str(dtype))


def first_row(index: pd.Index[Any], mask: NDArray[np.bool_]) -> str:
    """The label of the first row of `mask`, as messages show it."""
    label = index[int(mask.argmax())]
    return repr(label.item() if isinstance(label, np.generic) else label)


def unused_levels(before: pd.Series[Any], after: pd.Series[Any]) -> list[str]:
    """Levels of a categorical column that no row has; `after` is its normal form."""
    if not isinstance(before.dtype, pd.CategoricalDtype):
        return []
    used = set(after.cat.categories)
    return [str(level) for level in map(_label, before.cat.categories) if level not in used]


def numbers(column: pd.Series[Any], what: str, name: str) -> Floats:
    """A normal column, `name` in the table, as floats; truth values are 0 and 1.

    Raises
    ------
    DataError
        If it is categorical; `what` says where it was to be a number.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        if not is_truth(column):
            raise DataError(
                f"{what} has to be a number",
                got="text or a categorical, with levels "
                + ", ".join(map(str, column.cat.categories[:5])),
                hint=f"If the text shows numbers, convert it: "
                f"data[{name!r}] = data[{name!r}].astype(float)",
            )
        column = column.astype(bool)
    return column.to_numpy(dtype=np.float64)


def input_numbers(key: str, column: pd.Series[Any]) -> Floats:
    """A row-wise input (``weights``, ...) without missing values, as floats."""
    return numbers(normalise(column, key), key, str(column.name or key))


def is_truth(column: pd.Series[Any]) -> bool:
    """Whether a categorical's levels are truth values."""
    return all(isinstance(level, bool | np.bool_) for level in column.cat.categories)


def _is_object(dtype: Any) -> bool:
    return getattr(dtype, "kind", "") == "O" and isinstance(dtype, np.dtype)


def _is_time(dtype: Any) -> bool:
    if isinstance(dtype, pd.ArrowDtype):
        words = ("timestamp", "date", "time", "duration")
        return str(dtype).startswith(words)
    return getattr(dtype, "kind", "") in "mM" or isinstance(dtype, pd.PeriodDtype)


def _times(name: str, got: str, group: bool) -> DataError:
    hint = _TIME_GROUPS.format(name) if group else _TIMES
    return DataError(f"The column {name!r} holds times", got=got, hint=hint)


def _number(column: pd.Series[Any], name: str) -> pd.Series[Any]:
    if pd.api.types.is_integer_dtype(column.dtype) and column.max() < 2**63:
        return pd.Series(column.to_numpy(dtype=np.int64), index=column.index)
    values = column.to_numpy(dtype=np.float64)
    infinite = ~np.isfinite(values)
    if infinite.any():
        raise DataError(
            f"The column {name!r} has {infinite.sum()} infinite value(s), "
            f"the first in row {first_row(column.index, infinite)}",
            hint="Correct them, or mark them as missing",
        )
    return pd.Series(values, index=column.index)


def _object(column: pd.Series[Any], name: str, group: bool) -> pd.Series[Any]:
    kind = pd.api.types.infer_dtype(column, skipna=True)
    values = column.tolist()
    if kind == "string":
        texts = [str(v) for v in values]
        return _of_levels(column, texts, sorted(set(texts)))
    if kind == "boolean":
        return _of_levels(column, [bool(v) for v in values], [False, True])
    if kind == "integer":
        return normalise(_from_objects(column, values), name)
    if kind in ("floating", "mixed-integer-float", "decimal"):
        return _number(pd.Series([float(v) for v in values], index=column.index), name)
    if kind in ("datetime", "datetime64", "date", "time", "timedelta", "timedelta64", "period"):
        raise _times(name, kind, group)
    if kind == "complex":
        raise DataError(f"The column {name!r} is complex", allowed="real numbers")
    names = [type(v).__name__ for v in values]
    kinds = list(dict.fromkeys(names))
    odd = np.array(names) == kinds[-1]
    raise DataError(
        f"The column {name!r} mixes types"
        if len(kinds) > 1
        else f"The column {name!r} can't be used",
        got=f"{', '.join(kinds)}; the first {kinds[-1]} is in row {first_row(column.index, odd)}",
        allowed="numbers alone, or text alone",
        hint=f"Convert it: data[{name!r}] = pd.to_numeric(data[{name!r}]), "
        f"or data[{name!r}].astype(str)",
    )


def _from_objects(column: pd.Series[Any], values: Sequence[Any]) -> pd.Series[Any]:
    big = any(abs(v) >= 2**63 for v in values)
    return pd.Series(values, index=column.index, dtype="float64" if big else "int64")


def _categorical(column: pd.Series[Any], name: str) -> pd.Series[Any]:
    levels = [_label(level) for level in column.cat.categories]
    kinds = {"number" if isinstance(v, int | float) else type(v).__name__ for v in levels}
    if len(kinds - {"bool"}) > 1 or len(kinds) > 1:
        raise DataError(
            f"The levels of {name!r} mix types",
            got=", ".join(sorted(kinds)),
            hint=f"Rename them: data[{name!r}].cat.rename_categories(str)",
        )
    codes = column.cat.codes.to_numpy()
    used = np.bincount(codes, minlength=len(levels)) > 0
    renumbered = (np.cumsum(used) - 1)[codes]
    kept = [level for level, is_used in zip(levels, used, strict=True) if is_used]
    ordered = bool(column.cat.ordered)
    dtype = pd.CategoricalDtype(pd.Index(kept, dtype=_index_dtype(kept)), ordered=ordered)
    return pd.Series(pd.Categorical.from_codes(renumbered, dtype=dtype), index=column.index)


def _of_levels(column: pd.Series[Any], values: list[Any], levels: list[Any]) -> pd.Series[Any]:
    present = set(values)
    kept = [level for level in levels if level in present]
    dtype = pd.CategoricalDtype(pd.Index(kept, dtype=_index_dtype(kept)), ordered=False)
    return pd.Series(pd.Categorical(values, dtype=dtype), index=column.index)


def _label(level: Any) -> str | int | float | bool:
    """A level as text, a number or a truth value: what a file and a coordinate can hold."""
    plain = level.item() if isinstance(level, np.generic) else level
    return plain if isinstance(plain, str | int | float | bool) else str(plain)


def _index_dtype(levels: Sequence[Any]) -> Any:
    """Text and truth values as objects, so that they don't depend on pandas' string types."""
    return object if any(isinstance(v, str | bool) for v in levels) else None

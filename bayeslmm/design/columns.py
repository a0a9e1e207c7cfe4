"""One column of any type to one of three: whole numbers, floats, or a categorical.

Text and truth values become categoricals, as in R, and times become days since an origin, so that
nothing downstream ever asks what a column was stored as. Missing values are looked for before, and
gone by then.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.design.normal import Columns, Normal, index_dtype
from bayeslmm.design.numeric_text import numeric_text
from bayeslmm.design.table import Taken
from bayeslmm.design.times import OBJECTS, Origin, days_of, is_time, no_times
from bayeslmm.design.types import Floats
from bayeslmm.errors import DataError, listed, shorter

_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")  # NUL, and halves of surrogate pairs
_TIMES = "Convert it to a number first, such as days since a start"
_TIME_GROUPS = "For a grouping factor convert it to text: data[{0!r}] = data[{0!r}].astype(str)"
NO_ORIGINS: Mapping[str, Origin | None] = {}


def missing_in(column: pd.Series[Any]) -> NDArray[np.bool_]:
    """Which rows of a column have no value, ``None``, ``NA`` or ``NaN``; shape (n,)."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iub":
        return np.zeros(len(column), dtype=bool)
    if isinstance(dtype, np.dtype) and dtype.kind == "f":
        return np.isnan(column.to_numpy())
    gone = column.isna().to_numpy(dtype=bool)
    if pd.api.types.is_float_dtype(column.dtype):
        # nullable and Arrow floats tell NaN from NA; here both are missing
        gone = gone | np.isnan(column.to_numpy(dtype=np.float64, na_value=np.nan))
    return gone


def normal_columns(
    table: Taken,
    grouping: Collection[str],
    *,
    origins: Mapping[str, Origin | None] = NO_ORIGINS,
    not_times: Collection[str] = (),
) -> Columns:
    """All columns in normal form.

    Parameters
    ----------
    table : Taken
    grouping : collection of str
        Those that are grouping factors.
    origins : mapping of str to (Origin or None)
        What was learnt of times: the origin of a column of times, None of any other one. Of a
        column that isn't there it is learnt.
    not_times : collection of str
        Those that can't hold times.
    """
    columns = {
        name: _normal(column, name, name in grouping, origins)
        if name not in not_times
        else normalise(column, name, group=name in grouping)
        for name, column in table.columns.items()
    }
    return Columns(columns, table.index)


def _normal(
    column: pd.Series[Any], name: str, group: bool, origins: Mapping[str, Origin | None]
) -> Normal:
    learnt = origins.get(name)
    if group or not _holds_times(column):
        if learnt is not None:
            raise no_times(column, name, learnt)
        return normalise(column, name, group=group)
    if name in origins and learnt is None:
        raise DataError(
            f"The column {name!r} holds times",
            got=str(column.dtype),
            allowed="numbers, text or categories, as in the model's data",
        )
    days, origin = days_of(column, name, learnt)
    return Normal(name, _own(days), column.index, origin=origin)


def _holds_times(column: pd.Series[Any]) -> bool:
    if _is_object(column.dtype):
        return pd.api.types.infer_dtype(column, skipna=True) in OBJECTS
    return is_time(column.dtype)


def normalise(column: pd.Series[Any], name: str, *, group: bool = False) -> Normal:
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
    Normal, n rows
        Levels of text are sorted, those of truth values are False and True; a categorical
        keeps the order of its categories, and whether it is ordered.

    Raises
    ------
    DataError
        For infinite values, times, and types that stand for neither numbers nor groups.
    """
    dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iuf":
        return _number(column, name, group=group)
    if isinstance(dtype, pd.ArrowDtype) and str(dtype).startswith("dictionary"):
        arrow: Any = column.array.__arrow_array__()
        column = arrow.unify_dictionaries().to_pandas().set_axis(column.index)
        # a dictionary may name more than its column holds, and means nothing by it
        found = _categorical(column, name)
        return found if found.ordered else replace(found, unused=(), declared=())
    if isinstance(dtype, pd.CategoricalDtype):
        return _categorical(column, name)
    if pd.api.types.is_bool_dtype(dtype):
        return _truth(column, name, column.to_numpy(dtype=bool))
    if pd.api.types.is_complex_dtype(dtype):
        raise DataError(f"The column {name!r} is complex", allowed="real numbers")
    if is_time(dtype):
        raise _times(name, str(dtype), group)
    if pd.api.types.is_numeric_dtype(dtype):
        return _number(column, name, group=group)
    if pd.api.types.is_string_dtype(dtype) and not _is_object(dtype):
        return _text(column, name)
    if _is_object(dtype):
        return _object(column, name, group)
    raise DataError(f"The column {name!r} can't be used", got=str(dtype))


def first_row(index: pd.Index[Any], mask: NDArray[np.bool_]) -> str:
    """The label of the first row of `mask`, as messages show it."""
    label = index[int(mask.argmax())]
    return repr(label.item() if isinstance(label, np.generic) else label)


def numbers(column: Normal, what: str, name: str) -> Floats:
    """A normal column, `name` in the table, as floats; truth values are 0 and 1.

    Raises
    ------
    DataError
        If it is categorical; `what` says where it was to be a number.
    """
    if column.labels is not None and not column.is_truth:
        raise DataError(
            f"{what} must be numeric",
            got="text or a categorical, with levels " + listed(column.labels, 60),
            hint=_as_numbers(column.labels, name),
        )
    return column.floats


def _as_numbers(labels: Sequence[Any], name: str) -> str:
    """How a column of these levels is made numeric."""
    found = numeric_text(labels)
    if not found.n_numbers:
        return (
            f"If the text shows numbers, convert it: data[{name!r}] = data[{name!r}].astype(float)"
        )
    if found.others:
        return (
            f"{listed(map(repr, found.others), 60)} is not a number; to make it missing, write "
            f"{found.remedy(name)}"
        )
    return f"If the text shows numbers, convert it: {found.remedy(name)}"


def input_numbers(key: str, column: pd.Series[Any]) -> Floats:
    """A row-wise input (``weights``, ...) without missing values, as floats."""
    return numbers(normalise(column, key), key, str(column.name or key))


def _is_object(dtype: Any) -> bool:
    return getattr(dtype, "kind", "") == "O" and isinstance(dtype, np.dtype)


def _times(name: str, got: str, group: bool) -> DataError:
    hint = _TIME_GROUPS.format(name) if group else _TIMES
    return DataError(f"The column {name!r} holds times", got=got, hint=hint)


def _number(column: pd.Series[Any], name: str, *, group: bool = False) -> Normal:
    """Numbers, copied: the table stays its owner's to change."""
    if _fits_int64(column):
        return Normal(name, _own(column.to_numpy(dtype=np.int64)), column.index)
    if pd.api.types.is_integer_dtype(column.dtype):
        return _long_integers([int(v) for v in column], column.index, name, group)
    values = column.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        infinite = ~np.isfinite(values)
        raise DataError(
            f"The column {name!r} has {infinite.sum()} infinite value(s), "
            f"the first in row {first_row(column.index, infinite)}",
            hint="Correct them, or mark them as missing",
        )
    return Normal(name, _own(values), column.index)


def _fits_int64(column: pd.Series[Any]) -> bool:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "i":
        return True
    return bool(pd.api.types.is_integer_dtype(column.dtype) and column.max() < 2**63)


def _own(values: NDArray[Any]) -> NDArray[Any]:
    own = values.copy()
    own.flags.writeable = False
    return own


def _object(column: pd.Series[Any], name: str, group: bool) -> Normal:
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind == "string":
        return _text(column, name)
    values = column.tolist()
    if kind == "boolean":
        return _truth(column, name, np.array([bool(v) for v in values]))
    if kind == "integer":
        whole = [int(v) for v in values]
        if all(-(2**63) <= v < 2**63 for v in whole):
            return _number(pd.Series(whole, index=column.index, dtype="int64"), name)
        return _long_integers(whole, column.index, name, group)
    if kind in ("floating", "mixed-integer-float", "decimal"):
        own = _number(pd.Series(_floats(values, name), index=column.index), name)
        return replace(own, merged=len(set(values)) > len(set(own.values.tolist())))
    if kind in OBJECTS:
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


def _long_integers(values: Sequence[int], index: pd.Index[Any], name: str, group: bool) -> Normal:
    """Whole numbers beyond 64 bits: text as levels of a grouping factor, else floats."""
    known = sorted(set(values))
    if group:
        place = {value: code for code, value in enumerate(known)}
        codes = np.array([place[value] for value in values], dtype=np.intp)
        return Normal(name, codes, index, [str(value) for value in known])
    floats = np.array(_floats(values, name))
    merged = len(set(map(float, known))) < len(known)
    return Normal(name, _own(floats), index, merged=merged)


def _floats(values: Sequence[Any], name: str) -> list[float]:
    try:
        return [float(value) for value in values]
    except OverflowError:
        raise DataError(
            f"The column {name!r} contains numbers beyond the range of floats",
            hint="Divide them by a power of ten first",
        ) from None


def _categorical(column: pd.Series[Any], name: str) -> Normal:
    levels = _labels(column.cat.categories)
    _require_writable([level for level in levels if isinstance(level, str)], name)
    if not set(map(type, levels)) <= {str}:
        _require_one_kind(levels, name)
    codes = column.cat.codes.to_numpy().astype(np.intp)
    used = np.bincount(codes, minlength=len(levels)) > 0
    ordered = bool(column.cat.ordered)
    if used.all():
        return Normal(name, codes, column.index, _alike(levels), ordered)
    kept = _alike([levels[place] for place in np.flatnonzero(used)])
    unused = tuple(str(levels[place]) for place in np.flatnonzero(~used))
    return Normal(
        name, (np.cumsum(used) - 1)[codes], column.index, kept, ordered, unused, _alike(levels)
    )


def _require_one_kind(levels: Sequence[Any], name: str) -> None:
    kinds = {"number" if isinstance(v, int | float) else type(v).__name__ for v in levels}
    if len(kinds) > 1:
        raise DataError(
            f"The levels of {name!r} mix types",
            got=", ".join(sorted(kinds)),
            hint=f"Rename them: data[{name!r}].cat.rename_categories(str)",
        )


def _text(column: pd.Series[Any], name: str) -> Normal:
    """A column of text: its levels are sorted as Python sorts text."""
    codes, found = pd.factorize(column)
    texts = [str(v) for v in found]
    order = sorted(range(len(texts)), key=texts.__getitem__)
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    labels = [texts[i] for i in order]
    _require_writable(labels, name)
    return Normal(name, place[codes], column.index, labels, is_text=True)


def _require_writable(levels: Sequence[str], name: str) -> None:
    """Refuse text that no file and no array can hold."""
    if not _UNWRITABLE.search("".join(levels)):
        return
    level = next(level for level in levels if _UNWRITABLE.search(level))
    raise DataError(
        f"The level {shorter(ascii(level), 80)} of {name!r} has a character that can't be written "
        "to a file",
        allowed="text without NUL and without lone surrogates",
        hint=f"Rename it: data[{name!r}] = data[{name!r}].str.replace(...)",
    )


def _truth(column: pd.Series[Any], name: str, values: NDArray[np.bool_]) -> Normal:
    labels = [level for level in (False, True) if (values == level).any()]
    codes = values.astype(np.intp) - int(labels[0])
    return Normal(name, codes, column.index, labels)


def _labels(categories: pd.Index[Any]) -> list[str | int | float | bool]:
    """Levels as text, numbers or truth values: what a file and a coordinate can hold."""
    plain = categories.tolist()
    if set(map(type, plain)) <= {str}:
        return plain
    labels = [_label(level) for level in plain]
    whole = [v for v in labels if isinstance(v, int)]
    if any(not -(2**63) <= v < 2**63 for v in whole):  # arrays would make floats of them
        return [str(v) for v in labels]
    return labels


def _label(level: Any) -> str | int | float | bool:
    plain = level.item() if isinstance(level, np.generic) else level
    return plain if isinstance(plain, str | int | float | bool) else str(plain)


def _alike(levels: list[Any]) -> list[Any]:
    """Whole numbers beside fractions as floats too."""
    same = len(set(map(type, levels))) == 1
    return levels if same else pd.Index(levels, dtype=index_dtype(levels)).tolist()

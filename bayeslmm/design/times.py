"""Dates and times of any type as days since an origin, and durations as days.

The origin is the earliest value in the data. A design keeps it, so that new rows and saved fits
are counted from the same one. Values are split into whole days and nanoseconds of a day first:
no unit overflows, and whole days are exact.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.design.types import Floats
from bayeslmm.errors import DataError

DAY = 86_400_000_000_000  # nanoseconds
PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": DAY}  # pandas' units
_DATES = ("datetime", "datetime64", "date")
_DURATIONS = ("timedelta", "timedelta64")
YEARS = (1000, 2999)  # whole numbers that look like years of the calendar
OBJECTS = (*_DATES, *_DURATIONS, "period", "time")  # kinds that pandas infers of objects
_MAKE = "Convert it to a number first, such as hours since midnight"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the days of a column are counted from.

    Attributes
    ----------
    day : int
        Since 1970-01-01.
    rest : int
        Nanoseconds of that day.
    aware : bool
        Whether the column's times have a time zone; `day` and `rest` are UTC then.
    duration : bool
        Whether the column holds durations, which need no origin.
    """

    day: int = 0
    rest: int = 0
    aware: bool = False
    duration: bool = False

    @property
    def kind(self) -> str:
        """What its column holds."""
        if self.duration:
            return "durations"
        return "times with a time zone" if self.aware else "dates or times without a time zone"

    @property
    def converter(self) -> str:
        """The pandas function that makes such a column."""
        return "pd.to_timedelta" if self.duration else "pd.to_datetime"

    def __str__(self) -> str:
        text = str(np.datetime64(self.day, "D"))
        if self.rest:
            clock = str(np.datetime64(self.rest, "ns")).partition("T")[2]
            text += f" {clock.rstrip('0').rstrip('.') if clock.endswith('000') else clock}"
        return f"{text} UTC" if self.aware else text

    @property
    def unit(self) -> str:
        """What its numbers count."""
        return "days" if self.duration else f"days since {self}"

    def note(self, name: str) -> str:
        """The note on the unit and origin of a column of times."""
        return f"{name} is taken as {self.unit}."

    def values(self, days: Floats) -> pd.Series[Any]:
        """Times or durations of whole nanoseconds, or of microseconds where those don't fit."""
        whole = np.floor(days)
        rest = np.rint((days - whole) * DAY).astype(np.int64) + self.rest
        day = whole.astype(np.int64) + self.day
        fits = bool(np.all(np.abs(day) < 2**63 // DAY - 1))
        unit, size = ("ns", 1) if fits else ("us", 1000)
        ticks = day * (DAY // size) + rest // size
        found = pd.Series(ticks.view(f"{'m' if self.duration else 'M'}8[{unit}]"))
        return found.dt.tz_localize("UTC") if self.aware else found


def is_time(dtype: Any) -> bool:
    """Whether a column's type is one of times."""
    if isinstance(dtype, pd.ArrowDtype):
        return str(dtype).startswith(("timestamp", "date", "time", "duration"))
    return getattr(dtype, "kind", "") in "mM" or isinstance(dtype, pd.PeriodDtype)


def days_of(column: pd.Series[Any], name: str, origin: Origin | None) -> tuple[Floats, Origin]:
    """A column of times without missing values as days, and the origin that they count from.

    Parameters
    ----------
    column : Series, shape (n,)
        Of a type of times, or of objects that are.
    name : str
    origin : Origin, optional
        As it was learnt; the earliest value where there is none.

    Raises
    ------
    DataError
        For times of the day, times of which some have a time zone, and what isn't of the
        origin's kind.
    """
    ticks, aware = _ticks(column, name)
    unit = np.datetime_data(ticks.dtype)[0]
    duration = ticks.dtype.kind == "m"
    per_day = PER_DAY[unit]
    day, rest = np.divmod(ticks.view(np.int64), per_day)
    rest *= DAY // per_day
    if origin is None:
        first = int(np.lexsort((rest, day))[0])
        start = (0, 0) if duration else (int(day[first]), int(rest[first]))
        origin = Origin(*start, aware, duration)
    if (aware, duration) != (origin.aware, origin.duration):
        raise DataError(
            f"The column {name!r} holds {Origin(aware=aware, duration=duration).kind}",
            allowed=f"{origin.kind}, as in the model's data",
            hint=_zone_hint(name, aware, origin),
        )
    return (day - origin.day) + (rest - origin.rest) / DAY, origin


def _zone_hint(name: str, aware: bool, origin: Origin) -> str | None:
    column = f"data[{name!r}]"
    if origin.duration or aware == origin.aware:
        return None
    zone = "None" if aware else "'UTC'"
    return f"If its clock is the same: {column} = {column}.dt.tz_localize({zone})"


def _ticks(column: pd.Series[Any], name: str) -> tuple[NDArray[Any], bool]:
    """Values as numpy's times or durations, and whether they had a time zone."""
    dtype: Any = column.dtype
    if isinstance(dtype, pd.ArrowDtype):
        if str(dtype).startswith("time") and not str(dtype).startswith("timestamp"):
            raise not_days(name, str(dtype))
        arrow: Any = column.array.__arrow_array__()
        column = arrow.to_pandas(date_as_object=False)
    elif isinstance(dtype, np.dtype) and dtype.kind == "O":
        column = _of_objects(column, name)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.start_time
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(), True
    return column.to_numpy(), False


def _of_objects(column: pd.Series[Any], name: str) -> pd.Series[Any]:
    kind, values = pd.api.types.infer_dtype(column, skipna=True), column.tolist()
    if kind == "period" and len({value.freqstr for value in values}) == 1:
        return pd.Series(pd.PeriodIndex(values))
    if kind in _DURATIONS:
        return pd.Series(pd.to_timedelta(values))
    if kind in _DATES:
        return _of_dates(values, name)
    raise not_days(name, kind)


def _of_dates(values: Sequence[Any], name: str) -> pd.Series[Any]:
    zones = {getattr(value, "tzinfo", None) is not None for value in values}
    if len(zones) > 1:
        raise DataError(
            f"The column {name!r} mixes times with and without a time zone",
            hint="Give all of them a time zone, or none",
        )
    utc = zones == {True}
    try:
        return pd.Series(pd.to_datetime(values, utc=utc))
    except pd.errors.OutOfBoundsDatetime:  # nanoseconds reach from 1677 to 2262
        plain = [v.astimezone(dt.UTC).replace(tzinfo=None) if utc else v for v in values]
        found = pd.Series(np.array(plain, dtype="M8[us]"))
        return found.dt.tz_localize("UTC") if utc else found


def no_times(column: pd.Series[Any], name: str, origin: Origin) -> DataError:
    """The error for a column of numbers or text where the model's data have times."""
    got, place = str(column.dtype), f"data[{name!r}]"
    hint = f"Convert it: {place} = {origin.converter}({place})"
    if pd.api.types.is_numeric_dtype(column.dtype):
        numbers = np.asarray(column, dtype=np.float64)
        got = f"{got}, such as {numbers[0]:.15g}"
        hint = _of_numbers(numbers, place, origin)
    return DataError(
        f"The column {name!r} contains no times",
        got=got,
        allowed=f"{origin.kind}, as in the model's data",
        hint=hint,
    )


def _of_numbers(numbers: Floats, place: str, origin: Origin) -> str:
    """How a column of numbers can be written as times: years have a date, other numbers none."""
    if origin.duration:
        return (
            f"Numbers have no unit. If they are days: {place} = pd.to_timedelta({place}, unit='D')"
        )
    zone = ", utc=True" if origin.aware else ""
    if np.all((numbers % 1 == 0) & (numbers >= YEARS[0]) & (numbers <= YEARS[1])):
        text = f"{place}.astype(int).astype(str)"
        return f'If these are years: {place} = pd.to_datetime({text}, format="%Y"{zone})'
    return (
        f"Numbers have no date. Give dates, for example {place} = "
        f'pd.to_datetime("{np.datetime64(origin.day, "D")}"{zone})'
    )


def not_days(name: str, got: str) -> DataError:
    """The error for times that can't be taken as days."""
    return DataError(f"The column {name!r} holds times", got=got, hint=_MAKE)

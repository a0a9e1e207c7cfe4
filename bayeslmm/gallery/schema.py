"""Small readers that check one TOML value each; errors name the place in the file.

A reader takes a value and its `Place` and hands back the checked value. `fields` reads a table
whose keys are known, `mapping` one whose keys are the user's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bayeslmm.errors import FileError, nearest

type Reader[T] = Callable[[object, Place], T]

_KINDS = {str: "text", bool: "true or false", int: "a number", float: "a number"}


@dataclass(frozen=True, slots=True)
class Place:
    """A spot in a model file, for messages: the file, and the dotted key within it."""

    path: Path
    key: str = ""

    def at(self, key: object) -> Place:
        """The spot of `key` within this one."""
        return Place(self.path, f"{self.key}.{key}" if self.key else str(key))

    def item(self, number: int) -> Place:
        """The spot of the `number`-th item (from 1) of the list here."""
        return Place(self.path, f"{self.key}[{number}]")

    def error(
        self, what: str, *, got: object = None, allowed: object = None, hint: str | None = None
    ) -> FileError:
        """A `FileError` that begins with this place."""
        where = f"{self.path.name}, {self.key}" if self.key else self.path.name
        return FileError(f"{where}: {what}", got=got, allowed=allowed, hint=hint)


def kind_of(value: object) -> str:
    """What a TOML value is, in words, with the value itself where that is short."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return f"{_KINDS.get(type(value), 'a date or time')} ({value!r})"


def text(value: object, place: Place) -> str:
    """Text that isn't empty."""
    if not isinstance(value, str):
        raise place.error("this must be text", got=kind_of(value), hint='Put it in quotes "…"')
    if not value.strip():
        raise place.error("this text is empty")
    return value


def number(value: object, place: Place) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise place.error("this must be a number", got=kind_of(value))
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise place.error("this must be a finite number", got=value)
    return result


def flag(value: object, place: Place) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise place.error("this must be true or false", got=kind_of(value))
    return value


def one_of(*allowed: str) -> Reader[str]:
    """A reader of one word among `allowed`."""

    def read(value: object, place: Place) -> str:
        word = text(value, place)
        if word not in allowed:
            raise place.error("this value is not allowed", got=repr(word), allowed=allowed)
        return word

    return read


def several[T](reader: Reader[T]) -> Reader[tuple[T, ...]]:
    """A reader of a list, each item by `reader`."""

    def read(value: object, place: Place) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise place.error("this must be a list", got=kind_of(value))
        return tuple(reader(item, place.item(i)) for i, item in enumerate(value, start=1))

    return read


def mapping[T](reader: Reader[T]) -> Reader[dict[str, T]]:
    """A reader of a table whose keys are free, each value by `reader`."""

    def read(value: object, place: Place) -> dict[str, T]:
        return {key: reader(item, place.at(key)) for key, item in _table(value, place).items()}

    return read


def fields(
    value: object,
    place: Place,
    readers: Mapping[str, Reader[Any]],
    *,
    required: Collection[str] = (),
) -> dict[str, Any]:
    """Read a table of known keys: no unknown one, none of the `required` missing.

    Returns
    -------
    dict
        Only the keys that the file gives; defaults are the caller's.
    """
    table = _table(value, place)
    for key in table:
        if key not in readers:
            raise place.error(f"unknown key {key!r}", hint=nearest(key, readers))
    for key in required:
        if key not in table:
            raise place.error(f"the key {key!r} is missing", got=list(table) or "an empty table")
    return {key: readers[key](item, place.at(key)) for key, item in table.items()}


def _table(value: object, place: Place) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise place.error("this must be a table", got=kind_of(value))
    return value

"""Numbers that text stands for: one number inside a common text, months, days of the week."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+")
_PLAIN = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_PLURAL = re.compile(r"(?<=[^\W\d_]{3})s$")  # days and day, but not ms and m
MONTHS = (
    ("january", "jan"), ("february", "feb"), ("march", "mar"), ("april", "apr"), ("may",),
    ("june", "jun"), ("july", "jul"), ("august", "aug"), ("september", "sep", "sept"),
    ("october", "oct"), ("november", "nov"), ("december", "dec"),
)  # fmt: skip
WEEKDAYS = (
    ("monday", "mon"), ("tuesday", "tue", "tues"), ("wednesday", "wed"),
    ("thursday", "thu", "thur", "thurs"), ("friday", "fri"), ("saturday", "sat"),
    ("sunday", "sun"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Template:
    """One number with the same text before and after it in every label: ``week 3``.

    Attributes
    ----------
    before, after : str
        In small letters, without spaces at their ends.
    """

    before: str
    after: str

    def number(self, text: str) -> float | None:
        """The number of a label; None where the label is of another form."""
        found = _parts(text)
        return None if found is None or found[:2] != (self.before, self.after) else found[2]

    @property
    def described(self) -> str:
        """What the numbers are, in words."""
        return "the numbers in their text"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Names of months from January, or of days from Monday, whole or abbreviated."""

    names: tuple[tuple[str, ...], ...]

    def number(self, text: str) -> float | None:
        """The month's or day's number from 1; None for another text."""
        word = text.strip().rstrip(".").casefold()
        return next((i + 1.0 for i, names in enumerate(self.names) if word in names), None)

    @property
    def described(self) -> str:
        """What the numbers are, in words."""
        return f"their numbers in the calendar, from {self.names[0][0].capitalize()}"


Reading = Template | Calendar


def reading_of(labels: Sequence[str]) -> Reading | None:
    """How labels show numbers; None where they don't, or not in one way only."""
    readings: list[Reading] = [Calendar(MONTHS), Calendar(WEEKDAYS), *_templates(labels)]
    for reading in readings:
        numbers = [reading.number(text) for text in labels]
        if None not in numbers:
            return reading if len(set(numbers)) == len(numbers) else None
    return None


def plain_number(text: str) -> float | None:
    """The number that a text is, without anything around it."""
    whole = text.strip()
    return float(whole) if _PLAIN.fullmatch(whole) else None


def _templates(labels: Sequence[str]) -> list[Template]:
    found = _parts(labels[0]) if labels else None
    return [] if found is None else [Template(found[0], found[1])]


def _parts(text: str) -> tuple[str, str, float] | None:
    """The text before and after the one number of a label, and the number."""
    plain = plain_number(text)
    if plain is not None:
        return "", "", plain
    found = list(_NUMBER.finditer(text))
    if len(found) != 1:
        return None
    start, end = found[0].span()
    before, number = text[:start], float(found[0].group())
    if before.endswith(("-", "\N{MINUS SIGN}")) and (before[:-1] + " ")[-2:].isspace():
        before, number = before[:-1], -number  # day -3; the hyphen of T-3 is a part of the text
    after = _PLURAL.sub("", text[end:].strip().casefold())
    return _spaced(before), after, number


def _spaced(text: str) -> str:
    return " ".join(text.casefold().split())

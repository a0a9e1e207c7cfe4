"""What one case reported, and how its numbers are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.case import Case

NONE = "–"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything one case reported: ours by point, peers by name.

    A quick run's small sizes are not what bars, aims and limits are about.
    """

    case: Case
    points: dict[str, dict[str, Any]]
    peers: dict[str, dict[str, Any]]
    quick: bool

    @property
    def ours(self) -> dict[str, Any]:
        """The first point's."""
        return self.points[self.case.points[0].name]


@dataclass(frozen=True, slots=True)
class Table:
    """A title, what the columns mean, and cells of text."""

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def trouble(found: dict[str, Any]) -> str:
    """Why a run has no figures; empty where it has."""
    return found.get("skipped", found.get("failed", ""))


def typical(found: dict[str, Any]) -> float | None:
    """The median of the warm repeats, or the first call where there are none."""
    if "first_seconds" not in found:
        return None
    return float(np.median(found["seconds"] or [found["first_seconds"]]))


def duration(seconds: float | None) -> str:
    """Three digits, in s, ms or µs."""
    if seconds is None:
        return NONE
    unit, size = ("s", 1.0) if seconds >= 1 else ("ms", 1e-3) if seconds >= 1e-3 else ("µs", 1e-6)
    return f"{three(seconds / size)} {unit}"


def three(value: float) -> str:
    """Three digits, and never an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

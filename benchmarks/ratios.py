"""Side by side: one row a goal."""

from __future__ import annotations

from typing import Any

from benchmarks.case import Goal
from benchmarks.outcome import NONE, Outcome, Table, duration, three, typical

COLUMNS = ("case", "quantity", "ours", "peer", "theirs", "ratio", "bar", "aim", "reached")
CAPTION = (
    "speed: the peer's median time over ours. ess rate: effective draws a second, ours over the "
    "peer's, whose time includes compiling unless it says sampling only. recorded: the peer's "
    "figure was measured on another machine (sources below) and is not of this run."
)


def side_by_side(outcomes: list[Outcome]) -> Table:
    """Every goal of every case."""
    rows = [_row(o, goal) for o in outcomes for goal in o.case.goals]
    return Table("Side by side", CAPTION, COLUMNS, tuple(rows))


def _row(outcome: Outcome, goal: Goal) -> tuple[str, ...]:
    peer = outcome.peers.get(goal.peer, {})
    ours, theirs = figure(goal, outcome.ours), figure(goal, peer) if goal.peer else None
    value = ratio(goal, ours, theirs) if goal.is_ratio else ours
    at, unit = ("≥ ", "x") if goal.is_ratio else ("≤ ", "")
    return (
        outcome.case.name,
        goal.quantity,
        _shown(goal, ours),
        f"{goal.peer} (recorded)" if "recorded" in peer else goal.peer or NONE,
        _shown(goal, theirs),
        f"{three(value)}x" if goal.is_ratio and value is not None else NONE,
        NONE if goal.bar is None else f"{at}{goal.bar:g}{unit}",
        NONE if goal.aim is None else f"{at}{goal.aim:g}{unit}",
        NONE if outcome.quick else reached(goal, value),
    )


def figure(goal: Goal, found: dict[str, Any]) -> float | None:
    """The number that a goal compares, of our run or of a peer's."""
    seconds = typical(found)
    if seconds is None:
        return None
    if goal.quantity == "peak GiB":
        return found["peak_gib"]
    if goal.quantity in ("speed", "seconds"):
        return seconds
    if goal.quantity.endswith("sampling only") and "importance_ess" not in found:
        seconds = found.get("sampling_seconds")
    return None if seconds is None or "ess" not in found else found["ess"] / seconds


def ratio(goal: Goal, ours: float | None, theirs: float | None) -> float | None:
    """How many times better than the peer."""
    if ours is None or theirs is None:
        return None
    return theirs / ours if goal.quantity == "speed" else ours / theirs


def reached(goal: Goal, value: float | None) -> str:
    """The better of aim and bar that the value reaches."""
    if value is None or (goal.bar is None and goal.aim is None):
        return NONE
    for name, limit in (("aim", goal.aim), ("bar", goal.bar)):
        if limit is not None and (value >= limit if goal.is_ratio else value <= limit):
            return name
    return "BELOW" if goal.is_ratio else "ABOVE"


def _shown(goal: Goal, value: float | None) -> str:
    if value is None:
        return NONE
    if goal.quantity == "peak GiB":
        return f"{value:.2f} GiB"
    return duration(value) if goal.quantity in ("speed", "seconds") else f"{three(value)}/s"

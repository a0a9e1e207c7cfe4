"""Growth: one evaluation, the whole fit and memory, against the 1x point."""

from __future__ import annotations

from typing import Any

from benchmarks.outcome import NONE, Outcome, Table, duration, trouble, typical

COLUMNS = ("case", "size", "one evaluation", "factor", "total", "factor", "peak GiB", "factor")
CAPTION = (
    "one evaluation: of the REML criterion, with what is done once a fit already done. Factors are "
    "against the first line of the case, with their limit in brackets where there is one."
)


def growth(outcomes: list[Outcome]) -> Table:
    """Every point of every growth case."""
    rows = [_row(o, name) for o in outcomes if o.case.grows for name in o.points]
    return Table("Growth", CAPTION, COLUMNS, tuple(rows))


def _row(outcome: Outcome, point: str) -> tuple[str, ...]:
    found = outcome.points[point]
    if trouble(found):
        return (outcome.case.name, point, "failed", *[NONE] * 5)
    now, base = _figures(found), _figures(outcome.ours)
    factors = {what: _factor(outcome, point, what, now[what], base.get(what)) for what in now}
    return (
        outcome.case.name,
        point,
        duration(now["evaluation"]),
        factors["evaluation"],
        duration(now["total"]),
        factors["total"],
        f"{now['memory']:.2f}",
        factors["memory"],
    )


def _figures(found: dict[str, Any]) -> dict[str, Any]:
    if trouble(found):
        return {}
    times = {"evaluation": found["evaluation_seconds"], "total": typical(found)}
    return times | {"memory": found["peak_gib"]}


def _factor(
    outcome: Outcome, point: str, what: str, value: float | None, base: float | None
) -> str:
    if not value or not base:
        return NONE
    text, limit = f"{value / base:.2f}", outcome.case.limits.get((point, what))
    if limit is None or outcome.quick:
        return text
    return f"{text} (≤ {limit:g}{'' if value / base <= limit else ', ABOVE'})"

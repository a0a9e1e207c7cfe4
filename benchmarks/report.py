"""All tables, and the lines below them."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.agreement import agreement
from benchmarks.case import Case
from benchmarks.growth import growth
from benchmarks.outcome import NONE, Outcome, Table, duration, trouble
from benchmarks.ratios import side_by_side

CAPTION = (
    "first: the first call in a fresh process, imports not counted, compiling counted where the "
    "machine has not done it yet. median, best: of the k warm "
    "repeats after it. before: resident size in GiB with data and imports; peak: the largest up "
    "to the end of the first call. ESS: the least bulk ESS, capped by importance_ess; k-hat: of "
    "the importance weights."
)
COLUMNS = ("case", "rows", "levels", "first", "median", "best", "k", "before", "peak")


def tables(outcomes: list[Outcome]) -> list[Table]:
    """Those that have rows."""
    found = [side_by_side(outcomes), own(outcomes), growth(outcomes), agreement(outcomes)]
    return [t for t in found if t.rows]


def own(outcomes: list[Outcome]) -> Table:
    """One row a point of a case: times and memory of our runs."""
    rows = [_own_row(o.case, name, r) for o in outcomes for name, r in o.points.items()]
    return Table("Our runs", CAPTION, (*COLUMNS, "ESS", "k-hat"), tuple(rows))


def _own_row(case: Case, point: str, r: dict[str, Any]) -> tuple[str, ...]:
    name = f"{case.name}, {point}" if case.grows else case.name
    if trouble(r):
        return (name, "skipped" if "skipped" in r else "failed", *[NONE] * 9)
    warm = r["seconds"]
    return (
        name,
        f"{r['rows']:,}",
        f"{r['levels']:,}",
        duration(r["first_seconds"]),
        duration(float(np.median(warm))) if warm else NONE,
        duration(min(warm)) if warm else NONE,
        str(len(warm)),
        f"{r['before_gib']:.2f}",
        f"{r['peak_gib']:.2f}",
        f"{r['ess']:,.0f}" if "ess" in r else NONE,
        f"{r['k_hat']:.2f}" if "k_hat" in r else NONE,
    )


def remarks(outcomes: list[Outcome]) -> list[str]:
    """Which peers ran, which figures are recorded and why, and what our runs said."""
    out = []
    for o in outcomes:
        out += [f"{o.case.name}, {name}: {_source(peer)}" for name, peer in o.peers.items()]
        for point, r in o.points.items():
            said = [*r.get("notes", []), *([trouble(r)] if trouble(r) else [])]
            where = f"{o.case.name}, ours{f', {point}' if o.case.grows else ''}"
            out += [f"{where}: {text}" for text in said]
    return out


def _source(peer: dict[str, Any]) -> str:
    if "recorded" in peer:
        return f"recorded figure, not of this run ({peer['reason']}): {peer['recorded']}"
    if "failed" in peer:
        return f"no figure: {peer['failed']}"
    ess = f", ESS {peer['ess']:,.0f}" if "ess" in peer else ""
    sampling = peer.get("sampling_seconds")
    alone = f", sampling alone {duration(sampling)}" if sampling else ""
    memory = f", peak {peer['peak_gib']:.2f} GiB" if peer.get("peak_gib") else ""
    first = f", first call {duration(peer['first_seconds'])}"
    return f"ran here: {peer['version']}{first}{alone}{ess}{memory}"

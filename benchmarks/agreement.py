"""Agreement: whether ours and a peer's answers are the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.outcome import NONE, Outcome, Table, trouble

COLUMNS = ("case", "peer", "criterion", "fixed", "sd", "note")
CAPTION = (
    "criterion: ours less theirs, of the REML criterion; below zero ours is the better optimum. "
    "fixed: the largest difference in our standard errors (in exact, posterior sd). sd: the "
    "largest relative difference of a standard deviation."
)


def agreement(outcomes: list[Outcome]) -> Table:
    """Every peer that ran or left its criterion."""
    rows = [
        _row(o.case.name, name, o.ours, peer)
        for o in outcomes
        for name, peer in o.peers.items()
        if not trouble(o.ours) and ("fixef" in peer or "criterion" in peer)
    ]
    return Table("Agreement", CAPTION, COLUMNS, tuple(rows))


def _row(case: str, name: str, ours: dict[str, Any], peer: dict[str, Any]) -> tuple[str, ...]:
    criterion = NONE
    if ours.get("criterion") is not None and peer.get("criterion") is not None:
        criterion = f"{ours['criterion'] - peer['criterion']:+.1e}"
    fixed, sd = _estimates(ours, peer) if "fixef" in peer else (NONE, NONE)
    note = "recorded figure" if "recorded" in peer else peer.get("note", "")
    return (case, name, criterion, fixed, sd, note or NONE)


def _estimates(ours: dict[str, Any], peer: dict[str, Any]) -> tuple[str, str]:
    """Largest differences; coefficients go by their order, standard deviations by name."""
    if len(ours["fixef"]) != len(peer["fixef"]):
        return ("other columns", NONE)
    gaps = np.subtract(ours["fixef"], peer["fixef"]) / np.asarray(ours["fixef_se"])
    fixed = f"{np.max(np.abs(gaps)):.1e}"
    if ours["sd"].keys() != peer["sd"].keys():
        return (fixed, "other names")
    ratios = [peer["sd"][k] / v for k, v in ours["sd"].items() if v]
    return (fixed, f"{max(abs(r - 1) for r in ratios):.1e}" if ratios else NONE)

"""`python -m benchmarks`: run cases, print the tables, write RESULTS.md."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks import peers
from benchmarks.case import Case
from benchmarks.cases import CASES, case
from benchmarks.data import ROOT
from benchmarks.machine import describe
from benchmarks.measure import process
from benchmarks.outcome import Outcome
from benchmarks.tables import WIDTH, show, write

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"


@click.command()
@click.option("--case", "names", multiple=True, help="Only this case; repeatable.")
@click.option("--quick", is_flag=True, help="Small sizes, to see that everything runs.")
@click.option("--list", "listing", is_flag=True, help="Show the cases and stop.")
@click.option("--no-peers", is_flag=True, help="Ours only, against recorded figures.")
@click.option("--peer-python", help="An interpreter with bambi, nutpie and statsmodels.")
@click.option("--timeout", default=1800.0, show_default=True, help="Seconds a process may take.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write the tables.")
def main(
    names: tuple[str, ...],
    quick: bool,
    listing: bool,
    no_peers: bool,
    peer_python: str | None,
    timeout: float,
    out: Path | None,
) -> None:
    """Side by side with other packages. A whole run writes benchmarks/RESULTS.md; a run of a few
    cases, a quick one or one without peers writes only where --out says."""
    console = Console(width=WIDTH)
    if listing:
        for c in CASES:
            console.print(f"{c.name:20} {c.title}", highlight=False)
        return
    how = peers.Settings(peer_python, not no_peers, quick, timeout)
    outcomes = []
    for chosen in _chosen(names):
        console.print(f"{chosen.name}: {chosen.title} …", highlight=False)
        outcomes.append(run(chosen, how))
    machine = describe()
    console.print()
    if quick:
        console.print("Quick: small sizes, which no bar is about. Nothing here is a result.")
    show(outcomes, machine, console)
    whole = not (names or quick or no_peers)
    path = out or (RESULTS if whole else None)
    if path is not None:
        write(outcomes, machine, _command(names, quick, no_peers), path)
        console.print(f"Written: {path}", highlight=False)


def _command(names: tuple[str, ...], quick: bool, no_peers: bool) -> str:
    """What was run, without the paths of this machine."""
    words = ["uv run python -m benchmarks", *(f"--case {name}" for name in names)]
    return " ".join(words + ["--quick"] * quick + ["--no-peers"] * no_peers)


def _chosen(names: tuple[str, ...]) -> tuple[Case, ...]:
    known = [c.name for c in CASES]
    for name in names:
        if name not in known:
            raise click.BadParameter(f"no case {name!r}; there are {', '.join(known)}")
    return tuple(case(name) for name in names) or CASES


def run(chosen: Case, how: peers.Settings) -> Outcome:
    """Our run of every point, then the peers on the first one's rows."""
    points = {p.name: worker(["run", chosen.name, p.name], how) for p in chosen.points}
    if "skipped" in points[chosen.points[0].name]:
        return Outcome(chosen, points, {}, how.quick)
    with tempfile.TemporaryDirectory() as folder:
        csv = Path(folder) / "rows.csv"
        rows: dict[str, Any] = {}
        if chosen.peers and how.wanted:
            rows = worker(["write", chosen.name, chosen.points[0].name, str(csv)], how)
        found = {p.name: peers.run(chosen, p, rows, csv, how) for p in chosen.peers}
    return Outcome(chosen, points, found, how.quick)


def worker(words: list[str], how: peers.Settings) -> dict[str, Any]:
    """One process of ours and what it reported."""
    command = [sys.executable, "-m", "benchmarks.worker", *words]
    command += ["--quick"] if how.quick else []
    found, why = process(command, how.timeout, cwd=ROOT)
    return found if found is not None else {"failed": why}


if __name__ == "__main__":
    main()

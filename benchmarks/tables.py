"""Tables on the terminal and in RESULTS.md."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as Grid

from benchmarks.outcome import Outcome, Table
from benchmarks.report import remarks, tables

WIDTH = 100


def show(outcomes: list[Outcome], machine: dict[str, str], console: Console) -> None:
    """Print everything, 100 columns wide."""
    for name, value in machine.items():
        console.print(f"[bold]{name}[/bold]  {value}", highlight=False)
    for table in tables(outcomes):
        console.print()
        console.print(_grid(table))
        console.print(table.caption, style="dim", highlight=False, markup=False)
    console.print()
    for line in remarks(outcomes):
        console.print(f"· {line}", highlight=False, markup=False)


def _grid(table: Table) -> Grid:
    grid = Grid(title=table.title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in table.columns:
        words = name in ("case", "quantity", "peer", "size", "note", "reached")
        grid.add_column(
            name,
            justify="left" if words else "right",
            overflow="fold",
            no_wrap=name == "case" and len(table.columns) < 11,
        )
    for row in table.rows:
        grid.add_row(*row)
    return grid


def write(outcomes: list[Outcome], machine: dict[str, str], command: str, path: Path) -> None:
    """The same as Markdown."""
    lines = ["# Benchmarks", "", f"Written by `{command}`; what is measured, and how, is said in"]
    lines += ["`benchmarks/__init__.py`, and what is asked of each case in `benchmarks/cases.py`."]
    lines += ["", "| | |", "|---|---|", *[f"| {k} | {v} |" for k, v in machine.items()]]
    for table in tables(outcomes):
        lines += ["", f"## {table.title}", "", table.caption, "", *_markdown(table)]
    lines += ["", "## Who ran, and what was said", ""]
    lines += [f"- {line}" for line in remarks(outcomes)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _markdown(table: Table) -> list[str]:
    rule = "|".join("---" for _ in table.columns)
    rows = [[cell.replace("|", "\\|") for cell in row] for row in table.rows]
    body = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(table.columns)} |", f"|{rule}|", *body]

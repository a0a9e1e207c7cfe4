"""Every notebook runs from top to bottom, is short, defines nothing, and is stored as it ran."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

HOME = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(HOME.glob("*.ipynb"))
MOST_LINES = 40
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)

every = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    text = path.read_text(encoding="utf-8")
    return nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(notebook: nbformat.NotebookNode) -> list[int]:
    """How many pictures each code cell shows."""
    return [
        sum("image/png" in output.get("data", {}) for output in cell.outputs)
        for cell in code_cells(notebook)
    ]


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@every
def test_short_and_without_definitions(path: Path) -> None:
    sources = [cell.source for cell in code_cells(read(path))]
    lines = [line for source in sources for line in source.splitlines() if line.strip()]
    assert 0 < len(lines) < MOST_LINES
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    assert not [node for node in nodes if isinstance(node, DEFINITIONS)]


@every
def test_stored_as_it_ran(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = [output.output_type for cell in cells for output in cell.outputs]
    assert set(kinds) <= {"execute_result", "display_data"}, "an error, or something on stderr"
    assert sum(pictures(notebook)) > 0


@every
def test_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Path(shutil.copy(path, tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(HOME.parent))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = read(copy)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    assert pictures(notebook) == pictures(read(path))

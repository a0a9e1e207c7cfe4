"""The import contracts hold on the tree, and notice it when they are broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

LINT = "from importlinter.cli import lint_imports_command as lint; lint()"
ROOMS = "Imports go only down the list of rooms"
KERNELS = "Kernels see plain arrays only"
PYMC = "Only graph and engines import pymc"

BREAKS = {  # what is added to a file, and how the contract names it
    "linalg/__init__.py": (
        "import pandas\nimport xarray",
        ("linalg", "pandas"),
        ("linalg", "xarray"),
    ),
    "gaussian/__init__.py": ("from bayeslmm.api import Model", ("gaussian", "bayeslmm.api")),
    "errors.py": ("import bayeslmm.formula", ("errors", "bayeslmm.formula")),
    "families/__init__.py": (
        "import bayeslmm.covariance\nimport pymc",
        ("families", "bayeslmm.covariance"),
        ("families", "pymc"),
    ),
    "design/__init__.py": (
        "def late():\n    from bayeslmm.model import __doc__",
        ("design", "bayeslmm.model"),
    ),
    "api/__init__.py": ("import pytensor", ("api", "pytensor")),
    "cellar.py": ('"""A new room."""',),
}


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    """A copy of the package and its contracts, free to be broken."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(project / "bayeslmm", tmp_path / "bayeslmm", ignore=ignore)
    shutil.copy(project / "pyproject.toml", tmp_path)
    return tmp_path


def test_contracts_hold_on_the_tree(run_python, project):
    result = run_python("-c", LINT, "--no-cache", cwd=project)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout
    for name in (ROOMS, KERNELS, PYMC):
        assert f"{name} KEPT" in result.stdout


def test_contracts_notice_what_breaks_them(run_python, copy):
    for file, (lines, *_) in BREAKS.items():
        with (copy / "bayeslmm" / file).open("a", encoding="utf-8") as source:
            source.write(f"\n{lines}\n")
    result = run_python("-c", LINT, "--no-cache", cwd=copy)
    assert result.returncode == 1, result.stdout + result.stderr
    for name in (ROOMS, KERNELS, PYMC):
        assert f"{name} BROKEN" in result.stdout
    for _, *found in BREAKS.values():
        for importer, imported in found:
            assert f"bayeslmm.{importer} -> {imported}" in result.stdout, (importer, imported)
    assert "cellar" in result.stdout

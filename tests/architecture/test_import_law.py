"""The import contracts hold on the tree, and notice it when they are broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

LINT = "from importlinter.cli import lint_imports_command as lint; lint()"
ROOMS = "Imports go only down the list of rooms"
KERNELS = "Kernels see plain arrays only"
PYMC = "Only graph and engines import pymc"

BREAKS = {
    "a kernel imports pandas": ("linalg/__init__.py", "import pandas", KERNELS),
    "a kernel imports xarray": ("linalg/__init__.py", "import xarray", KERNELS),
    "upward: gaussian imports api": (
        "gaussian/__init__.py",
        "from bayeslmm.api import Model",
        ROOMS,
    ),
    "upward: errors imports formula": ("errors.py", "import bayeslmm.formula", ROOMS),
    "sideways: families imports covariance": (
        "families/__init__.py",
        "import bayeslmm.covariance",
        ROOMS,
    ),
    "inside a function": (
        "design/__init__.py",
        "def late():\n    from bayeslmm.model import __doc__",
        ROOMS,
    ),
    "a family imports pymc": ("families/__init__.py", "import pymc", PYMC),
    "api imports pytensor": ("api/__init__.py", "import pytensor", PYMC),
    "a room that isn't on the list": ("cellar.py", '"""A new room."""', ROOMS),
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


def test_contracts_hold_on_an_unbroken_copy(run_python, copy):
    result = run_python("-c", LINT, "--no-cache", cwd=copy)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("file", "line", "contract"), BREAKS.values(), ids=BREAKS)
def test_contracts_fail_when_broken(run_python, copy, file, line, contract):
    with (copy / "bayeslmm" / file).open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")
    result = run_python("-c", LINT, "--no-cache", cwd=copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"{contract} BROKEN" in result.stdout

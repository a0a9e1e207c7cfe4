"""How modules are imported: at the top, by full name, and nothing heavy for `import bayeslmm`."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).resolve().parents[2] / "bayeslmm").rglob("*.py"))
HEAVY = {
    "arviz",
    "arviz_base",
    "arviz_plots",
    "arviz_stats",
    "formulaic",
    "h5netcdf",
    "matplotlib",
    "numba",
    "nutpie",
    "pandas",
    "pymc",
    "pytensor",
    "scipy",
    "xarray",
}
LOADED = """
import json, sys
before = set(sys.modules)
import bayeslmm
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def own_imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The import statements anywhere below `tree` that name a module of ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            if any(name.name.split(".")[0] == "bayeslmm" for name in node.names):
                yield node
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "bayeslmm":
            yield node


def test_there_are_sources():
    assert len(SOURCES) > 10


def test_import_loads_nothing_heavy(run_python, tmp_path):
    result = run_python("-c", LOADED, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    loaded = {name.split(".")[0] for name in json.loads(result.stdout)}
    assert "bayeslmm" in loaded
    assert loaded.isdisjoint(HEAVY), loaded & HEAVY


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    """Every source file, parsed once."""
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def test_own_modules_are_imported_at_the_top(trees):
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    late = [
        f"{path}:{node.lineno}"
        for path, tree in trees.items()
        for function in ast.walk(tree)
        if isinstance(function, functions)
        for node in own_imports(function)
    ]
    assert not late, f"own modules imported inside functions: {late}"


def test_no_relative_imports(trees):
    relative = [
        f"{path}:{node.lineno}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative, f"relative imports: {relative}"


def test_own_modules_are_not_imported_by_a_string(trees):
    by_string = [
        f"{path}:{node.lineno}"
        for path, tree in trees.items()
        # the public names are looked up when they are first asked for
        if not (path.parent.name == "bayeslmm" and path.name == "__init__.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__")
        and not is_foreign(node)
    ]
    assert not by_string, f"own modules imported by a string: {by_string}"


def is_foreign(call: ast.Call) -> bool:
    """Whether a call that imports by a string names somebody else's module, spelt out."""
    match call.args:
        case [ast.Constant(value=str(name)), *_]:
            return name.split(".")[0] not in ("bayeslmm", "")
        case _:
            return False

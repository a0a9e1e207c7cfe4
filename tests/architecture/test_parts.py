"""Parts don't know each other, and a new one is covered without being listed here."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from bayeslmm.covariance import STRUCTURES
from bayeslmm.engines import ENGINES
from bayeslmm.families import FAMILIES
from bayeslmm.priors import PRIORS, OnVariance

PARTS = {
    "priors": [*PRIORS.values(), OnVariance],
    "families": list(dict.fromkeys(type(f) for f in FAMILIES.values())),
    "covariance": [type(s) for s in STRUCTURES.values()],
    "engines": [type(e) for e in ENGINES.values()],
}


@pytest.mark.parametrize("room", PARTS)
def test_each_part_has_a_file_of_its_own_and_imports_no_other(room):
    modules = [part.__module__ for part in PARTS[room]]
    assert len(set(modules)) == len(modules)
    for module in modules:
        tree = ast.parse(Path(sys.modules[module].__file__).read_text())
        imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert not imported & (set(modules) - {module}), module

"""The designs, rows and solvers that the closed-form room is looked at with."""

from __future__ import annotations

import pytest

from tests.unit.gaussian.designs import DESIGNS, EXTRAS, SOLVED


@pytest.fixture(params=DESIGNS.values(), ids=DESIGNS)
def formula(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=SOLVED.values(), ids=SOLVED)
def solved(request: pytest.FixtureRequest) -> tuple[str, str | None]:
    """A formula, and how the Schur complement of several factors is held."""
    return request.param


@pytest.fixture(params=EXTRAS)
def extra(request: pytest.FixtureRequest) -> str:
    return request.param

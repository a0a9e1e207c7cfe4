"""Models and fits that many tests share: each is made once a run."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import pytest

import bayeslmm as bl


@cache
def _model(name: str, variant: str | None) -> bl.Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        return bl.load_model(name, variant)


@cache
def _fit(
    name: str, variant: str | None, method: str, options: tuple[tuple[str, Any], ...]
) -> bl.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        return _model(name, variant).fit(method, **dict(options))


def pytest_terminal_summary(terminalreporter):
    """Lines that tests leave under `record_property("agreement", ...)`, in one table, wherever
    each of them ran."""
    reports = [r for found in terminalreporter.stats.values() for r in found]
    lines = sorted(
        {
            str(value)
            for report in reports
            if getattr(report, "when", "") == "call"
            for name, value in report.user_properties
            if name == "agreement"
        }
    )
    if lines:
        terminalreporter.section("agreement")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def gallery_model():
    """`gallery_model(name, variant=None)`: a gallery model."""
    return lambda name, variant=None: _model(name, variant)


@pytest.fixture(scope="session")
def gallery_fit():
    """`gallery_fit(name, method, variant=None, **options)`: a fit of it, cached."""

    def fit(name: str, method: str, variant: str | None = None, **options: Any) -> bl.Fit:
        return _fit(name, variant, method, tuple(sorted(options.items())))

    return fit

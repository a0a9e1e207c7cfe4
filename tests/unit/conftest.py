"""Fits that several rooms' tests look at, made once a run."""

from __future__ import annotations

import pytest

import bayeslmm as bl


@pytest.fixture(scope="session")
def sleepstudy() -> bl.Model:
    return bl.load_model("sleepstudy")


@pytest.fixture(scope="session")
def reml(sleepstudy: bl.Model) -> bl.Fit:
    return sleepstudy.fit("reml")


@pytest.fixture(scope="session")
def exact(sleepstudy: bl.Model) -> bl.Fit:
    return sleepstudy.fit("exact", seed=1)

"""Fits that several tests look at, made once."""

from __future__ import annotations

import pytest

import bayeslmm as bl


@pytest.fixture(scope="session")
def dyestuff2() -> tuple[bl.Model, bl.Fit]:
    model = bl.load_model("dyestuff2")
    with pytest.warns(bl.errors.SingularWarning):
        return model, model.fit("reml")

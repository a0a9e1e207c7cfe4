"""No window opens, and no figure outlives its test."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import pandas as pd
import pytest
from matplotlib import pyplot as plt

import bayeslmm as bl


@pytest.fixture(autouse=True)
def figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Draw without a screen; a plot must not show itself, nor leave settings changed."""
    matplotlib.use("Agg")
    monkeypatch.setattr(plt, "show", lambda: pytest.fail("a plot called show()"))
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
    plt.close("all")


@pytest.fixture(scope="session")
def wide() -> tuple[bl.Model, bl.Fit]:
    """A fit with more levels than any picture can hold."""
    data = bl.load_dataset("sleepstudy")
    copies = [
        data.assign(Subject=data["Subject"].astype(str) + f"_{i}", Reaction=data["Reaction"] + i)
        for i in range(20)
    ]
    rows = pd.concat(copies, ignore_index=True)
    model = bl.Model("Reaction ~ Days + (Days | Subject)", rows)
    given = {"sigma": 25.0, "sd_Subject": [25.0, 6.0], "cor_Subject": [0.1]}
    return model, model.fit("conjugate", variances=given, kappa=0.0, seed=1, draws=2, chains=1)

"""One small data set and a fit of every method without a Markov chain, made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl

FORMULA = "y ~ x + sex + (x | g) + (1 | batch)"
METHODS = ("ml", "reml", "conjugate", "relative", "exact", "known")


@cache
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    n, g, batch = 90, np.arange(90) % 9, np.arange(90) // 15
    x = rng.normal(2.0, 1.0, n)
    u = rng.multivariate_normal([0, 0], [[4, 0.5], [0.5, 1]], 9)[g]
    y = 5 + x + u[:, 0] + u[:, 1] * x + rng.normal(size=6)[batch] + rng.normal(size=n)
    return pd.DataFrame(
        {
            "y": y,
            "x": x,
            "sex": np.array(["Female", "Male"])[rng.integers(0, 2, n)],
            "g": g + 300,
            "batch": np.array(list("ABCDEF"))[batch],
            "s": rng.uniform(0.5, 2.0, n),
        },
        index=[f"row {i}" for i in range(n)],
    )


@cache
def fit_by(name: str) -> bl.Fit:
    model = bl.Model(FORMULA, frame())
    if name == "known":
        return bl.Model(FORMULA, frame(), known_sd="s").fit("reml")
    if name == "conjugate":
        return model.fit("conjugate", variances=fit_by("reml"), seed=1, draws=200)
    if name == "relative":
        ratios = {"rel_sd_g": [2.0, 1.0], "cor_g": 0.3, "rel_sd_batch": 1.0}
        return model.fit("conjugate", variances=ratios, kappa=0.01, seed=1, draws=200)
    if name == "exact":
        return model.fit("exact", seed=1, draws=250)
    return model.fit(name)


@pytest.fixture(params=METHODS)
def fit(request: pytest.FixtureRequest) -> bl.Fit:
    return fit_by(request.param)


@pytest.fixture
def by_name() -> Callable[[str], bl.Fit]:
    return fit_by


@pytest.fixture
def data() -> pd.DataFrame:
    return frame()

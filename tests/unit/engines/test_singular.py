"""Fits on the boundary: the least deviance there is, and converged."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning
from bayeslmm.gaussian.profile import profile
from bayeslmm.linalg.minimise import minimise


def noise(seed: int) -> pd.DataFrame:
    """Ninety rows in eight groups in which nothing depends on anything."""
    rng = np.random.default_rng(seed)
    g, x, y, b = rng.integers(0, 8, 90), *rng.normal(size=(3, 90))
    h = rng.integers(0, 6, 90)
    return pd.DataFrame({"g": g.astype(str), "x": x, "y": y, "b": b, "h": h.astype(str)})


def least_of_many_starts(model: bl.Model, *, reml: bool, seed: int) -> float:
    problem = profile(model.resolved, reml=reml)
    rng = np.random.default_rng(seed)
    inside = np.where(np.isfinite(problem.lower), 0.02, -np.inf)
    starts = [
        np.maximum(problem.start() + rng.normal(size=len(problem.units)), inside) for _ in range(6)
    ]
    return min(minimise(problem, x, problem.lower, problem.curvature(x)).value for x in starts)


@pytest.mark.filterwarnings("ignore:Term .* 10 variance parameters for 8 levels")
@pytest.mark.parametrize("seed", [3, 6, 23, 25, 29])
@pytest.mark.parametrize(
    "formula", ["y ~ x + (x | g)", "y ~ 1 + (b * x | g)", "y ~ x + (x | g) + (b | h)"]
)
@pytest.mark.parametrize("method", ["ml", "reml"])
def test_noise_has_converged_singular_fits(method: str, formula: str, seed: int) -> None:
    """No start among many ends lower, and what is on the boundary is said to be there."""
    model = bl.Model(formula, noise(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        fit = model.fit(method)
    assert fit.converged
    assert fit.deviance < least_of_many_starts(model, reml=method == "reml", seed=seed) + 1e-4

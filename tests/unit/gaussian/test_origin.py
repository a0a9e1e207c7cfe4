"""Default priors know neither the origin nor the unit of a covariate: the log density of the
marginal posterior is the same at the same psi, and so are all posteriors and the evidence."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.gaussian.target import Target, target

FORMULAS = [
    "y ~ x * z + (x | g)",
    "y ~ x * f + (f * x | g)",
    "y ~ 0 + f + x:f + (0 + f + x:f | g)",
    "y ~ x + I(x**2) + (x + I(x**2) | g)",
    "y ~ I((x - 3)**2) + I(x - 3) + (x | g)",
    "y ~ poly(x, 2) + (poly(x, 2) | g)",
    "y ~ poly(x, 2, raw=True) * z + (x * z | g)",
    "y ~ x + (x | g) + (1 | h)",
    "y ~ center(x) * z + (scale(x) | g)",
    "y ~ bs(x, df=4) + (bs(x, df=4) | g)",
    "y ~ z + I(x * z) + x + (log(w) + x | g)",
]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n, g = 90, np.repeat(np.arange(15), 6)
    x, z = rng.normal(3.0, 2.0, n), rng.normal(-1.0, 1.5, n)
    y = 2 + 0.5 * x - z + 0.3 * x * z + rng.normal(0, 1, 15)[g] + rng.normal(0, 0.7, n)
    columns = {"y": y, "x": x, "z": z, "w": np.exp(z), "g": g, "h": rng.integers(0, 7, n)}
    return pd.DataFrame(columns | {"f": rng.choice(list("abc"), n)}).astype({"g": str, "h": str})


def _target(formula: str, data: pd.DataFrame, **options: object) -> Target:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return target(bl.Model(formula, data, **options).resolved)  # type: ignore[arg-type]


@pytest.mark.parametrize("formula", FORMULAS)
def test_density_is_the_same_at_another_origin(formula: str, data: pd.DataFrame) -> None:
    """Shifted by 1,000 standard deviations."""
    here = _target(formula, data)
    moved = data.assign(x=data["x"] + 2000.0, z=data["z"] - 1500.0)
    there = _target(formula.replace("x - 3", "x - 2003"), moved)
    psi = here.start() + 0.4 * np.random.default_rng(1).standard_normal((20, here.dimension))
    np.testing.assert_allclose(there(psi), here(psi), rtol=0, atol=2e-5)

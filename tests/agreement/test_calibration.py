"""Simulation-based calibration: with parameters drawn from the prior and data from the model, the
rank of each parameter among its posterior draws is uniform (Talts et al., 2018).

Designs whose variances come near zero, and whose data are weak, often enough. Data are drawn and
posteriors made by code that shares nothing but the design.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl

LEVEL = 1e-4  # a test of this size fails once in 10,000 runs; seeds are fixed
PRIORS = {
    "Intercept": "normal(0, 1)",
    "beta": "normal(0, 1)",
    "sd": "half_normal(1)",
    "sigma": "half_normal(1)",
}


def slopes() -> bl.Model:
    """12 groups of 5 rows, correlated intercepts and slopes."""
    data = pd.DataFrame({"g": np.repeat(np.arange(12), 5), "x": np.tile(np.linspace(0, 2, 5), 12)})
    data["y"] = np.arange(60) % 7
    return bl.Model("y ~ x + (x | g)", data, priors=PRIORS | {"cor_g": "lkj(2)"})


def crossed() -> bl.Model:
    """60 rows over 8 x 5 crossed levels, unbalanced."""
    rows = np.arange(60)
    data = pd.DataFrame({"a": rows % 8, "b": (rows * 7 // 3) % 5, "x": np.linspace(-1, 1, 60)})
    return bl.Model("y ~ x + (1 | a) + (1 | b)", data.assign(y=rows % 7), priors=PRIORS)


def weighted() -> bl.Model:
    """Default priors on data of another scale, weights, an offset, and one row of weight 0."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(50.0, 3.0, 48), "g": np.arange(48) % 8})
    data["w"] = np.where(np.arange(48) == 5, 0.0, rng.uniform(0.2, 4.0, 48))
    data["y"] = 300 + 20 * rng.normal(size=48)
    data["o"] = 10 * rng.normal(size=48)
    return bl.Model("y ~ x + (1 | g)", data, weights="w", offset="o")


@pytest.mark.slow
@pytest.mark.parametrize("design", [slopes, crossed, weighted])
def test_exact_is_calibrated(design: Callable[[], bl.Model]) -> None:
    found = bl.calibrate(design(), "exact", 500, seed=7, progress=False)
    assert len(found.ranks) == 500
    p = found.p_values
    assert p.min() > LEVEL / len(p), found


@pytest.mark.slow
def test_hierarchical_nuts_is_calibrated_on_poisson_slopes() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat(np.arange(12), 5), "x": np.tile(np.linspace(-1, 1, 5), 12)})
    data["y"] = rng.poisson(3, 60)
    priors = {
        "Intercept": "normal(1, 0.5)",
        "beta": "normal(0, 0.5)",
        "sd": "half_normal(0.5)",
        "cor": "lkj(2)",
    }
    model = bl.Model("y ~ x + (x | g)", data, family="poisson", priors=priors)
    found = bl.calibrate(model, "nuts", 100, seed=7, progress=False)
    assert len(found.ranks) == 100
    p = found.p_values
    assert p.min() > LEVEL / len(p), found

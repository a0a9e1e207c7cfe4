"""Default priors with covariates whose zero is far away: estimates are those of the data."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning

YEARS = Path(__file__).parents[2] / "reference" / "data" / "years.csv"


def test_years_of_the_calendar() -> None:
    """REML by lme4 has -0.18503 ± 0.06409 and sd(year) 0.11176; the posterior's sd is wider by
    what isn't known of the variances."""
    fit = bl.Model("y ~ year * trt + (year | site)", pd.read_csv(YEARS)).fit("exact", seed=1)
    table, sds = fit.fixef(), fit.varcorr()
    (name,) = [c for c in table.index if c.startswith("year:trt")]
    assert abs(table.loc[name, "estimate"]) == pytest.approx(0.18503, abs=0.01)
    assert 0.062 < table.loc[name, "std_error"] < 0.075
    slope = sds["estimate"].to_numpy()[1]
    assert slope == pytest.approx(0.11176, rel=0.25)


@pytest.mark.parametrize("method", ["exact", "reml"])
def test_growth_curves_from_another_day(method: str) -> None:
    """A curved growth as of chicks, 50 of them in weighings 2 days apart, its days counted from
    -2000: the curvature is the same, to 4 Monte Carlo standard errors or to rounding."""
    rng = np.random.default_rng(6)
    time, chick = np.tile(np.arange(0.0, 22, 2), 50), np.repeat(np.arange(50), 11)
    slopes = 6 + 2.5 * rng.normal(size=50)
    weight = 40 + slopes[chick] * time + 0.15 * time**2 + rng.normal(0, 8, 550)
    rows = pd.DataFrame({"weight": weight, "Time": time, "Chick": chick})
    formula = "weight ~ Time + I(Time**2) + (Time | Chick)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        fits = [
            bl.Model(formula, rows.assign(Time=rows["Time"] + by)).fit(method, seed=seed)
            for by, seed in ((0.0, 1), (2000.0, 2))
        ]
    tables = [fit.fixef().loc["I(Time**2)"] for fit in fits]
    error = tables[0]["std_error"]
    assert abs(tables[0]["estimate"] - 0.15) < 4 * error
    limit = 4 * error * np.sqrt(2 / 2000) if method == "exact" else 1e-6 * error
    assert abs(tables[0]["estimate"] - tables[1]["estimate"]) < limit
    assert tables[1]["std_error"] == pytest.approx(error, rel=0.08 if method == "exact" else 1e-5)

"""Intervals at any level: the right quantiles, and the default's at 0.95."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayeslmm as bl
from bayeslmm.errors import MethodError

TABLES = ["fixef", "ranef", "coef", "varcorr", "predict"]
BOUNDS = ["lower", "upper"]


@pytest.fixture(scope="module")
def model() -> bl.Model:
    return bl.load_model("sleepstudy")


@pytest.fixture(scope="module")
def reml(model: bl.Model) -> bl.Fit:
    return model.fit("reml")


@pytest.fixture(scope="module")
def exact(model: bl.Model) -> bl.Fit:
    return model.fit("exact", seed=1, draws=200)


def test_of_estimates_are_walds(reml: bl.Fit) -> None:
    """Symmetric on the free scale: of the sds in logs, of the correlation in Fisher's z."""
    ratio = stats.norm.ppf(0.95) / stats.norm.ppf(0.975)
    free: dict[str, Any] = {"sd": np.log, "cor": np.arctanh}
    for name in TABLES:
        table, wide = getattr(reml, name)(level=0.9), getattr(reml, name)()
        for (_, narrow), (_, usual) in zip(table.iterrows(), wide.iterrows(), strict=True):
            f = free.get(narrow.get("kind", ""), float)
            for side in BOUNDS:
                expected = f(usual["estimate"]) * (1 - ratio) + f(usual[side]) * ratio
                assert f(narrow[side]) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert "90 % Wald interval" in str(reml.summary(level=0.9))


def test_of_draws_are_quantiles(exact: bl.Fit) -> None:
    sigma = exact.tree["posterior"]["sigma"].values.ravel()
    row = exact.varcorr(level=0.5).iloc[-1]
    expected = np.quantile(sigma, [0.25, 0.75])
    np.testing.assert_allclose(row[BOUNDS].astype(float), expected)
    for name in TABLES:
        same = getattr(exact, name)(level=0.95)
        pd.testing.assert_frame_equal(same, getattr(exact, name)())
        narrow = getattr(exact, name)(level=0.5)
        assert np.all(narrow["upper"] - narrow["lower"] < same["upper"] - same["lower"])
    days = exact.contrast({"Days": 1}, level=0.8)
    assert days["lower"].item() == pytest.approx(exact.fixef(level=0.8).loc["Days", "lower"])


def test_of_a_known_ratio_are_the_inverse_gammas(model: bl.Model) -> None:
    given = {"rel_sd_Subject": [0.9, 0.2], "cor_Subject": 0.1}
    fit = model.fit("conjugate", variances=given, kappa=0.0, draws=10)
    usual, found = fit.varcorr(), fit.varcorr(level=0.95 - 1e-12)
    np.testing.assert_allclose(found[BOUNDS].astype(float), usual[BOUNDS].astype(float), rtol=1e-8)


@pytest.mark.parametrize("level", [0, 1, 95, np.nan, "0.9"])
def test_another_is_refused(reml: bl.Fit, level: Any) -> None:
    with pytest.raises(MethodError, match="probability"):
        reml.fixef(level=level)

"""Linear functions of beta where X has aliased columns, and their tests."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayeslmm as bl
from bayeslmm.errors import ColumnError, IdentifiabilityError, IdentifiabilityWarning, MethodError


def frame() -> pd.DataFrame:
    """Two factors in 2 x 3 cells, unbalanced, (2, 3) empty; the cells themselves; groups."""
    rng = np.random.default_rng(6)
    counts = np.array([[6, 4, 5], [3, 7, 0]])
    i, j = (np.repeat(part.ravel(), counts.ravel()) for part in np.indices(counts.shape))
    n = len(i)
    return pd.DataFrame(
        {
            "a": (i + 1).astype(str),
            "b": (j + 1).astype(str),
            "cell": [f"{r + 1}{c + 1}" for r, c in zip(i, j, strict=True)],
            "g": np.arange(n) % 5,
            "y": 10 + i + 2 * j + rng.normal(size=5)[np.arange(n) % 5] + rng.normal(size=n),
        }
    )


def fit(formula: str, method: str, priors: Any = None, **options: Any) -> bl.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        return bl.Model(formula, frame(), priors=priors).fit(method, **options)


@pytest.mark.parametrize("method", ["ml", "reml"])
@pytest.mark.parametrize("formula", ["y ~ cell + a + b", "y ~ cell + a + b + (1 | g)"])
def test_functions_of_aliased_columns_are_those_of_any_generalised_inverse(
    formula: str, method: str
) -> None:
    found = fit(formula, method)
    design = found.resolved.design
    X, names = design.X, design.coefs
    V = np.eye(len(X))
    if design.blocks:
        same = np.equal.outer(design.blocks[0].codes, design.blocks[0].codes)
        sd = found.varcorr().set_index("group")["estimate"]
        V = V + (sd["g"] / sd["Residual"]) ** 2 * same
    information = X.T @ np.linalg.solve(V, X)
    inverse = np.linalg.pinv(information, rcond=1e-10)
    beta = inverse @ X.T @ np.linalg.solve(V, design.y)
    assert set(found.fixef().index) < set(names)
    for given in (
        {"a[2]": 1.0, "cell[21]": 1.0},
        {"Intercept": 2.0, "a[2]": 2.0, "cell[22]": 2.0, "b[2]": 2.0},
        {"cell[12]": 1.0, "b[2]": 1.0, "cell[13]": -1.0, "b[3]": -1.0},
    ):
        c = np.array([given.get(name, 0.0) for name in names])
        row = found.contrast(given).iloc[0]
        assert row["estimate"] == pytest.approx(c @ beta, rel=1e-8)
        spread = found.sigma * np.sqrt(c @ inverse @ c)
        assert row["std_error"] == pytest.approx(spread, rel=1e-6)


@pytest.mark.parametrize(
    ("method", "priors", "options"),
    [
        ("ml", None, {}),
        ("reml", None, {}),
        ("conjugate", None, {"variances": {"sigma": 1.0}, "kappa": 0}),
        ("exact", "flat", {"draws": 50, "seed": 1}),
    ],
)
def test_what_is_not_estimable_is_refused_with_the_reason(
    method: str, priors: Any, options: dict[str, Any]
) -> None:
    found = fit("y ~ a * b", method, priors, **options)
    said = r"not estimable: column 'a\[2\]:b\[3\]' is zero in all rows .* got 1"
    with pytest.raises(IdentifiabilityError, match=said):
        found.contrast({"a[2]": 1, "a[2]:b[3]": 1})
    at_1 = found.contrast({"a[2]": 1, "a[2]:b[3]": 0})
    assert at_1.iloc[0].tolist() == found.contrast({"a[2]": 1}).iloc[0].tolist()
    with pytest.raises(ColumnError, match=r"Did you mean 'a\[2\]:b\[3\]'"):
        found.contrast({"a[2]:b[4]": 1})


def test_under_proper_priors_every_function_has_a_posterior() -> None:
    found = fit(
        "y ~ a * b", "conjugate", {"beta": "normal(0, 3)"}, variances={"sigma": 1.0}, draws=10
    )
    row = found.contrast({"a[2]:b[3]": 1}).iloc[0]
    assert row["estimate"] == pytest.approx(0.0, abs=1e-9)  # the data say nothing: the prior
    assert row["std_error"] == pytest.approx(3.0)


def test_the_t_test_of_a_linear_model() -> None:
    """The pooled two-sample test."""
    data = frame()
    found = fit("y ~ a", "reml").contrast({"a[2]": 1}, against=0).iloc[0]
    y = [data.loc[data["a"] == level, "y"] for level in "21"]
    expected = stats.ttest_ind(*y)
    assert found["statistic"] == pytest.approx(expected.statistic)
    assert found["df"] == expected.df == len(data) - 2
    assert found["p_value"] == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert (found["lower"], found["upper"]) == pytest.approx((interval.low, interval.high))
    shifted = fit("y ~ a", "reml").contrast({"a[2]": 1}, against=expected.confidence_interval().low)
    assert shifted["p_value"].iloc[0] == pytest.approx(0.05)


@pytest.mark.parametrize(("formula", "method"), [("y ~ a", "ml"), ("y ~ a + (1 | g)", "reml")])
def test_walds_test(formula: str, method: str) -> None:
    found = fit(formula, method)
    row = found.contrast({"a[2]": 1}, against=0.5).iloc[0]
    z = (row["estimate"] - 0.5) / row["std_error"]
    assert row["statistic"] == pytest.approx(z) and np.isinf(row["df"])
    assert row["p_value"] == pytest.approx(2 * stats.norm.sf(abs(z)))
    np.testing.assert_allclose(row.iloc[:4].astype(float), found.fixef().loc["a[2]"])


def test_a_posterior_tells_a_probability() -> None:
    given = {"rel_sd_g": [0.5]}
    found = fit("y ~ a + (1 | g)", "conjugate", variances=given, kappa=0, draws=4000, seed=2)
    row = found.contrast({"a[2]": 1}, against=0.0).iloc[0]
    draws = found.tree["posterior"]["beta"].sel(coef="a[2]").values
    error = np.sqrt(0.25 / draws.size)
    assert row["probability_above"] == pytest.approx(np.mean(draws > 0), abs=4 * error)
    normal = fit("y ~ a", "conjugate", variances={"sigma": 1.0}, kappa=0, draws=10)
    row = normal.contrast({"a[2]": 1}, against=1.0).iloc[0]
    z = (row["estimate"] - 1.0) / row["std_error"]
    assert row["probability_above"] == pytest.approx(stats.norm.cdf(z))
    exact = fit("y ~ a", "exact", draws=200, seed=1)
    row = exact.contrast({"a[2]": 1}, against=0.0).iloc[0]
    own = exact.tree["posterior"]["beta"].sel(coef="a[2]").values
    assert row["probability_above"] == np.mean(own > 0)


def test_against_is_a_number() -> None:
    with pytest.raises(MethodError, match="against="):
        fit("y ~ a", "reml").contrast({"a[2]": 1}, against=np.nan)


@pytest.mark.parametrize("scale", [1.0, 1e7])
@pytest.mark.parametrize("method", ["reml", "exact"])
def test_a_contrast_prints_whole(method: str, scale: float) -> None:
    """Every column's name, no line wider than 80, whatever the label's and the numbers' widths;
    on one block where four decimals fit."""
    data = frame().assign(y=lambda d: d["y"] * scale).rename(columns={"a": "a_long_name"})
    options: dict[str, Any] = {} if method == "reml" else {"draws": 50, "seed": 1}
    found = bl.Model("y ~ a_long_name + b + (1 | g)", data).fit(method, **options)
    for given in ({"b[2]": 1}, {"b[2]": 1, "a_long_name[2]": -0.25, "b[3]": -1}):
        for against in (None, 0):
            table = found.contrast(given, against=against)
            with pd.option_context("display.width", 80, "display.max_columns", 0):
                text = repr(table)
            assert max(map(len, text.splitlines())) <= 80 and "..." not in text
            assert all(name in text for name in table.columns)
            assert scale > 1 or len(given) > 1 or len(text.splitlines()) == 3
            assert type(table.loc[:, :]) is type(table[["estimate"]]) is pd.DataFrame
    assert list(table.index) == ["b[2] - 0.25 a_long_name[2] - b[3]"]

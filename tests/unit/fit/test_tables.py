"""The tidy tables: the same rows and columns whatever the method (NAMES)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayeslmm as bl

NUMBERS = ["estimate", "std_error", "lower", "upper"]
COEFS = ["Intercept", "x", "sex[Male]"]


def test_fixef(fit: bl.Fit) -> None:
    table = fit.fixef()
    assert list(table.columns) == NUMBERS
    assert table.index.name == "coef" and list(table.index) == COEFS
    assert np.all(table["lower"] < table["estimate"]) and np.all(table["estimate"] < table["upper"])


@pytest.mark.parametrize("which", ["ranef", "coef"])
def test_ranef_and_coef(which: str, fit: bl.Fit, data: pd.DataFrame) -> None:
    table = getattr(fit, which)()
    assert list(table.columns) == ["group", "level", "coef", *NUMBERS]
    assert list(table.index) == list(range(9 * 2 + 6))
    assert table["group"].tolist() == ["g"] * 18 + ["batch"] * 6
    assert table["level"].tolist() == [*np.repeat(range(300, 309), 2).tolist(), *"ABCDEF"]
    assert table["coef"].tolist() == ["Intercept", "x"] * 9 + ["Intercept"] * 6
    assert np.all(table["std_error"] > 0)


def test_coef_is_beta_plus_u_with_their_covariance_counted(fit: bl.Fit) -> None:
    fixed, u, both = fit.fixef(), fit.ranef(), fit.coef()
    expected = u["estimate"].to_numpy() + fixed.loc[u["coef"], "estimate"].to_numpy()
    np.testing.assert_allclose(both["estimate"], expected, atol=1e-10)
    independent = u["std_error"].to_numpy() ** 2 + fixed.loc[u["coef"], "std_error"].to_numpy() ** 2
    assert np.all(both["std_error"] ** 2 < independent)


def test_varcorr(fit: bl.Fit) -> None:
    table = fit.varcorr()
    assert list(table.columns) == ["group", "kind", "coef", "coef2", *NUMBERS]
    rows = [
        ("g", "sd", "Intercept", ""),
        ("g", "sd", "x", ""),
        ("g", "cor", "Intercept", "x"),
        ("batch", "sd", "Intercept", ""),
    ]
    if not fit.resolved.sigma_known:
        rows.append(("Residual", "sd", "", ""))
    assert (
        list(table[["group", "kind", "coef", "coef2"]].itertuples(index=False, name=None)) == rows
    )
    assert np.all(table.loc[table["kind"] == "sd", "estimate"] > 0)


def test_tree_has_the_names_of_the_contract(fit: bl.Fit) -> None:
    group = fit.tree["estimate" if "estimate" in fit.tree else "posterior"].dataset
    lead = () if "estimate" in fit.tree else ("chain", "draw")
    dims = {
        "beta": ("coef",),
        "u_g": ("g", "g_coef"),
        "u_batch": ("batch", "batch_coef"),
        "sd_g": ("g_coef",),
        "cor_g": ("g_pair",),
        "sd_batch": ("batch_coef",),
    }
    assert {name: group[name].dims for name in dims} == {n: (*lead, *d) for n, d in dims.items()}
    assert "cor_batch" not in group
    assert ("sigma" in group) != fit.resolved.sigma_known
    assert list(group["g"].values) == list(range(300, 309))


def test_vcov_and_contrast_agree_with_fixef(fit: bl.Fit) -> None:
    covariance, fixed = fit.vcov(), fit.fixef()
    assert list(covariance.index) == list(covariance.columns) == COEFS
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), fixed["std_error"], rtol=1e-8)
    row = fit.contrast({"x": 1})
    assert list(row.columns) == NUMBERS and list(row.index) == ["x"]
    np.testing.assert_allclose(row.iloc[0], fixed.loc["x"], rtol=1e-10)
    both = fit.contrast({"Intercept": 1, "x": -2}).iloc[0]
    w = np.array([1.0, -2.0, 0.0])
    assert both["estimate"] == pytest.approx(w @ fixed["estimate"])
    assert both["std_error"] == pytest.approx(np.sqrt(w @ covariance.to_numpy() @ w))


@pytest.mark.parametrize("name", ["ml", "reml", "conjugate"])
def test_normal_intervals(name: str, by_name: Callable[[str], bl.Fit]) -> None:
    table = by_name(name).fixef()
    width = (table["upper"] - table["lower"]) / (2 * table["std_error"])
    np.testing.assert_allclose(width, stats.norm.ppf(0.975))


def test_intervals_of_draws_are_equal_tailed(by_name: Callable[[str], bl.Fit]) -> None:
    fit = by_name("exact")
    draws = fit.tree["posterior"].dataset["beta"].sel(coef="x").values.ravel()
    row = fit.fixef().loc["x"]
    assert np.mean(draws < row["lower"]) == pytest.approx(0.025, abs=1 / len(draws))
    assert np.mean(draws > row["upper"]) == pytest.approx(0.025, abs=1 / len(draws))
    assert row["estimate"] == pytest.approx(draws.mean())
    assert row["std_error"] == pytest.approx(draws.std(ddof=1))


@pytest.mark.parametrize("name", ["ml", "reml", "known"])
def test_criteria(name: str, by_name: Callable[[str], bl.Fit]) -> None:
    fit = by_name(name)
    k = 3 + 4 + (name != "known")
    assert fit.n_parameters == k
    assert fit.deviance == pytest.approx(-2 * fit.loglik)
    assert fit.aic == pytest.approx(fit.deviance + 2 * k)
    assert fit.bic == pytest.approx(fit.deviance + np.log(90) * k)
    assert fit.converged is True and fit.singular is False


def test_given_variances_have_no_uncertainty(by_name: Callable[[str], bl.Fit]) -> None:
    table, reml = by_name("conjugate").varcorr(), by_name("reml").varcorr()
    np.testing.assert_allclose(table["estimate"], reml["estimate"], rtol=1e-12)
    np.testing.assert_array_equal(table["std_error"], 0.0)


def test_conditional_variances_are_smaller(by_name: Callable[[str], bl.Fit]) -> None:
    fit = by_name("reml")
    given, whole = fit.ranef(given_beta=True), fit.ranef()
    np.testing.assert_array_equal(given["estimate"], whole["estimate"])
    assert np.all(given["std_error"] < whole["std_error"])


def test_draws_of_conjugate_have_the_exact_moments(by_name: Callable[[str], bl.Fit]) -> None:
    """800 independent draws beside the exact mean and sd: within 5 Monte Carlo errors."""
    fit = by_name("conjugate")
    table = fit.fixef()
    draws = fit.tree["posterior"].dataset["beta"].values.reshape(-1, 3)
    z = (draws.mean(axis=0) - table["estimate"]) / (table["std_error"] / np.sqrt(len(draws)))
    assert np.all(np.abs(z) < 5)
    ratio = draws.var(axis=0, ddof=1) / table["std_error"] ** 2
    assert np.all(np.abs(ratio - 1) < 5 * np.sqrt(2 / len(draws)))


def test_summary_shows_every_table(fit: bl.Fit) -> None:
    text, markup = str(fit.summary()), fit._repr_html_()
    for word in ("sex[Male]", "batch", "95 %"):
        assert word in text and word in markup
    assert repr(fit) == text

"""Shrinkage against closed forms, and against the fits' own tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl


def by_level(table: pd.DataFrame, column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """One column as (level, coefficient)."""
    return table[column].to_numpy().reshape(table["level"].nunique(), -1)


def omega_and_sigma(fit: bl.Fit) -> tuple[np.ndarray[Any, Any], float]:
    """The covariance of two correlated coefficients from a fit's table."""
    scales = fit.varcorr()
    s1, s2, rho = scales["estimate"].to_numpy()[:3]
    return np.array([[s1**2, rho * s1 * s2], [rho * s1 * s2, s2**2]]), fit.sigma


def test_balanced_one_way_layout_has_the_textbook_factor() -> None:
    model, data = bl.load_model("dyestuff"), bl.load_dataset("dyestuff")
    fit = model.fit("reml")
    tau, sigma = fit.varcorr()["estimate"]
    weight = 5 * tau**2 / (5 * tau**2 + sigma**2)
    table = bl.shrinkage(model, {"BLUP": fit})
    means = data.groupby("Batch", observed=True)["Yield"].mean()
    np.testing.assert_allclose(table["no_pooling"], means)
    np.testing.assert_allclose(table["population"], data["Yield"].mean())
    np.testing.assert_allclose(table["factor[BLUP]"], weight)
    by_hand = data["Yield"].mean() + weight * (means - data["Yield"].mean())
    np.testing.assert_allclose(table["BLUP"], by_hand)


@pytest.mark.parametrize("name", ["reml", "exact"])
def test_population_and_u_make_the_fits_own_coefficients(
    sleepstudy: bl.Model, name: str, request: pytest.FixtureRequest
) -> None:
    fit = request.getfixturevalue(name)
    table, coef = bl.shrinkage(sleepstudy, {"it": fit}), fit.coef()
    keys = ["group", "level", "coef"]
    pd.testing.assert_frame_equal(table[keys], coef[keys], check_dtype=False)
    np.testing.assert_allclose(table["it"], coef["estimate"], rtol=1e-10)


def test_matrix_weights_of_random_coefficients(sleepstudy: bl.Model, reml: bl.Fit) -> None:
    """W = Omega (Omega + sigma² (Z'Z)⁻¹)⁻¹ takes no pooling to the BLUP."""
    omega, sigma = omega_and_sigma(reml)
    z = np.column_stack([np.ones(10), np.arange(10.0)])
    weight = omega @ np.linalg.inv(omega + sigma**2 * np.linalg.inv(z.T @ z))
    table = bl.shrinkage(sleepstudy, {"BLUP": reml})
    alone, population = by_level(table, "no_pooling"), by_level(table, "population")
    blup = population + (alone - population) @ weight.T
    np.testing.assert_allclose(by_level(table, "BLUP"), blup, rtol=1e-8)
    # Var(u | y, beta) = Omega - W Omega
    reliability = np.diag(weight @ omega) / np.diag(omega)
    np.testing.assert_allclose(by_level(table, "factor[BLUP]"), np.tile(reliability, (18, 1)))


@pytest.mark.parametrize("name", ["pastes", "penicillin", "machines"])
def test_factors_come_from_the_conditional_variances(name: str) -> None:
    """Nested, crossed and three-dimensional: the fit's table is the second road."""
    model = bl.load_model(name)
    fit = model.fit("reml")
    table, scales = bl.shrinkage(model, {"it": fit}), fit.varcorr()
    sd = scales[scales["kind"] == "sd"].set_index(["group", "coef"])["estimate"]
    left = fit.ranef(given_beta=True)
    total = sd.loc[list(zip(left["group"], left["coef"], strict=True))].to_numpy()
    np.testing.assert_allclose(table["factor[it]"], 1 - (left["std_error"] / total) ** 2, rtol=1e-6)


def test_zero_variance_pools_completely(dyestuff2: tuple[bl.Model, bl.Fit]) -> None:
    model, fit = dyestuff2
    table = bl.shrinkage(model, fit)
    assert (table["factor[reml]"] == 0).all()
    np.testing.assert_allclose(table["reml"], table["population"])


def test_level_constant_covariates_are_in_the_population_and_others_are_taken_off() -> None:
    """Sex is constant within a subject, and belongs to its intercept; x varies, and its part is
    taken off the response: the identity of the one-way layout holds all the same."""
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"g": np.repeat(list("abcdef"), 5), "sex": np.repeat(list("mffmfm"), 5)})
    data["x"] = rng.normal(size=30)
    data["y"] = np.repeat(rng.normal(size=6), 5) * 3 + data["x"] + rng.normal(size=30)
    model = bl.Model("y ~ sex + x + (1 | g)", data)
    fit = model.fit("reml")
    table, beta = bl.shrinkage(model, {"BLUP": fit}), fit.fixef()["estimate"]
    sex = data.groupby("g")["sex"].first().to_numpy() == "m"
    means = data.groupby("g")[["x", "y"]].mean().reset_index(drop=True)
    population = beta["Intercept"] + beta["sex[m]"] * sex
    np.testing.assert_allclose(table["population"], population)
    np.testing.assert_allclose(table["no_pooling"], means["y"] - beta["x"] * means["x"])
    blup = population + table["factor[BLUP]"] * (table["no_pooling"] - population)
    np.testing.assert_allclose(table["BLUP"], blup)
    np.testing.assert_allclose(table["BLUP"], fit.coef()["estimate"])


def test_weights_are_repetitions_and_offsets_are_taken_off() -> None:
    data = bl.load_dataset("sleepstudy")
    doubled = pd.concat([data, data[data["Days"] > 6]], ignore_index=True)
    weighted = data.assign(w=1.0 + (data["Days"] > 6), o=3.0 * data["Days"])
    weighted["Reaction"] += weighted["o"]
    formula = "Reaction ~ Days + (Days | Subject)"
    given = {"sigma": 25.0, "sd_Subject": [24.0, 6.0], "cor_Subject": [0.1]}
    models = [
        bl.Model(formula, doubled),
        bl.Model(formula, weighted, weights="w", offset="o"),
    ]
    a, b = (
        bl.shrinkage(m, m.fit("conjugate", variances=given, kappa=0.0, seed=1, draws=2))
        for m in models
    )
    a = a.set_index(["level", "coef"]).loc[list(zip(b["level"], b["coef"], strict=True))]
    for column in ("no_pooling", "population", "conjugate", "factor[conjugate]"):
        np.testing.assert_allclose(b[column], a[column], rtol=1e-8)


def test_a_level_that_cannot_tell_has_no_estimate_of_its_own() -> None:
    data = bl.load_dataset("sleepstudy")
    first = data["Subject"] == data["Subject"].iloc[0]
    model = bl.Model("Reaction ~ Days + (Days | Subject)", data[~first | (data["Days"] == 3)])
    table = bl.shrinkage(model, {"BLUP": model.fit("reml")})
    lone = table["level"] == data["Subject"].iloc[0]
    assert table.loc[lone, "no_pooling"].isna().all()
    assert table.loc[~lone, "no_pooling"].notna().all()
    assert table.loc[lone, ["population", "BLUP", "factor[BLUP]"]].notna().all(axis=None)


def test_one_group_of_several() -> None:
    model = bl.load_model("penicillin")
    fit = model.fit("reml")
    both, one = bl.shrinkage(model, fit), bl.shrinkage(model, fit, group="sample")
    expected = both[both["group"] == "sample"].reset_index(drop=True)
    pd.testing.assert_frame_equal(one, expected)


def test_refusals(sleepstudy: bl.Model, reml: bl.Fit) -> None:
    e = bl.errors
    anything: Any = bl.shrinkage
    with pytest.raises(e.FitError, match="dict of fits is empty"):
        bl.shrinkage(sleepstudy, {})
    with pytest.raises(e.FitError, match=r"'it' is not a fit.*Model"):
        anything(sleepstudy, {"it": sleepstudy})
    with pytest.raises(e.FitError, match="must be a dict by name"):
        anything(sleepstudy, [reml])
    with pytest.raises(e.DataError, match="'level' is not allowed"):
        bl.shrinkage(sleepstudy, {"level": reml})
    with pytest.raises(e.ModelError, match="first argument must be a model"):
        anything("sleepstudy", {"it": reml})
    with pytest.raises(e.MethodError, match="Did you mean 'Subject'"):
        bl.shrinkage(sleepstudy, {"it": reml}, group="subject")
    other = bl.load_model("dyestuff")
    with pytest.raises(e.ModelError, match="'it' is of another model"):
        bl.shrinkage(other, {"it": reml})
    data = bl.load_dataset("sleepstudy")
    fewer = bl.Model(sleepstudy.formula, data[data["Days"] > 0])
    with pytest.raises(e.ModelError, match="same formula but other data"):
        bl.shrinkage(fewer, {"it": reml})

"""A response that lies in C(X), or as many coefficients as rows: exact where sigma is known or
given, an error where it is to be estimated; never NaN."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import FitError, IdentifiabilityWarning
from tests.unit.model.test_expected_information import dense

ON_A_LINE = pd.DataFrame(
    {
        "x": np.arange(6.0),
        "y": 1 + 2 * np.arange(6.0),
        "g": list("aabbcc"),
        "s": 1 + np.arange(6) / 10,
    }
)
X = np.column_stack([np.ones(6), ON_A_LINE["x"]])
SAME = np.equal.outer(ON_A_LINE["g"].to_numpy(), ON_A_LINE["g"].to_numpy()).astype(float)


def quiet(formula: str, data: pd.DataFrame, **options: object) -> bl.Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        return bl.Model(formula, data, **options)


@pytest.mark.parametrize("formula", ["y ~ x", "y ~ x + (1 | g)"])
def test_given_variances_give_the_line(formula: str) -> None:
    random = "|" in formula
    given = {"sigma": 1.5, "sd_g": [0.7]} if random else {"sigma": 1.5}
    fit = quiet(formula, ON_A_LINE).fit("conjugate", variances=given, kappa=0, seed=1, draws=50)
    V = 2.25 * np.eye(6) + (0.49 * SAME if random else 0.0)
    np.testing.assert_allclose(fit.fixef()["estimate"], [1.0, 2.0], atol=1e-12)
    np.testing.assert_allclose(fit.vcov(), np.linalg.inv(X.T @ np.linalg.solve(V, X)), rtol=1e-10)
    drawn = fit.tree["posterior"]
    assert all(np.isfinite(drawn[name]).all() for name in drawn.data_vars)


def test_an_unknown_sigma_has_no_proper_posterior() -> None:
    model = quiet("y ~ x + (1 | g)", ON_A_LINE)
    with pytest.raises(FitError, match="fit the response exactly"):
        model.fit("conjugate", variances={"rel_sd_g": [1.0]}, kappa=0)
    fit = model.fit(
        "conjugate", variances={"rel_sd_g": [1.0]}, kappa=0, sigma2_prior=(1.0, 1.0), draws=10
    )
    # sigma² ~ IG(1 + (n - p)/2, 1), times the scale of unit sigma
    unit = np.linalg.inv(X.T @ np.linalg.solve(np.eye(6) + SAME, X))
    np.testing.assert_allclose(fit.vcov(), unit / 2, rtol=1e-10)


@pytest.mark.parametrize("method", ["ml", "reml"])
@pytest.mark.parametrize("formula", ["y ~ x", "y ~ x + (1 | g)"])
def test_known_standard_deviations(formula: str, method: str) -> None:
    model = quiet(formula, ON_A_LINE, known_sd="s")
    if "|" in formula:  # nothing is left for a variance between groups
        with pytest.warns(bl.errors.SingularWarning):
            fit = model.fit(method)
        assert fit.varcorr()["estimate"].tolist() == [0.0]
    else:
        fit = model.fit(method)
    V = np.diag(ON_A_LINE["s"] ** 2)
    right = dense(ON_A_LINE["y"].to_numpy(), X, V, restricted=method == "reml")
    assert fit.loglik == pytest.approx(right, abs=1e-10)


@pytest.mark.parametrize("method", ["ml", "reml"])
def test_as_many_coefficients_as_rows(method: str) -> None:
    data = pd.DataFrame(np.random.default_rng(1).normal(size=(4, 4)), columns=list("abcy"))
    fit = bl.Model("y ~ a + b + c", data, known_sd=np.full(4, 0.5)).fit(method)
    W = np.column_stack([np.ones(4), data[["a", "b", "c"]]])
    y = data["y"].to_numpy()
    right = dense(y, W, 0.25 * np.eye(4), restricted=method == "reml")
    assert fit.loglik == pytest.approx(right, abs=1e-8)
    np.testing.assert_allclose(fit.fixef()["estimate"], np.linalg.solve(W, y), rtol=1e-8)
    assert np.isfinite(fit.fixef()).all(axis=None)


def test_redundant_terms_end_without_a_singular_update() -> None:
    """Slopes of one covariate three times over, by nearly the same levels."""
    rng = np.random.default_rng(19)
    n, J = int(rng.integers(12, 60)), int(rng.integers(3, 10))
    g = rng.integers(0, J, n)
    eps = 10.0 ** -rng.integers(2, 12)
    k = g * 2 + (rng.random(n) < 0.5)
    x = rng.normal(size=n) * 10.0 ** rng.integers(-3, 4)
    data = pd.DataFrame({"g": g.astype(str), "h": g.astype(str), "k": k.astype(str), "x": x})
    data.loc[0, "h"] = str((g[0] + 1) % J)
    data["x2"] = x * (1 + eps * rng.normal(size=n))
    data["x3"] = x + eps * rng.normal(size=n)
    data["y"] = rng.normal(size=J)[g] * rng.choice([0, 1, 100])
    data["y"] += rng.normal(size=n) * 10.0 ** -rng.integers(0, 9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        model = bl.Model("y ~ 1 + (x || g) + (x2 || h) + (x3 || k)", data)
        try:
            assert np.isfinite(model.fit("reml").loglik)
        except bl.errors.BayeslmmError as error:
            assert "response" in str(error)

"""Sigma at zero: a boundary where the likelihood is finite there, unbounded where it is not, and
residuals that are very small beside the effects; against dense likelihoods."""

from __future__ import annotations

import warnings
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import bayeslmm as bl
from bayeslmm.engines import at_zero
from bayeslmm.errors import FitError, IdentifiabilityError, IdentifiabilityWarning, SingularWarning
from tests.unit.model.test_expected_information import dense
from tests.unit.model.test_unbounded import climbs

Array = np.ndarray
STUDIES = """study,x,n,y
e00,0.9471,52,1.2455
e01,-0.7037,41,-0.1078
e02,-1.2654,34,0.1543
e03,-0.6233,22,0.6245
e04,0.0413,24,0.5415
e05,-2.325,10,-0.7144
e06,-0.2188,11,0.1026
e07,-1.2459,8,-0.0141
e08,-0.7323,17,0.3252
e09,-0.5443,50,-0.1559
e10,-0.3163,41,0.2067
e11,0.4116,55,0.5188
e12,1.0425,34,1.0299
e13,-0.1285,39,0.5339
"""


def contrasts(y: Array, X: Array, V: Array) -> float:
    """The log likelihood of the error contrasts, whose V may be singular along X."""
    K = np.linalg.svd(X)[0][:, X.shape[1] :]
    e, S = K.T @ y, K.T @ V @ K
    out = len(e) * np.log(2 * np.pi) + np.linalg.slogdet(S)[1] + e @ np.linalg.solve(S, e)
    return float(-0.5 * (out + np.linalg.slogdet(X.T @ X)[1]))


def highest(y: Array, X: Array, parts: list[Array]) -> float:
    """The largest restricted log likelihood of V = sum theta_k V_k, from several starts."""

    def f(log_sd: Array) -> float:
        V = sum(np.exp(2 * t) * part for t, part in zip(log_sd, parts, strict=True))
        return -contrasts(y, X, np.asarray(V))

    tight = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000}
    starts = ([-0.5, -3.0], [0.0, -0.5])
    return -min(optimize.minimize(f, s, method="Nelder-Mead", options=tight).fun for s in starts)


@pytest.fixture(scope="module")
def studies() -> pd.DataFrame:
    return pd.read_csv(StringIO(STUDIES))


def test_a_meta_analysis_whose_maximum_is_at_zero(studies: pd.DataFrame) -> None:
    with pytest.warns(SingularWarning, match="residual standard deviation is 0"):
        fit = bl.Model("y ~ x + (1 | study)", studies, weights="n").fit("reml")
    assert fit.loglik == pytest.approx(-2.919863916, abs=1e-8)
    assert fit.sigma == 0
    assert fit.singular
    assert fit.converged
    (sd, sigma) = fit.varcorr().itertuples()
    assert sd.estimate == pytest.approx(0.250882, abs=1e-6)
    assert sd.lower < sd.estimate < sd.upper
    assert np.isnan(sigma.std_error)
    X = np.column_stack([np.ones(14), studies["x"]])
    # V = sd² I: least squares
    beta, rss = np.linalg.lstsq(X, studies["y"], rcond=None)[:2]
    assert sd.estimate**2 == pytest.approx(float(rss[0]) / 12, rel=1e-5)
    np.testing.assert_allclose(fit.fixef()["estimate"], beta, rtol=1e-9)
    np.testing.assert_allclose(
        fit.vcov(), sd.estimate**2 * np.linalg.inv(X.T @ X), rtol=1e-8, atol=1e-12
    )
    np.testing.assert_allclose(fit.predict()["estimate"], studies["y"], atol=1e-9)
    error = sd.estimate * np.sqrt(np.diag(X @ np.linalg.solve(X.T @ X, X.T)))
    np.testing.assert_allclose(fit.ranef()["std_error"], error, rtol=1e-6)
    np.testing.assert_allclose(fit.ranef(given_beta=True)["std_error"], 0.0, atol=1e-7)


def test_what_is_asked_of_a_fit_at_zero_has_a_limit(studies: pd.DataFrame) -> None:
    model = bl.Model("y ~ x + (1 | study)", studies, weights="n")
    with pytest.warns(SingularWarning):
        fit = model.fit("reml")
    new = fit.predict(studies.assign(study="new"), new_levels="draw")
    fixed = fit.predict(effects="none")
    sd = fit.varcorr()["estimate"].iloc[0]
    np.testing.assert_allclose(new["std_error"] ** 2, fixed["std_error"] ** 2 + sd**2, rtol=1e-6)
    closed = model.fit("conjugate", variances=fit, kappa=0, draws=5, seed=1)
    np.testing.assert_allclose(closed.fixef(), fit.fixef(), rtol=1e-6)


def nearly(seed: int, n: int = 18) -> tuple[pd.DataFrame, Array, list[Array]]:
    """Two rows of one level, all others one each, and hardly a residual."""
    rng = np.random.default_rng(seed)
    codes = np.maximum(np.arange(n) - 1, 0)
    data = pd.DataFrame({"x": rng.normal(size=n), "w": rng.uniform(0.3, 3.0, n)})
    noise = rng.choice([1e-7, 0.05, 0.5]) * rng.normal(size=n) / np.sqrt(data["w"])
    data["y"] = 1 + data["x"] + rng.normal(size=n)[codes] + noise
    data["line"] = [f"l{c:02d}" for c in codes]
    Z = np.eye(n - 1)[codes]
    X = np.column_stack([np.ones(n), data["x"]])
    return data, X, [Z @ Z.T, np.diag(1 / data["w"])]


@pytest.mark.parametrize("seed", range(6))
def test_nearly_one_row_a_level(seed: int) -> None:
    """REML is finite at sigma = 0, and right on either side; ML is unbounded there."""
    data, X, parts = nearly(seed)
    y = data["y"].to_numpy()
    model = bl.Model("y ~ x + (1 | line)", data, weights="w")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularWarning)
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        fit = model.fit("reml")
    assert fit.converged
    sds = fit.varcorr()["estimate"].to_numpy()
    assert fit.singular == bool(np.any(sds == 0))
    own = contrasts(y, X, sds[0] ** 2 * parts[0] + sds[1] ** 2 * parts[1])
    assert fit.loglik == pytest.approx(own, abs=1e-6)
    assert fit.loglik == pytest.approx(highest(y, X, parts), abs=1e-6)
    assert climbs(y, X, parts[0], restricted=False)
    assert not climbs(y, X, parts[0], restricted=True)
    with pytest.raises(IdentifiabilityError, match=r"likelihood is unbounded.*'reml' may"):
        model.fit("ml")


def test_a_response_of_related_levels_without_a_residual() -> None:
    rng = np.random.default_rng(8)
    half = rng.normal(size=(14, 5))
    A = half @ half.T / 5 + 0.05 * np.eye(14)
    levels = [f"a{i:02d}" for i in range(14)]
    data = pd.DataFrame({"animal": levels, "x": rng.normal(size=14)})
    data["y"] = 2 - data["x"] + np.linalg.cholesky(A) @ rng.normal(size=14)
    X = np.column_stack([np.ones(14), data["x"]])
    kin = {"animal": pd.DataFrame(A, index=levels, columns=levels)}
    model = bl.Model("y ~ x + (1 | animal)", data, relationship=kin)
    y = data["y"].to_numpy()
    for method in ("ml", "reml"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SingularWarning)
            fit = model.fit(method)
        sd, sigma = fit.varcorr()["estimate"]
        V = sd**2 * A + sigma**2 * np.eye(14)
        value = dense(y, X, V, restricted=method == "reml")
        assert fit.loglik == pytest.approx(value, abs=1e-7)
        W = np.linalg.inv(V)
        C = np.linalg.inv(X.T @ W @ X)
        np.testing.assert_allclose(fit.fixef()["estimate"], C @ X.T @ W @ y, rtol=1e-7)
        P = W - W @ X @ C @ X.T @ W
        G = sd**2 * A
        np.testing.assert_allclose(fit.ranef()["estimate"], G @ P @ y, atol=1e-7)
        error = np.sqrt(np.diag(G - G @ P @ G))
        np.testing.assert_allclose(fit.ranef()["std_error"], error, rtol=1e-6)
        assert sigma == 0


def one_way(data: pd.DataFrame, sd: float, sigma: float, *, restricted: bool) -> float:
    """The log likelihood of intercepts by group, by what is within groups and between."""
    n, groups = len(data), data["g"].nunique()
    each = n // groups
    table = np.column_stack([data["y"], np.ones(n), data["x"]])
    means = table.reshape(groups, each, 3).mean(axis=1)
    between = sigma**2 + each * sd**2
    rows = np.vstack(
        [(table - np.repeat(means, each, axis=0)) / sigma, np.sqrt(each / between) * means]
    )
    y, X = rows[:, 0], rows[:, 1:]
    size = np.linalg.norm(X, axis=0)
    q, r = np.linalg.qr(X / size)
    e = y - q @ (q.T @ y)
    e = e - q @ (q.T @ e)
    log_det = (n - groups) * np.log(sigma**2) + groups * np.log(between)
    out = (n - 2 * restricted) * np.log(2 * np.pi) + log_det + e @ e
    if restricted:
        out += 2 * np.log(np.abs(np.diag(r)) * size).sum()
    return float(-0.5 * out)


@pytest.mark.parametrize("method", ["ml", "reml"])
@pytest.mark.parametrize("share", [1e-4, 1e-5, 1e-6, 1e-8, 1e-9])
def test_residuals_that_are_small_beside_the_effects(share: float, method: str) -> None:
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(6), 5)
    data = pd.DataFrame({"g": [f"g{i}" for i in g], "x": rng.normal(size=30)})
    data["y"] = 1 + data["x"] + rng.normal(size=6)[g] + share * rng.normal(size=30)
    fit = bl.Model("y ~ x + (1 | g)", data).fit(method)
    sd, sigma = fit.varcorr()["estimate"]
    assert fit.converged
    assert sigma / share == pytest.approx(1.0, abs=0.4)
    restricted = method == "reml"
    own = one_way(data, sd, sigma, restricted=restricted)
    assert fit.loglik == pytest.approx(own, abs=1e-6 if share > 1e-9 else 1e-5)
    for factor in (0.999, 1.001):
        assert one_way(data, sd * factor, sigma, restricted=restricted) < own
        assert one_way(data, sd, sigma * factor, restricted=restricted) < own
    # the slope is known from within groups: least squares there
    centred = data[["x", "y"]] - data.groupby("g")[["x", "y"]].transform("mean")
    error = sigma / np.sqrt(float((centred["x"] ** 2).sum()))
    assert fit.fixef().loc["x", "std_error"] == pytest.approx(error, rel=1e-3)


def test_long_tables_are_refused_for_their_conditioning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_zero, "MOST", 20)
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(6), 5)
    data = pd.DataFrame({"g": [f"g{i}" for i in g], "x": rng.normal(size=30)})
    level = rng.normal(size=6)[g]
    data["y"] = 1 + data["x"] + level + 1e-7 * rng.normal(size=30)
    with pytest.raises(FitError, match=r"residuals below rounding error.*30 rows.*20 rows"):
        bl.Model("y ~ x + (1 | g)", data).fit("reml")


def test_no_residual_is_unbounded_in_either_method() -> None:
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(100), 5)  # too long to be looked at before the fit
    data = pd.DataFrame({"g": [f"g{i}" for i in g], "x": rng.normal(size=500)})
    data["y"] = rng.normal(size=100)[g] + data["x"]
    for method in ("ml", "reml"):
        with pytest.raises(IdentifiabilityError, match="unbounded as sigma goes to 0"):
            bl.Model("y ~ x + (1 | g)", data).fit(method)

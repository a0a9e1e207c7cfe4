"""Simulated responses have the distribution that the model says, whatever names it is told by."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayeslmm as bl
from bayeslmm.predict.parameters import read_parameters
from bayeslmm.predict.simulate import log_likelihood, responses

S = 20_000
STANDARD_ERRORS = 4.5  # of Monte Carlo: about 1 in 150,000 numbers is further off


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 12
    return pd.DataFrame(
        {
            "y": rng.integers(0, 5, n).astype(float),
            "x": np.linspace(-1.0, 2.0, n),
            "g": np.arange(n) % 4,
            "w": rng.uniform(0.5, 3.0, n),
            "o": rng.normal(size=n),
            "m": np.full(n, 7),
            "c": np.array(["low", "mid", "high"])[np.arange(n) % 3],
        }
    )


GIVEN: dict[str, Any] = {
    "beta": {"Intercept": 1.0, "x": -0.5},
    "sd_g": [0.8, 0.5],
    "cor_g": 0.4,
    "sigma": 0.7,
}


def many(model: bl.Model, given: Any, size: int = S, seed: int = 1) -> np.ndarray:
    values = read_parameters(model.resolved, given)
    batch = {k: np.repeat(v, size, axis=0) for k, v in values.items()}
    return responses(model.resolved, batch, np.random.default_rng(seed))


def dense_z(data: pd.DataFrame, columns: list[np.ndarray]) -> np.ndarray:
    """Columns by level, then by coefficient."""
    levels = np.equal.outer(data["g"].to_numpy(), np.arange(4)).astype(float)
    return np.concatenate(
        [np.stack([levels[:, j] * c for c in columns], axis=1) for j in range(4)], axis=1
    )


def agrees(draws: np.ndarray, mean: np.ndarray) -> None:
    error = draws.std(axis=0) / np.sqrt(len(draws))
    assert np.all(abs(draws.mean(axis=0) - mean) < STANDARD_ERRORS * error)


def test_mean_and_covariance_of_gaussian_responses() -> None:
    """X beta + offset, and Z G Z' + sigma² / w, by dense algebra."""
    data = frame()
    model = bl.Model("y ~ x + (x | g)", data, weights="w", offset="o")
    y = many(model, GIVEN)
    x = data["x"].to_numpy()
    mean = 1.0 - 0.5 * x + data["o"].to_numpy()
    agrees(y, mean)
    G = np.array([[0.64, 0.4 * 0.8 * 0.5], [0.4 * 0.8 * 0.5, 0.25]])
    Z = dense_z(data, [np.ones(12), x])
    V = Z @ np.kron(np.eye(4), G) @ Z.T + np.diag(0.49 / data["w"].to_numpy())
    centred = y - mean
    agrees(np.einsum("sa,sb->sab", centred, centred).reshape(S, -1), V.ravel())


def test_given_effects_are_kept() -> None:
    data = frame()
    u = np.random.default_rng(5).normal(size=(4, 2))
    model = bl.Model("y ~ x + (x | g)", data)
    y = model.simulate(GIVEN | {"sigma": 0.0, "u_g": u}, seed=1)
    x = data["x"].to_numpy()
    expected = 1.0 - 0.5 * x + dense_z(data, [np.ones(12), x]) @ u.ravel()
    np.testing.assert_allclose(y, expected, rtol=1e-12)


def test_known_sds_and_weights_of_zero() -> None:
    data = frame()
    known = bl.Model("y ~ x + (1 | g)", data, known_sd="w")
    y = many(known, {"beta": [1.0, 0.0], "sd_g": 0.0})
    agrees((y - 1.0) ** 2, data["w"].to_numpy() ** 2)
    zero = bl.Model(
        "y ~ x + (1 | g)", data.assign(w=np.where(data["x"] < 0, 0.0, 1.0)), weights="w"
    )
    y = many(zero, {"beta": [1.0, 0.0], "sd_g": 0.0, "sigma": 2.0})
    agrees((y - 1.0) ** 2, np.full(12, 4.0))


@pytest.mark.parametrize(
    ("family", "further", "mean"),
    [
        ("poisson", {}, lambda eta, m: np.exp(eta)),
        ("negative_binomial", {"shape": 2.0}, lambda eta, m: np.exp(eta)),
        ("binomial", {}, lambda eta, m: m / (1 + np.exp(-eta))),
        ("zero_inflated_poisson", {"zi": 0.3}, lambda eta, m: 0.7 * np.exp(eta)),
    ],
)
def test_means_of_counts(family: str, further: dict[str, float], mean: Any) -> None:
    """At known effects, with an offset, and trials where there are any."""
    data = frame()
    trials = {"trials": "m"} if family == "binomial" else {}
    model = bl.Model("y ~ x + (1 | g)", data, family=family, offset="o", **trials)
    u = np.array([[0.5], [-0.5], [0.2], [0.0]])
    y = many(model, {"beta": [0.3, 0.4], "sd_g": 1.0, "u_g": u, **further})
    eta = 0.3 + 0.4 * data["x"] + data["o"] + u[data["g"], 0]
    agrees(y, mean(eta.to_numpy(), data["m"].to_numpy()))


def test_shares_of_categories() -> None:
    data = frame()
    x = data["x"].to_numpy()
    model = bl.Model("c ~ x", data, family="categorical")
    y = many(model, {"beta": [[0.5, 1.0], [-0.3, 0.2]]})
    odds = np.stack([np.ones(12), np.exp(0.5 + x), np.exp(-0.3 + 0.2 * x)], axis=1)
    shares = odds / odds.sum(axis=1, keepdims=True)
    for code in range(3):
        agrees((y == code).astype(float), shares[:, code])
    ordered = data.assign(c=pd.Categorical(data["c"], ["low", "mid", "high"], ordered=True))
    model = bl.Model("c ~ x", ordered, family="ordinal")
    y = many(model, {"beta": {"x": 0.7}, "cutpoint": {"low|mid": -0.5, "mid|high": 1.0}})
    agrees((y <= 0).astype(float), stats.logistic.cdf(-0.5 - 0.7 * x))
    agrees((y <= 1).astype(float), stats.logistic.cdf(1.0 - 0.7 * x))
    assert set(model.simulate({"beta": [0.7], "cutpoint": [-0.5, 1.0]}, seed=1)) <= set(data["c"])


def test_a_sigma_of_its_own_predictor() -> None:
    data = frame()
    model = bl.Model("y ~ x", data, dpar={"sigma": "~ x + (1 | g)"})
    u = np.array([[0.5], [-0.5], [0.2], [0.0]])
    given = {"beta": [1.0, 0.0], "sigma_beta": [0.1, 0.3], "sigma_sd_g": 1.0, "sigma_u_g": u}
    y = many(model, given)
    agrees((y - 1.0) ** 2, np.exp(2 * (0.1 + 0.3 * data["x"] + u[data["g"], 0])).to_numpy())


@pytest.mark.parametrize("kind", ["student_t", "mixture"])
def test_effects_that_are_not_normal(kind: str) -> None:
    """Var(u) is nu/(nu - 2) G for t effects, and L (I + p (1 - p) d d') L' for mixtures."""
    data = frame()
    model = bl.Model("y ~ x + (x | g)", data, random={"g": kind})
    further = {"nu_g": 12.0} if kind == "student_t" else {"share_g": 0.3, "shift_g": [1.5, -1.0]}
    given = {"beta": [0.0, 0.0], "sd_g": [0.8, 0.5], "cor_g": 0.4, "sigma": 0.0, **further}
    y = many(model, given, size=6000)
    G = np.array([[0.64, 0.16], [0.16, 0.25]])
    if kind == "mixture":
        root, d = np.linalg.cholesky(G), np.array([1.5, -1.0])
        G = root @ (np.eye(2) + 0.3 * 0.7 * np.outer(d, d)) @ root.T
    else:
        G = 1.2 * G
    Z = dense_z(data, [np.ones(12), data["x"].to_numpy()])
    agrees(y, np.zeros(12))
    squares = np.einsum("sa,sb->sab", y, y).reshape(len(y), -1)
    agrees(squares, (Z @ np.kron(np.eye(4), G) @ Z.T).ravel())


def test_labels_decide_not_the_order() -> None:
    model = bl.Model("y ~ x + (x | g)", frame())
    plain = model.simulate(GIVEN | {"beta": [1.0, -0.5]}, seed=4)
    others = [
        GIVEN | {"beta": {"x": -0.5, "Intercept": 1.0}},
        GIVEN | {"beta": pd.Series([-0.5, 1.0], ["x", "Intercept"])},
        GIVEN | {"sd_g": {"x": 0.5, "Intercept": 0.8}, "cor_g": {"Intercept,x": 0.4}},
    ]
    tree = model.prior_predictive(2, seed=1)["prior"].dataset
    point = tree.drop_vars("u_g").isel(chain=0, draw=0, drop=True)
    again = {name: value.values for name, value in point.data_vars.items()}
    for given in others:
        pd.testing.assert_series_equal(model.simulate(given, seed=4), plain)
    backwards = point.isel(coef=[1, 0], g_coef=[1, 0])
    pd.testing.assert_series_equal(model.simulate(backwards, seed=4), model.simulate(again, seed=4))


def test_a_fits_estimates_can_be_simulated_from(sleepstudy: bl.Model, reml: bl.Fit) -> None:
    """Standard errors and other variables of the fit are passed over; its u is kept."""
    estimate = reml.tree["estimate"].dataset
    y = sleepstudy.simulate(estimate, seed=1)
    assert np.std(y - reml.predict()["estimate"]) == pytest.approx(reml.sigma, rel=0.25)
    fresh = sleepstudy.simulate(estimate.drop_vars("u_Subject"), seed=1)
    assert np.std(fresh - reml.predict()["estimate"]) > 1.3 * reml.sigma


def test_log_likelihood_is_scipys() -> None:
    data = frame()
    u = np.random.default_rng(5).normal(size=(4, 1))
    eta = 0.3 + 0.4 * data["x"].to_numpy() + u[data["g"], 0]
    y, w = data["y"].to_numpy(), data["w"].to_numpy()
    base = {"beta": [0.3, 0.4], "sd_g": 1.0, "u_g": u}
    gaussian = bl.Model("y ~ x + (1 | g)", data, weights="w").resolved
    found = log_likelihood(gaussian, read_parameters(gaussian, base | {"sigma": 0.7}))
    expected = stats.norm.logpdf(y, eta, 0.7 / np.sqrt(w)).sum()
    np.testing.assert_allclose(found, [expected], rtol=1e-12)
    poisson = bl.Model("y ~ x + (1 | g)", data, family="poisson", weights="w").resolved
    found = log_likelihood(poisson, read_parameters(poisson, base))
    np.testing.assert_allclose(found, [w @ stats.poisson.logpmf(y, np.exp(eta))], rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"sd_h": 1.0}, bl.errors.MethodError, "no parameter 'sd_h'.*Did you mean 'sd_g'"),
        ({"sigma": None}, bl.errors.DataError, "sigma is out of its range"),
        ({"sigma": -1.0}, bl.errors.DataError, "sigma is out of its range"),
        ({"sigma": "big"}, bl.errors.DataError, "sigma must be numbers"),
        ({"beta": [1.0]}, bl.errors.DataError, r"wrong shape.*\(1,\).*\(2,\) \(coef\)"),
        ({"beta": {"Intercept": 1.0, "z": 0.0}}, bl.errors.DataError, "labels along coef"),
        ({"cor_g": 1.2}, bl.errors.DataError, "cor_g is out of its range"),
        ({"u_g": np.zeros((3, 2))}, bl.errors.DataError, r"\(4, 2\) \(g, g_coef\)"),
        ({"sd_g": [1.0, np.nan]}, bl.errors.DataError, "sd_g is out of its range"),
    ],
)
def test_refusals(change: dict[str, Any], error: type[Exception], text: str) -> None:
    model = bl.Model("y ~ x + (x | g)", frame())
    with pytest.raises(error, match=text):
        model.simulate(GIVEN | change, seed=1)


def test_what_is_missing_and_what_can_t_be() -> None:
    e = bl.errors
    model = bl.Model("y ~ x + (x | g)", frame())
    with pytest.raises(e.MethodError, match="missing: beta, cor_g"):
        model.simulate({"sd_g": [1.0, 1.0], "sigma": 1.0})
    with pytest.raises(e.MethodError, match="must be a dict by name"):
        model.simulate([1.0, 2.0])
    with pytest.raises(e.DataError, match=r"has draws.*isel"):
        model.simulate(model.prior_predictive(3, seed=1)["prior"].dataset)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", e.IdentifiabilityWarning)  # few levels for so many
        three = bl.Model("y ~ (x + w | g)", pd.concat([frame()] * 2, ignore_index=True))
    apart = {"beta": [0.0], "sd_g": [1.0, 1.0, 1.0], "cor_g": [0.9, 0.9, -0.9], "sigma": 1.0}
    with pytest.raises(e.DataError, match="negative eigenvalue"):
        three.simulate(apart)
    identity = bl.Model("y ~ x", frame(), family="poisson", link="identity")
    with pytest.raises(e.DataError, match="poisson response can't be drawn"):
        identity.simulate({"beta": [-5.0, 0.0]}, seed=1)
    t = bl.Model("y ~ x", frame(), family="student_t")
    with pytest.raises(e.DataError, match="nu is out of its range"):
        t.simulate({"beta": [0.0, 0.0], "sigma": 1.0, "nu": 0.0})
    with pytest.raises(e.MethodError, match="seed must be"):
        model.simulate(GIVEN, seed=-1)

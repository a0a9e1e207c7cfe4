"""Best linear prediction against joint normal algebra, the kriging system and published figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import splu
from scipy.stats import multivariate_normal

import bayeslmm as bl
from bayeslmm.errors import DataError, IdentifiabilityError, IdentifiabilityWarning, ModelError


def field(n: int, m: int, nugget: float, seed: int = 1):
    """Places in a plane, an exponential covariance with its nugget, and data."""
    rng = np.random.default_rng(seed)
    at = rng.uniform(0, 10, (n + m, 2))
    apart = np.linalg.norm(at[:, None] - at, axis=2)
    whole = 3.0 * np.exp(-apart / 2.5) + nugget * np.eye(n + m)
    X = np.column_stack([np.ones(n + m), at])
    y = X[:n] @ [2.0, 0.5, -1.0] + np.linalg.cholesky(whole[:n, :n]) @ rng.standard_normal(n)
    return y, whole[:n, :n], whole[:n, n:], whole[n:, n:], X[:n], X[n:]


@pytest.fixture(scope="module")
def data():
    return field(12, 5, 0.4)


def kriging_system(V, psi, X, X0, y):
    """Weights and error variances from the equations with Lagrange multipliers nu.

    Minimise Var(w'y - y0) subject to X'w = x0:  [V X; X' 0] [w; nu] = [psi; x0].
    """
    n, p = X.shape
    left = np.block([[V, X], [X.T, np.zeros((p, p))]])
    solved = np.linalg.solve(left, np.vstack([psi, X0.T]))
    w, nu = solved[:n], solved[n:]
    explained = np.sum(w * psi, axis=0) + np.sum(nu * X0.T, axis=0)
    return w, w.T @ y, explained


def test_simple_is_the_conditional_normal(data):
    y, V, psi, V0, X, X0 = data
    beta = np.array([1.0, 0.4, -0.9])
    found = bl.blp(y, V, psi, X, X0, V0, beta=beta)
    assert found.kind == "simple"
    joint = np.linalg.inv(np.block([[V, psi], [psi.T, V0]]))  # the conditional from the precision
    n = len(y)
    covariance = np.linalg.inv(joint[n:, n:])
    mean = X0 @ beta - covariance @ joint[n:, :n] @ (y - X @ beta)
    np.testing.assert_allclose(found.prediction, mean, rtol=1e-10)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found.std_error, np.sqrt(np.diag(covariance)), rtol=1e-9)
    np.testing.assert_allclose(found.beta_covariance, 0)


@pytest.mark.parametrize("constant", [True, False])
def test_unknown_mean_is_the_kriging_system(data, constant):
    y, V, psi, V0, X, X0 = data
    X, X0 = (X[:, :1], X0[:, :1]) if constant else (X, X0)
    weights, prediction, explained = kriging_system(V, psi, X, X0, y)
    found = bl.blp(y, V, psi, None, None, V0) if constant else bl.blp(y, V, psi, X, X0, V0)
    assert found.kind == ("ordinary" if constant else "universal")
    np.testing.assert_allclose(found.weights, weights, atol=1e-12)
    np.testing.assert_allclose(found.prediction, prediction, rtol=1e-11)
    np.testing.assert_allclose(found.std_error**2, np.diag(V0) - explained, rtol=1e-9)
    np.testing.assert_allclose(X.T @ found.weights, X0.T, atol=1e-11)  # unbiased
    error = V0 - weights.T @ psi - psi.T @ weights + weights.T @ V @ weights
    np.testing.assert_allclose(found.covariance, error, atol=1e-11)


def test_ordinary_weights_sum_to_one_and_the_kind_is_read_from_X(data):
    y, V, psi, V0, _, _ = data
    found = bl.blp(y, V, psi, np.full(12, 7.0), np.full(5, 7.0), V0)
    assert found.kind == "ordinary"
    np.testing.assert_allclose(found.weights.sum(axis=0), 1, atol=1e-13)
    moved = bl.blp(y + 100, V, psi, V0=V0)
    np.testing.assert_allclose(moved.prediction - 100, found.prediction, rtol=1e-10)
    assert not np.allclose(found.delta.sum(axis=0), 1)


def test_generalised_least_squares(data):
    y, V, psi, V0, X, X0 = data
    found = bl.blp(y, V, psi, X, X0, V0)
    root = np.linalg.inv(np.linalg.cholesky(V))
    Q, R = np.linalg.qr(root @ X)
    np.testing.assert_allclose(found.beta, np.linalg.solve(R, Q.T @ root @ y), rtol=1e-10)
    np.testing.assert_allclose(found.beta_covariance, np.linalg.inv(R.T @ R), rtol=1e-9)
    table = found.fixef()
    np.testing.assert_allclose(table["std_error"], np.sqrt(np.diag(found.beta_covariance)))


def test_bayesian_is_the_marginal_normal(data):
    """beta integrated out: a known mean X m with V + X B X'."""
    y, V, psi, V0, X, X0 = data
    m, root = np.array([1.0, 0.0, -0.5]), np.array([[2, 0, 0], [0.5, 1, 0], [-0.3, 0.2, 0.7]])
    B = root @ root.T
    found = bl.blp(y, V, psi, X, X0, V0, prior=(m, B))
    assert found.kind == "bayesian"
    simple = bl.blp(y, V + X @ B @ X.T, psi + X @ B @ X0.T, X, X0, V0 + X0 @ B @ X0.T, beta=m)
    np.testing.assert_allclose(found.prediction, simple.prediction, rtol=1e-10)
    np.testing.assert_allclose(found.covariance, simple.covariance, atol=1e-11)
    posterior = np.linalg.inv(np.linalg.inv(B) + X.T @ np.linalg.solve(V, X))
    np.testing.assert_allclose(found.beta_covariance, posterior, rtol=1e-9)
    centred = posterior @ (np.linalg.solve(B, m) + X.T @ np.linalg.solve(V, y))
    np.testing.assert_allclose(found.beta, centred, rtol=1e-9)
    by_weights = found.weights.T @ y + (X0 - found.weights.T @ X) @ m
    np.testing.assert_allclose(found.prediction, by_weights, rtol=1e-10)


def test_a_prior_lies_between_simple_and_universal(data):
    y, V, psi, V0, X, X0 = data
    m = np.array([1.0, 0.4, -0.9])
    simple = bl.blp(y, V, psi, X, X0, V0, beta=m)
    universal = bl.blp(y, V, psi, X, X0, V0)
    for spread, limit in ((0.0, simple), (1e-12, simple), (1e12, universal)):
        found = bl.blp(y, V, psi, X, X0, V0, prior=(m, spread))
        np.testing.assert_allclose(found.prediction, limit.prediction, rtol=1e-8)
        np.testing.assert_allclose(found.covariance, limit.covariance, atol=1e-8)
    between = bl.blp(y, V, psi, X, X0, V0, prior=(m, 1.0)).std_error
    assert np.all(simple.std_error < between)
    assert np.all(between < universal.std_error)


def test_a_prior_may_know_some_coefficients_and_leave_others(data):
    """Variance zero holds one coefficient; the rest is the regression without it."""
    y, V, psi, V0, X, X0 = data
    found = bl.blp(y, V, psi, X, X0, V0, prior=([0.0, 0.3, 0.0], [1e10, 0.0, 1e10]))
    rest = bl.blp(y - 0.3 * X[:, 1], V, psi, X[:, [0, 2]], X0[:, [0, 2]], V0)
    np.testing.assert_allclose(found.prediction, rest.prediction + 0.3 * X0[:, 1], rtol=1e-7)
    np.testing.assert_allclose(found.std_error, rest.std_error, rtol=1e-7)


def test_without_a_nugget_data_are_interpolated():
    y, V, _, _, X, _ = field(12, 1, 0.0)
    for given in ({}, {"X": X, "X0": X[3:6]}, {"beta": 1.5}, {"prior": (0.0, 4.0)}):
        found = bl.blp(y, V, V[:, 3:6], V0=V[3:6, 3:6], **given)
        np.testing.assert_allclose(found.prediction, y[3:6], rtol=1e-9)
        assert np.all(found.std_error == 0)
        np.testing.assert_allclose(found.delta, np.eye(12)[:, 3:6], atol=1e-10)


def test_a_nugget_smooths():
    y, V, _, _, _, _ = field(12, 1, 0.0)
    found = bl.blp(y, V + 0.5 * np.eye(12), V, V0=V)
    assert np.all(found.std_error > 0.1)
    assert np.abs(found.prediction - y).max() > 0.1


def test_the_predictor_is_best_among_linear_unbiased_ones(data):
    y, V, psi, V0, X, X0 = data
    found = bl.blp(y, V, psi, X, X0, V0)
    rng = np.random.default_rng(4)
    null = np.linalg.svd(X.T)[2][3:].T  # changes that leave X'w as it is
    for _ in range(20):
        w = found.weights + null @ rng.normal(0, 0.05, (null.shape[1], 5))
        error = np.diag(V0) - 2 * np.sum(w * psi, axis=0) + np.sum(w * (V @ w), axis=0)
        assert np.all(error > found.std_error**2)


def test_stated_errors_are_those_of_repetitions(data):
    _, V, psi, V0, X, X0 = data
    whole = np.block([[V, psi], [psi.T, V0]])
    means = np.concatenate([X, X0]) @ [2.0, 0.5, -1.0]
    draws = multivariate_normal(means, whole).rvs(4000, random_state=3)
    found = bl.blp(draws[0, :12], V, psi, X, X0, V0)
    errors = draws[:, :12] @ found.weights - draws[:, 12:]
    z = errors.mean(axis=0) / (found.std_error / np.sqrt(4000))
    assert np.abs(z).max() < 4  # Monte Carlo standard errors
    z = (errors.var(axis=0) / found.std_error**2 - 1) / np.sqrt(2 / 4000)
    assert np.abs(z).max() < 4


def test_isaaks_and_srivastava():
    """An Introduction to Applied Geostatistics (1989), pages 291 to 296: seven samples, the
    covariance 10 exp(-0.3 h)."""
    at = np.array([[61, 139], [63, 140], [64, 129], [68, 128], [71, 140], [73, 141], [75, 128]])
    y = [477.0, 696.0, 227.0, 646.0, 606.0, 791.0, 783.0]
    V = 10 * np.exp(-0.3 * np.linalg.norm(at[:, None] - at, axis=2))
    psi = 10 * np.exp(-0.3 * np.linalg.norm(at - [65, 137], axis=1))
    found = bl.blp(y, V, psi, V0=10.0)
    published = [0.173, 0.318, 0.129, 0.086, 0.151, 0.057, 0.086]
    np.testing.assert_allclose(found.weights[:, 0], published, atol=5.1e-4)
    assert found.prediction[0] == pytest.approx(592.7, abs=0.06)
    assert found.std_error[0] ** 2 == pytest.approx(8.96, abs=6e-3)


def test_selection_index():
    """Breeding value from one's own records: heritability times the deviation; with r repeated
    records r h² / (1 + (r - 1) t), t the repeatability; from a parent's record h²/2."""
    genetic, permanent, noise, mu = 20.0, 10.0, 50.0, 100.0
    h2, t = genetic / 80, (genetic + permanent) / 80
    own = bl.blp([112.0], [[80.0]], [genetic], [[1.0]], [[0.0]], genetic, beta=mu)
    assert own.prediction[0] == pytest.approx(h2 * 12)
    assert own.std_error[0] ** 2 == pytest.approx(genetic * (1 - h2))  # accuracy h
    r = 4
    records = np.array([105.0, 112.0, 98.0, 121.0])
    V = np.full((r, r), genetic + permanent) + noise * np.eye(r)
    psi = np.full(r, genetic)
    repeated = bl.blp(records, V, psi, np.ones(r), [0.0], genetic, beta=mu)
    weight = r * h2 / (1 + (r - 1) * t)
    assert repeated.prediction[0] == pytest.approx(weight * (records.mean() - mu))
    assert repeated.std_error[0] ** 2 == pytest.approx(genetic * (1 - weight))
    child = bl.blp([112.0], [[80.0]], [genetic / 2], V0=80.0, beta=mu)
    assert child.prediction[0] == pytest.approx(mu + h2 / 2 * 12)


def test_years_that_decay():
    """AR(1) years: k ahead, the last year's deviation times r to the k."""
    r, s2, years = 0.7, 4.0, np.arange(9.0)
    y = np.array([3.0, 4.2, 5.1, 3.3, 2.8, 4.0, 4.4, 5.0, 6.1])
    ahead = np.array([9.0, 10.0, 12.0])
    V = s2 * r ** np.abs(years[:, None] - years)
    psi = s2 * r ** np.abs(years[:, None] - ahead)
    found = bl.blp(y, V, psi, V0=s2, beta=4.0)
    k = ahead - 8
    np.testing.assert_allclose(found.prediction, 4 + r**k * 2.1)
    np.testing.assert_allclose(found.std_error**2, s2 * (1 - r ** (2 * k)))
    np.testing.assert_allclose(found.delta[:-1], 0, atol=1e-12)
    assert found.covariance is None  # variances were given, no covariances


def test_the_mixed_model_is_a_case(gallery_fit):
    """V = ZGZ' + sigma² I and psi = ZG z0: BLUP of a known driver's line at two new days."""
    fit, table = gallery_fit("sleepstudy", "reml"), bl.load_dataset("sleepstudy")
    own = fit.varcorr().query("group == 'Subject'")
    sd = own[own["kind"] == "sd"].set_index("coef")["estimate"][["Intercept", "Days"]].to_numpy()
    rho = own.loc[own["kind"] == "cor", "estimate"].item()
    G = np.outer(sd, sd) * [[1, rho], [rho, 1]]
    X = np.column_stack([np.ones(len(table)), table["Days"]])
    same = table["Subject"].to_numpy()[:, None] == table["Subject"].to_numpy()
    V = sp.csc_array(same * (X @ G @ X.T) + fit.sigma**2 * np.eye(len(table)))
    x0 = np.array([[1.0, 4.5], [1.0, 12.0]])
    psi = (table["Subject"].astype(str) == "308").to_numpy()[:, None] * (X @ G @ x0.T)
    found = bl.blp(table["Reaction"], V, psi, X, x0, x0 @ G @ x0.T)
    new = pd.DataFrame({"Subject": ["308", "308"], "Days": [4.5, 12.0]})
    predicted = fit.predict(new)
    np.testing.assert_allclose(found.prediction, predicted["estimate"], rtol=1e-9)
    np.testing.assert_allclose(found.std_error, predicted["std_error"], rtol=1e-7)
    np.testing.assert_allclose(found.fixef()["estimate"], fit.fixef()["estimate"], rtol=1e-8)
    np.testing.assert_allclose(found.fixef()["std_error"], fit.fixef()["std_error"], rtol=1e-7)


def test_dense_sparse_and_given_solvers_agree(data):
    y, V, psi, V0, X, X0 = data
    V = V * (np.abs(np.subtract.outer(np.arange(12), np.arange(12))) < 4) + 3 * np.eye(12)
    dense = bl.blp(y, V, psi, X, X0, V0)

    class Own:
        def solve(self, b):
            return np.linalg.solve(V, b)

    for other in (sp.csr_matrix(V), sp.coo_array(V), splu(sp.csc_matrix(V)), Own()):
        found = bl.blp(y, other, psi, X, X0, V0)
        np.testing.assert_allclose(found.prediction, dense.prediction, rtol=1e-10)
        np.testing.assert_allclose(found.covariance, dense.covariance, atol=1e-10)


def test_units_do_not_matter(data):
    y, V, psi, V0, X, X0 = data
    found = bl.blp(y, V, psi, X, X0, V0)
    units = np.array([1.0, 1e7, 1e-7])
    other = bl.blp(1e-5 * y, 1e-10 * V, 1e-10 * psi, X * units, X0 * units, 1e-10 * V0)
    np.testing.assert_allclose(other.prediction, 1e-5 * found.prediction, rtol=1e-9)
    np.testing.assert_allclose(other.std_error, 1e-5 * found.std_error, rtol=1e-9)


def test_aliased_columns_are_left_out_where_means_can_be_told(data):
    y, V, psi, V0, X, X0 = data
    wide = pd.DataFrame(X, columns=["one", "east", "north"]).assign(both=X[:, 1] + 2 * X[:, 2])
    new = pd.DataFrame(X0, columns=["one", "east", "north"]).assign(both=X0[:, 1] + 2 * X0[:, 2])
    with pytest.warns(IdentifiabilityWarning, match="both = east \\+ 2 north"):
        found = bl.blp(y, V, psi, wide, new, V0)
    np.testing.assert_allclose(found.prediction, bl.blp(y, V, psi, X, X0).prediction)
    assert np.isnan(found.fixef().loc["both", "estimate"])
    assert "left out" in repr(found)
    new.loc[2, "both"] += 1e-3
    with pytest.raises(IdentifiabilityError, match="predictions 2"):
        bl.blp(y, V, psi, wide, new, V0)
    assert np.isfinite(bl.blp(y, V, psi, wide, new, V0, prior=(np.zeros(4), 10.0)).prediction).all()


def test_tables_and_print(data):
    y, V, psi, V0, X, X0 = data
    new = pd.DataFrame(X0, columns=["one", "east", "north"], index=list("ABCDE"))
    old = pd.DataFrame(X, columns=["one", "east", "north"])
    found = bl.blp(y, V, psi, old, new, V0)
    table = found.table()
    assert list(table.columns) == ["estimate", "std_error", "lower", "upper"]
    assert list(table.index) == list("ABCDE")
    half = 1.959963984540054 * found.std_error
    np.testing.assert_allclose(table["upper"] - table["estimate"], half)
    np.testing.assert_allclose(table["estimate"] - table["lower"], half)
    for of in (found.table, found.fixef):
        wide, narrow = of(), of(level=0.5)
        ratio = (narrow["upper"] - narrow["lower"]) / (wide["upper"] - wide["lower"])
        np.testing.assert_allclose(ratio, 0.6744897501960817 / 1.959963984540054)
    assert list(found.fixef().index) == ["one", "east", "north"]
    assert "universal kriging" in repr(found)
    assert "universal kriging" in found._repr_html_()
    assert "ordinary kriging" in repr(bl.blp(y, V, psi))
    assert "simple kriging" in repr(bl.blp(y, V, psi, beta=0.0))
    assert "Bayesian kriging" in repr(bl.blp(y, V, psi, prior=(0.0, 1.0)))
    bare = bl.blp(y, V, psi).table()
    assert np.isnan(bare[["std_error", "lower", "upper"]]).all(axis=None)
    assert np.isfinite(bare["estimate"]).all()


def test_a_given_mean_of_any_form(data):
    """X = mu, X0 = mu0, beta = 1: simple kriging about means that aren't constant."""
    y, V, psi, V0, X, X0 = data
    mu, mu0 = np.sin(X[:, 1]), np.sin(X0[:, 1])
    found = bl.blp(y, V, psi, mu, mu0, V0, beta=1.0)
    np.testing.assert_allclose(found.prediction, mu0 + psi.T @ np.linalg.solve(V, y - mu))


GOOD = {"y": np.arange(3.0), "V": np.eye(3), "psi": np.full((3, 2), 0.1)}
NAMED = pd.Series(np.arange(3.0), index=list("abc"))
BAD = [
    ({"psi": np.ones((2, 3))}, DataError, "transpose, psi.T"),
    ({"psi": np.ones(4)}, DataError, "psi must have one row"),
    ({"V": np.eye(4)}, DataError, r"shape \(3, 3\)"),
    ({"V": [[1, 0], [0, 1]]}, DataError, "V must be a matrix"),
    ({"V": np.eye(3) + np.eye(3, k=1)}, DataError, "V is not symmetric"),
    ({"V": np.ones((3, 3))}, ModelError, "not positive definite"),
    ({"V": sp.csc_array(np.ones((3, 3)))}, ModelError, "not positive definite"),
    ({"V": sp.diags_array([1.0, np.nan, 1.0])}, DataError, "missing or infinite"),
    ({"y": [1.0, np.nan, 2.0]}, DataError, "missing or infinite"),
    ({"y": ["a", "b", "c"]}, DataError, "must be numbers"),
    ({"y": np.ones((3, 2))}, DataError, "one column"),
    ({"X": np.ones(3)}, ModelError, "X and X0 must be given together"),
    ({"X": np.ones(3), "X0": np.ones((2, 2))}, DataError, r"shape \(2, 1\)"),
    ({"beta": 1.0, "prior": (0.0, 1.0)}, ModelError, "can't be combined"),
    ({"beta": [1.0, 2.0]}, DataError, "beta must have one entry"),
    ({"prior": 3.0}, ModelError, r"\(mean, covariance\)"),
    ({"prior": (0.0, np.inf)}, DataError, "Leave prior= out"),
    ({"prior": (0.0, -1.0)}, DataError, "positive semidefinite"),
    ({"prior": (0.0, np.ones((2, 2)))}, DataError, "row for each column"),
    ({"V0": np.eye(3)}, DataError, "V0 must be"),
    ({"V0": [[1.0, 0.5], [0.2, 1.0]]}, DataError, "V0 is not symmetric"),
    ({"V0": -1.0}, DataError, "negative variance"),
    ({"V0": 0.01}, DataError, "not the covariances of one distribution"),
    ({"y": NAMED, "V": pd.DataFrame(np.eye(3), list("acb"))}, DataError, "differ between tables"),
    ({"X": np.zeros(3), "X0": np.ones(2)}, IdentifiabilityError, "not estimable"),
    ({"V": type("S", (), {"solve": lambda self, b: b[:2]})()}, DataError, "in the shape of b"),
    ({"V": type("S", (), {"solve": lambda self, b: -b})()}, IdentifiabilityError, "X'V⁻¹X"),
]


@pytest.mark.parametrize(("change", "error", "says"), BAD)
def test_errors(change, error, says):
    bl.blp(**GOOD, V0=1.0)
    with pytest.raises(error, match=says):
        bl.blp(**{**GOOD, **change})

"""A formula without random terms is least squares, a known R is generalised least squares."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import linalg, stats

import bayeslmm as bl
from bayeslmm.errors import IdentifiabilityError, IdentifiabilityWarning

N = 30


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(14)
    x = rng.normal(4.0, 2.0, N)
    f = np.array(list("abc"))[np.arange(N) % 3]
    return pd.DataFrame(
        {
            "x": x,
            "f": f,
            "copy": 2.0 - 3.0 * x,
            "w": rng.uniform(0.5, 2.0, N),
            "o": rng.normal(size=N),
            "y": 1 + 0.5 * x + (f == "b") + rng.normal(size=N),
        }
    )


CASES: dict[str, dict[str, Any]] = {
    "ordinary": {},
    "weighted": {"weights": "w"},
    "offset": {"offset": "o"},
    "known R": {"residual": 0.7 ** np.abs(np.subtract.outer(np.arange(N), np.arange(N)))},
}


class Dense:
    """Least squares by the pseudo-inverse: R known up to sigma²."""

    def __init__(self, data: pd.DataFrame, options: dict[str, Any]) -> None:
        self.R = np.diag(1 / data["w"]) if "weights" in options else np.eye(N)
        if "residual" in options:
            self.R = options["residual"]
        self.offset = data["o"].to_numpy() if "offset" in options else np.zeros(N)
        dummies = np.column_stack([data["f"] == "b", data["f"] == "c"])
        self.X = np.column_stack([np.ones(N), data["x"], data["copy"], dummies]).astype(float)
        self.y = data["y"].to_numpy() - self.offset
        inner = self.X.T @ linalg.solve(self.R, self.X)
        self.inverse = np.linalg.pinv(inner, rcond=1e-11, hermitian=True)
        self.beta = self.inverse @ self.X.T @ linalg.solve(self.R, self.y)
        residual = self.y - self.X @ self.beta
        self.rss = float(residual @ linalg.solve(self.R, residual))
        self.rank = int(np.linalg.matrix_rank(self.X))


def model_of(options: dict[str, Any]) -> bl.Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        return bl.Model("y ~ x + copy + f", frame(), **options)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("method", ["ml", "reml"])
def test_least_squares(name: str, method: str) -> None:
    data, options = frame(), CASES[name]
    dense = Dense(data, options)
    assert dense.rank == 4
    fit = model_of(options).fit(method)
    divisor = N - dense.rank if method == "reml" else N
    sigma2 = dense.rss / divisor
    assert fit.sigma**2 == pytest.approx(sigma2, rel=1e-8)
    kept = [0, 1, 3, 4]
    X = dense.X[:, kept]
    inverse = np.linalg.inv(X.T @ linalg.solve(dense.R, X))
    assert list(fit.vcov().index) == ["Intercept", "x", "f[b]", "f[c]"]
    np.testing.assert_allclose(fit.vcov(), sigma2 * inverse, rtol=1e-7)
    expected = inverse @ X.T @ linalg.solve(dense.R, dense.y)
    np.testing.assert_allclose(fit.fixef()["estimate"], expected, rtol=1e-7)
    # predicted means of the rows don't depend on which column is left out
    mean = fit.predict()
    np.testing.assert_allclose(mean["estimate"], dense.X @ dense.beta + dense.offset, rtol=1e-8)
    spread = np.sqrt(sigma2 * np.einsum("np,pq,nq->n", dense.X, dense.inverse, dense.X))
    np.testing.assert_allclose(mean["std_error"], spread, rtol=1e-6)
    # intervals by REML are the t's on n - rank(X), as lm's; by ML Wald's
    half = stats.t.ppf(0.975, N - dense.rank) if method == "reml" else stats.norm.ppf(0.975)
    for table in (
        fit.fixef(),
        mean,
        fit.contrast({"f[b]": 1}),
        fit.contrast({"f[b]": 1}, against=0),
    ):
        bounds = table["estimate"] + half * table["std_error"]
        np.testing.assert_allclose(table["upper"], bounds, rtol=1e-9)
    assert ("t(26)" in str(fit)) == (method == "reml")
    leverage = np.einsum("np,nq,pq->n", dense.X, linalg.solve(dense.R, dense.X), dense.inverse)
    np.testing.assert_allclose(fit.leverage(), leverage, rtol=1e-6, atol=1e-9)
    assert fit.leverage().sum() == pytest.approx(dense.rank)


def test_after_loading_everything_is_there(tmp_path: Path) -> None:
    fit = model_of(CASES["known R"]).fit("reml")
    fit.save(tmp_path / "fit.nc")
    loaded = bl.load_fit(tmp_path / "fit.nc")
    pd.testing.assert_series_equal(loaded.leverage(), fit.leverage())
    inside, outside = {"copy": 1.0, "Intercept": 0.5}, {"copy": 1.0}  # copy = 2 Intercept - 3 x
    for one in (fit, loaded):
        assert bl.is_estimable(one, inside) and not bl.is_estimable(one, outside)
    pd.testing.assert_frame_equal(
        loaded.contrast(inside, against=1.0), fit.contrast(inside, against=1.0)
    )
    with pytest.raises(IdentifiabilityError, match="'copy' equals 2 Intercept - 3 x"):
        loaded.contrast(outside)


def test_ml_and_reml_deviance_of_a_linear_model() -> None:
    """The normal log likelihood at rss/n; REML's at rss/(n-p) with log|X'X|."""
    data = frame()
    X = np.column_stack([np.ones(N), data["x"]])
    beta, rss, *_ = np.linalg.lstsq(X, data["y"], rcond=None)
    model = bl.Model("y ~ x", data)
    ml, reml = model.fit("ml"), model.fit("reml")
    sd = np.sqrt(rss[0] / N)
    expected = stats.norm.logpdf(data["y"], X @ beta, sd).sum()
    assert ml.loglik == pytest.approx(expected)
    s2 = rss[0] / (N - 2)
    restricted = (N - 2) * np.log(2 * np.pi * s2) + rss[0] / s2 + np.linalg.slogdet(X.T @ X)[1]
    assert reml.deviance == pytest.approx(restricted)
    assert ml.n_parameters == 3


@pytest.mark.parametrize("method", ["ml", "reml"])
def test_a_new_observation_varies_more_than_its_mean(method: str) -> None:
    data = frame()
    fit = bl.Model("y ~ x + f", data, weights="w").fit(method)
    new = pd.DataFrame({"x": [0.0, 4.0], "f": ["a", "c"], "w": [1.0, 4.0]})
    rows = np.array([[1, 0, 0, 0], [1, 4, 0, 1.0]])
    mean = np.einsum("rp,pq,rq->r", rows, fit.vcov().to_numpy(), rows)
    found = fit.predict(new)
    np.testing.assert_allclose(found["estimate"], rows @ fit.fixef()["estimate"])
    np.testing.assert_allclose(found["std_error"], np.sqrt(mean))
    found = fit.predict(new, kind="response")
    np.testing.assert_allclose(found["std_error"], np.sqrt(mean + fit.sigma**2 / new["w"]))


def test_standard_errors_of_both_kinds_in_a_mixed_model() -> None:
    """Var(x'beta) = x'(X'V⁻¹X)⁻¹x for the population, and a new level's own variance beside it."""
    data = frame().assign(g=np.arange(N) // 5, y=lambda d: d["y"] + 2 * np.sin(np.arange(N) // 5))
    fit = bl.Model("y ~ x + (1 | g)", data).fit("reml")
    sd = fit.varcorr().set_index("group")["estimate"]
    X = np.column_stack([np.ones(N), data["x"]])
    same = np.equal.outer(data["g"].to_numpy(), data["g"].to_numpy())
    V = sd["g"] ** 2 * same + sd["Residual"] ** 2 * np.eye(N)
    covariance = np.linalg.inv(X.T @ np.linalg.solve(V, X))
    new = pd.DataFrame({"x": [1.0, 5.0], "g": [99, 99]})
    rows = np.column_stack([np.ones(2), new["x"]])
    mean = np.einsum("rp,pq,rq->r", rows, covariance, rows)
    population = fit.predict(new, effects="none")
    np.testing.assert_allclose(population["std_error"], np.sqrt(mean), rtol=1e-6)
    response = fit.predict(new, new_levels="draw", kind="response")
    total = mean + sd["g"] ** 2 + sd["Residual"] ** 2
    np.testing.assert_allclose(response["std_error"], np.sqrt(total), rtol=1e-6)


def test_rows_that_the_data_do_not_determine_are_told_of() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": list("xxxyyy") * 3, "b": list("pqrpqp") * 3})
    frame["y"] = rng.normal(size=len(frame))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        model = bl.Model("y ~ a * b", frame)
        fit, whole = model.fit("reml"), model.fit("exact", seed=1, draws=100)
    empty = pd.DataFrame({"a": ["x", "y"], "b": ["p", "r"]})
    with pytest.warns(bl.errors.IdentifiabilityWarning, match=r"1 of 2 rows \(the first is 1\)"):
        fit.predict(empty)
    fit.predict(empty.iloc[:1])
    whole.predict(empty)  # proper priors keep every column


def test_columns_that_only_rows_without_weight_tell_apart_are_aliased() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": list("xxyy") * 4, "y": rng.normal(size=16)})
    with pytest.warns(bl.errors.IdentifiabilityWarning, match="aliased"):
        model = bl.Model("y ~ a", frame, weights=np.where(frame.a == "x", 0.0, 1.0))
    table = model.fit("reml").fixef()
    np.testing.assert_allclose(table.estimate, [frame.y[frame.a == "y"].mean()])

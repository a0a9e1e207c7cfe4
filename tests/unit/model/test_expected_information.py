"""Variances are identified where the expected information is not singular: fitted there, against
a dense likelihood maximised by scipy, and told from few rows of a long table in any order."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import bayeslmm as bl
from bayeslmm.errors import IdentifiabilityWarning, SingularWarning
from bayeslmm.model import identified

Array = np.ndarray
RESTRICTED = {"ml": False, "reml": True}


def dense(y: Array, X: Array, V: Array, *, restricted: bool) -> float:
    """The (restricted) log likelihood at its best b."""
    W = np.linalg.inv(V)
    A = X.T @ W @ X
    e = y - X @ np.linalg.solve(A, X.T @ W @ y)
    n = len(y) - (X.shape[1] if restricted else 0)
    out = -0.5 * (n * np.log(2 * np.pi) + np.linalg.slogdet(V)[1] + e @ W @ e)
    return out - 0.5 * np.linalg.slogdet(A)[1] if restricted else out


def highest(y: Array, X: Array, parts: list[Array], *, restricted: bool) -> tuple[float, Array]:
    """The largest log likelihood of V = sum theta_k V_k, and the square roots of theta there."""

    def f(log_sd: Array) -> float:
        V = sum(np.exp(2 * t) * part for t, part in zip(log_sd, parts, strict=True))
        return -dense(y, X, np.asarray(V), restricted=restricted)

    starts = [np.full(len(parts), s) for s in (-0.5, 0.5)]
    found = min(
        (optimize.minimize(f, s, method="Nelder-Mead", options=TIGHT) for s in starts),
        key=lambda r: r.fun,
    )
    return -found.fun, np.exp(found.x)


TIGHT = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000}


def table(seed: int, n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    names = ["x", *(f"z{i}" for i in range(10))]
    data = pd.DataFrame(rng.normal(size=(n, 11)), columns=names).assign(one="a")
    noise = 1 + data["x"] + rng.normal(size=n)
    return data.assign(
        y=data[names[1:]].to_numpy() @ rng.normal(size=10) + noise,
        few=2.0 * data["z1"] - 1.5 * data["z2"] + noise,
    )


@pytest.mark.parametrize("method", RESTRICTED)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_variance_for_each_column_as_de_leeuw_has_it(method: str, seed: int) -> None:
    """V = sum omega_s² z_s z_s' + sigma² I."""
    data = table(seed)
    model = bl.Model("few ~ x + (0 + z1 + z2 || one)", data)
    assert model.resolved.findings == ()
    fit = model.fit(method)
    X = np.column_stack([np.ones(40), data["x"]])
    parts = [np.outer(data[z], data[z]) for z in ("z1", "z2")]
    value, sds = highest(
        data["few"].to_numpy(), X, [*parts, np.eye(40)], restricted=RESTRICTED[method]
    )
    assert fit.loglik == pytest.approx(value, abs=1e-7)
    np.testing.assert_allclose(fit.varcorr()["estimate"], sds, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("method", RESTRICTED)
def test_one_variance_over_ten_columns(method: str) -> None:
    data = table(3)
    columns = [f"z{i}" for i in range(10)]
    model = bl.Model(f"y ~ x + id(0 + {' + '.join(columns)} | one)", data)
    assert model.resolved.findings == ()
    fit = model.fit(method)
    X = np.column_stack([np.ones(40), data["x"]])
    Z = data[columns].to_numpy()
    value, sds = highest(
        data["y"].to_numpy(), X, [Z @ Z.T, np.eye(40)], restricted=RESTRICTED[method]
    )
    assert fit.loglik == pytest.approx(value, abs=1e-7)
    np.testing.assert_allclose(fit.varcorr()["estimate"].iloc[[0, -1]], sds, rtol=1e-5)
    inside = "y ~ z1 + z2 + id(0 + z1 + z2 | one)"
    with pytest.warns(
        IdentifiabilityWarning, match="'z1', 'z2' lies in the span of the fixed effects"
    ):
        bl.Model(inside, data)
    assert bl.Model("y ~ z1 + z2 + id(0 + z1 + z2 + z3 | one)", data).resolved.findings == ()


@pytest.mark.parametrize("method", RESTRICTED)
def test_relationships_as_given_matrices(method: str) -> None:
    """Animal and permanent environment: one factor's levels twice, related and not."""
    rng = np.random.default_rng(4)
    J, each = 10, 4
    half = rng.normal(size=(J, J))
    A = half @ half.T / J + 0.1 * np.eye(J)
    codes = np.repeat(np.arange(J), each)
    levels = [f"a{i}" for i in range(J)]
    u = np.linalg.cholesky(A) @ rng.normal(size=J) + rng.normal(size=J)
    data = pd.DataFrame({"animal": np.array(levels)[codes], "x": rng.normal(size=J * each)})
    data = data.assign(home=data["animal"], y=u[codes] + data["x"] + rng.normal(size=J * each))
    kin = {"animal": pd.DataFrame(A, index=levels, columns=levels)}
    formula = "y ~ x + (1 | animal) + (1 | home)"
    model = bl.Model(formula, data, relationship=kin)
    assert model.resolved.findings == ()
    fit = model.fit(method)
    Z = np.eye(J)[codes]
    X = np.column_stack([np.ones(len(data)), data["x"]])
    parts = [Z @ A @ Z.T, Z @ Z.T, np.eye(len(data))]
    value, sds = highest(data["y"].to_numpy(), X, parts, restricted=RESTRICTED[method])
    assert fit.loglik == pytest.approx(value, abs=1e-6)
    np.testing.assert_allclose(fit.varcorr()["estimate"], sds, rtol=1e-3, atol=1e-3)
    twice = {**kin, "home": 2.0 * kin["animal"]}
    with pytest.warns(IdentifiabilityWarning, match="not separately identified"):
        bl.Model(formula, data, relationship=twice)


def test_fewer_levels_than_correlated_effects_are_singular() -> None:
    data = table(5)
    with pytest.warns(IdentifiabilityWarning, match="with fewer levels than effects"):
        model = bl.Model("y ~ x + (0 + z1 + z2 | one)", data)
    with pytest.warns(SingularWarning, match="covariance matrix of .* is singular"):
        fit = model.fit("reml")
    X = np.column_stack([np.ones(40), data["x"]])
    Z = data[["z1", "z2"]].to_numpy()
    y = data["y"].to_numpy()

    def f(p: Array) -> float:  # a covariance of rank one is the best of all
        z = Z @ p[:2]
        return -dense(y, X, np.outer(z, z) + np.exp(2 * p[2]) * np.eye(40), restricted=True)

    best = min(
        optimize.minimize(f, s, method="Nelder-Mead", options=TIGHT).fun
        for s in ([1.0, 1.0, 0.5], [1.0, -1.0, 0.5])
    )
    assert fit.loglik == pytest.approx(-best, abs=1e-6)


def _orders(seed: int, groups: int, each: int) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    g = np.tile(np.arange(groups), each)
    data = pd.DataFrame({"g": g, "h": (g * 7 + np.arange(len(g))) % 300, "row": np.arange(len(g))})
    data = data.assign(x=rng.normal(size=len(g)), y=rng.normal(size=len(g)))
    return {
        "waves": data,
        "by group": data.sort_values("g", kind="stable"),
        "shuffled": data.sample(frac=1.0, random_state=seed),
    }


@pytest.mark.parametrize(
    ("formula", "residual", "words"),
    [
        ("y ~ x + (x | g) + (1 | h)", None, []),
        ("y ~ x + (1 | g)", "ar1(t | g)", []),
        ("y ~ x + rare + (0 + rare | g)", None, []),
        ("y ~ x + (steady | g)", None, ["constant within every level"]),
    ],
)
def test_the_order_of_rows_changes_neither_findings_nor_work(
    formula: str, residual: str | None, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[int] = []
    dependent = identified._dependent

    def counted(V: object, X: Array, rows: Array, **options: object) -> object:
        looked_at.append(len(rows))
        return dependent(V, X, rows, **options)

    monkeypatch.setattr(identified, "_dependent", counted)
    for data in _orders(6, groups=4000, each=10).values():
        data = data.assign(
            t=data["row"] // 4000,
            rare=np.where(data["g"] > 3990, data["x"], 0.0),  # of eight groups alone
            steady=np.sin(data["g"]),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IdentifiabilityWarning)
            findings = bl.Model(formula, data, residual=residual).resolved.findings
        assert len(findings) == len(words)
        for finding, word in zip(findings, words, strict=True):
            assert word in finding.text
    assert looked_at
    assert max(looked_at) < 1000

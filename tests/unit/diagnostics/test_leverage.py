"""Leverages against the dense matrix that takes y to the fitted values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.diagnostics import leverage as module
from bayeslmm.errors import FitError

N = 36


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(9)
    g, h, t = np.arange(N) // 6, np.arange(N) % 4, np.arange(N) % 6
    x = rng.normal(1.0, 1.0, N)
    u, v = 2 * rng.normal(size=(6, 2)), 2 * rng.normal(size=4)
    y = 1 + x + u[g, 0] + u[g, 1] * x + v[h] + rng.normal(size=N)
    data = {"y": y, "x": x, "g": g, "h": h, "t": t, "w": rng.uniform(0.5, 2, N)}
    data["s"] = np.array(["p", "q"])[h % 2]
    return pd.DataFrame(data, index=[f"r{i}" for i in range(N)])


def dense(fit: bl.Fit, R: np.ndarray) -> np.ndarray:
    """X A + Z G Z'V⁻¹(I - X A), A = (X'V⁻¹X)⁻¹X'V⁻¹: BLUE and BLUP written out."""
    design = fit.resolved.design
    table = fit.varcorr()
    ZGZ = np.zeros((design.n, design.n))
    for block in design.blocks:
        own = table[table["group"] == block.group]
        sd = own.loc[own["kind"] == "sd", "estimate"].to_numpy()
        cor = np.eye(len(sd))
        if len(sd) == 2:
            cor[0, 1] = cor[1, 0] = own.loc[own["kind"] == "cor", "estimate"].iloc[0]
        G = sd[:, None] * cor * sd
        same = np.equal.outer(block.codes, block.codes)
        ZGZ += same * (block.values @ G @ block.values.T)
    V, X = ZGZ + R, design.X
    A = np.linalg.solve(X.T @ np.linalg.solve(V, X), np.linalg.solve(V, X).T)
    return X @ A + ZGZ @ np.linalg.solve(V, np.eye(design.n) - X @ A)


def noise(fit: bl.Fit, data: pd.DataFrame, kind: str) -> np.ndarray:
    """R at the estimates."""
    table = fit.varcorr()
    own = table[table["group"] == "Residual"]
    sd = own.loc[own["kind"] == "sd"].set_index("coef")["estimate"]
    if kind == "strata":
        return np.diag([sd[s] ** 2 for s in data["s"]])
    R = sd.iloc[0] ** 2 * np.eye(N)
    if kind == "weights":
        return R / data["w"].to_numpy()
    if kind == "ar1":
        rho = own.loc[own["kind"] == "par", "estimate"].iloc[0]
        lag = np.abs(np.subtract.outer(data["t"].to_numpy(), data["t"].to_numpy()))
        same = np.equal.outer(data["g"].to_numpy(), data["g"].to_numpy())
        return sd.iloc[0] ** 2 * np.where(same, rho**lag, 0.0)
    return R


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("y ~ x + (x | g) + (1 | h)", {}),
    "weights": ("y ~ x + (1 | g) + (1 | h)", {"weights": "w"}),
    "strata": ("y ~ x + (1 | g)", {"residual": "diag(s)"}),
    "ar1": ("y ~ x + (0 + x | g)", {"residual": "ar1(t | g)"}),
}


@pytest.mark.parametrize("method", ["ml", "reml"])
@pytest.mark.parametrize("kind", CASES)
def test_the_diagonal_of_the_dense_matrix(kind: str, method: str) -> None:
    data = frame().sample(frac=1.0, random_state=1)  # groups' rows apart
    formula, options = CASES[kind]
    fit = bl.Model(formula, data, **options).fit(method)
    H = dense(fit, noise(fit, data, kind))
    np.testing.assert_allclose(H @ data["y"], fit.predict()["estimate"], rtol=1e-6)
    found = fit.leverage()
    assert found.name == "leverage" and list(found.index) == list(data.index)
    np.testing.assert_allclose(found, np.diag(H), rtol=1e-5, atol=1e-8)


def test_stretches_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = bl.Model("y ~ x + (1 | g)", frame()).fit("reml")
    whole = fit.leverage()
    monkeypatch.setattr(module, "STRETCH", 7)
    np.testing.assert_array_equal(fit.leverage(), whole)


def test_rows_without_weight_have_none() -> None:
    data = frame()
    data.loc["r3", "w"] = 0.0
    with_zero = bl.Model("y ~ x + (1 | g)", data, weights="w").fit("reml").leverage()
    without = bl.Model("y ~ x + (1 | g)", data.drop("r3"), weights="w").fit("reml").leverage()
    assert with_zero["r3"] == 0.0
    np.testing.assert_allclose(with_zero.drop("r3"), without, rtol=1e-5)


def test_refusals() -> None:
    data = frame()
    crossed = bl.Model("y ~ x + (1 | h)", data, residual="ar1(t | g)").fit("reml")
    with pytest.raises(FitError, match="correlated across levels of 'h'"):
        crossed.leverage()
    given = bl.Model("y ~ x", data).fit("conjugate", variances={"sigma": 1.0}, draws=10)
    with pytest.raises(FitError, match=r"'conjugate' has no leverages.*'reml'"):
        given.leverage()

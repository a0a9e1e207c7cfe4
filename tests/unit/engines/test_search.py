"""Where the search for a maximum ends: against a search from many starts by the dense likelihood,
and at the boundary without a residual."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import bayeslmm as bl
from bayeslmm.errors import SingularWarning

SHAPES = {"gau": lambda d: np.exp(-(d**2)), "exp": lambda d: np.exp(-d)}


def deviance(frame: pd.DataFrame, name: str, log_sd: float, log_range: float) -> float:
    """-2 log restricted likelihood of `y ~ 1 + name(0 + x | g)` at sd/sigma, sigma profiled."""
    g, x, y = (frame[c].to_numpy() for c in ("g", "x", "y"))
    C = SHAPES[name](np.abs(x[:, None] - x) / np.exp(log_range)) * (g[:, None] == g)
    L = np.linalg.cholesky(np.exp(2 * log_sd) * C + np.eye(len(y)))
    one, b = np.linalg.solve(L, np.column_stack([np.ones(len(y)), y])).T
    left, dof = b @ b - (one @ b) ** 2 / (one @ one), len(y) - 1
    log_det = 2 * np.log(np.diag(L)).sum() + np.log(one @ one)
    return float(log_det + dof * (1 + np.log(2 * np.pi * left / dof)))


def places(seed: int) -> pd.DataFrame:
    """A smooth curve over many places: correlations that are singular but for rounding."""
    rng = np.random.default_rng(seed)
    n = (25, 30, 36, 40)[seed % 4]
    x = np.sort(rng.uniform(0, 10, n)).round(2) if seed % 2 else np.arange(n) * 0.3
    curve = 2 * np.sin(0.7 * x) + np.cos(1.9 * x) if seed < 4 else np.sin(x)
    return pd.DataFrame({"y": curve + rng.normal(0, 0.3, n), "x": x, "g": "a"})


@pytest.mark.parametrize(
    ("name", "seed"), [("gau", 0), ("gau", 1), ("gau", 3), ("gau", 7), ("exp", 1), ("exp", 3)]
)
def test_the_best_of_many_starts_is_reached(name, seed):
    frame = places(seed)
    fit = bl.Model(f"y ~ 1 + {name}(0 + x | g)", frame).fit("reml")
    ends = [
        minimize(
            lambda p: deviance(frame, name, *np.clip(p, -8, 8)),
            start,
            method="Nelder-Mead",
            options={"xatol": 1e-6, "fatol": 1e-9},
        ).fun
        for start in [(a, b) for a in (0.0, 2.0) for b in (-0.5, 0.7, 1.5)]
    ]
    assert fit.converged
    assert fit.loglik == pytest.approx(-0.5 * min(ends), abs=1e-6)
    sd, length, sigma = fit.varcorr()["estimate"].iloc[[0, -2, -1]]
    there = deviance(frame, name, np.log(sd / sigma), np.log(length))
    assert fit.loglik == pytest.approx(-0.5 * there, abs=1e-6)


def series(seed: int = 1) -> pd.DataFrame:
    """AR(1) residuals: 24 groups of twelve visits, some of which lack three."""
    rng = np.random.default_rng(seed)
    steps = np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
    root = np.linalg.cholesky(1.4 * 0.6**steps)
    y = 8 + (root @ rng.normal(size=(12, 24))).T.ravel()
    frame = pd.DataFrame({"y": y, "t": np.tile(np.arange(12), 24), "g": np.repeat(range(24), 12)})
    return frame[(frame["g"] % 3 == 0) | ~frame["t"].isin([6, 7, 8])]


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_an_effect_a_row_takes_up_all_variation(method):
    """`ar1(0 + t | g)` is then AR(1) residuals again: the same maximum and standard errors, with
    sigma on its boundary."""
    frame = series()
    with pytest.warns(SingularWarning, match="residual standard deviation is estimated as 0"):
        fit = bl.Model("y ~ 1 + ar1(0 + t | g)", frame).fit(method)
    direct = bl.Model("y ~ 1", frame, residual="ar1(t | g)").fit(method)
    assert fit.singular and fit.converged
    assert direct.loglik - 2e-5 < fit.loglik <= direct.loglik + 1e-6
    own, other = fit.varcorr(), direct.varcorr()
    numbers = ["estimate", "std_error", "lower", "upper"]
    sigma = own[own["group"] == "Residual"]
    assert sigma["std_error"].isna().all() and 0 < sigma["estimate"].item() < 0.002
    sd, rho = own.iloc[[0]], own[own["kind"] == "par"]
    np.testing.assert_allclose(sd[numbers], other[other["kind"] == "sd"][numbers], rtol=1e-4)
    np.testing.assert_allclose(rho[numbers], other[other["kind"] == "par"][numbers], rtol=1e-4)
    # the reported value is the dense one at the reported parameters
    t, g = frame["t"].to_numpy(), frame["g"].to_numpy()
    V = rho["estimate"].item() ** np.abs(t[:, None] - t) * (g[:, None] == g)
    V = sd["estimate"].item() ** 2 * V + sigma["estimate"].item() ** 2 * np.eye(len(t))
    L = np.linalg.cholesky(V)
    one, b = np.linalg.solve(L, np.column_stack([np.ones(len(t)), frame["y"]])).T
    left, dof = b @ b - (one @ b) ** 2 / (one @ one), len(t) - (method == "reml")
    value = -np.log(np.diag(L)).sum() - 0.5 * left - 0.5 * dof * np.log(2 * np.pi)
    value -= 0.5 * np.log(one @ one) * (method == "reml")
    assert fit.loglik == pytest.approx(value, abs=1e-6)


def test_a_small_residual_is_not_a_boundary():
    """Residuals of a ten-thousandth of the effects' standard deviation stay what they are."""
    rng = np.random.default_rng(3)
    g, t = np.repeat(np.arange(12), 12), np.tile(np.arange(4), 36)
    y = 100 * rng.normal(size=(12, 4))[g, t] + 0.01 * rng.normal(size=144)
    frame = pd.DataFrame({"y": y, "g": g, "t": t})
    fit = bl.Model("y ~ 1 + ar1(0 + t | g)", frame).fit("reml")
    within = pd.Series(y).groupby([g, t]).var(ddof=1).mean()
    assert not fit.singular and fit.converged
    assert fit.sigma == pytest.approx(np.sqrt(within), rel=1e-4)

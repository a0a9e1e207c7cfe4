"""Simulation-based calibration of `exact`: with parameters drawn from the prior and data from the
model, the rank of each parameter among its posterior draws is uniform (Talts et al., 2018).

500 data sets of a random-slope and of a crossed design; both leave variances near zero and
weak data often enough. The check is a chi-square over 20 equal bins of ranks.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayeslmm as bl

DATA_SETS, DRAWS, BINS = 500, 99, 20
LEVEL = 1e-4  # a test of this size fails once in 10,000 runs; seeds are fixed
PRIORS = {
    "Intercept": "normal(0, 1)",
    "beta": "normal(0, 1)",
    "sd": "half_normal(1)",
    "sigma": "half_normal(1)",
}


@dataclass(frozen=True)
class Draw:
    """A data set with what it was made from, under the fit's own names."""

    frame: pd.DataFrame
    truth: dict[str, float]


def slopes(rng: np.random.Generator) -> Draw:
    """12 groups of 5 rows, correlated intercepts and slopes."""
    g, x = np.repeat(np.arange(12), 5), np.tile(np.linspace(0.0, 2.0, 5), 12)
    beta, sd, sigma = rng.normal(size=2), np.abs(rng.normal(size=2)), abs(rng.normal())
    cor = 2 * rng.beta(2, 2) - 1  # LKJ(2) for two coefficients
    root = np.array([[sd[0], 0.0], [sd[1] * cor, sd[1] * np.sqrt(1 - cor**2)]])
    u = rng.normal(size=(12, 2)) @ root.T
    y = beta[0] + beta[1] * x + u[g, 0] + u[g, 1] * x + sigma * rng.normal(size=60)
    truth = {
        "beta[Intercept]": beta[0], "beta[x]": beta[1], "sd_g[Intercept]": sd[0],
        "sd_g[x]": sd[1], "cor_g": cor, "sigma": sigma, "u_g[0]": u[0, 0], "u_g[1]": u[3, 1],
    }  # fmt: skip
    return Draw(pd.DataFrame({"y": y, "x": x, "g": g}), truth)


def crossed(rng: np.random.Generator) -> Draw:
    """60 rows over 8 x 5 crossed levels, unbalanced."""
    a, b = np.arange(60) % 8, (np.arange(60) * 7 // 3) % 5
    x = np.linspace(-1, 1, 60)
    beta, sd, sigma = rng.normal(size=2), np.abs(rng.normal(size=2)), abs(rng.normal())
    u, v = sd[0] * rng.normal(size=8), sd[1] * rng.normal(size=5)
    y = beta[0] + beta[1] * x + u[a] + v[b] + sigma * rng.normal(size=60)
    truth = {
        "beta[Intercept]": beta[0], "beta[x]": beta[1], "sd_a": sd[0], "sd_b": sd[1],
        "sigma": sigma, "u_a[0]": u[0], "u_b[4]": v[4],
    }  # fmt: skip
    return Draw(pd.DataFrame({"y": y, "x": x, "a": a, "b": b}), truth)


def draws_of(fit: bl.Fit, name: str) -> np.ndarray:
    posterior = fit.tree["posterior"].dataset
    simple = {"sigma": "sigma", "cor_g": "cor_g", "sd_a": "sd_a", "sd_b": "sd_b"}
    if name in simple:
        return posterior[simple[name]].values.ravel()
    effects = {
        "u_g[0]": ("u_g", (0, 0)), "u_g[1]": ("u_g", (3, 1)),
        "u_a[0]": ("u_a", (0, 0)), "u_b[4]": ("u_b", (4, 0)),
    }  # fmt: skip
    if name in effects:
        variable, (level, coef) = effects[name]
        return posterior[variable].values[:, :, level, coef].ravel()
    variable, coef = name[:-1].split("[")
    dim = "coef" if variable == "beta" else "g_coef"
    return posterior[variable].sel({dim: coef}).values.ravel()


def ranks(design, formula: str, priors: dict[str, str]) -> tuple[dict[str, np.ndarray], list]:
    """Rank of the truth among the first draws, parameter by parameter, and worst k-hats."""
    out: dict[str, list[int]] = {}
    khats = []
    for seed in range(DATA_SETS):
        draw = design(np.random.default_rng([seed, 7]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
            fit = bl.Model(formula, draw.frame, priors=priors).fit("exact", seed=seed, chains=1)
        khats.append(fit.tree["sample_stats"].attrs.get("pareto_k", np.inf))
        for name, value in draw.truth.items():
            out.setdefault(name, []).append(int((draws_of(fit, name)[:DRAWS] < value).sum()))
    return {name: np.array(r) for name, r in out.items()}, khats


def p_values(found: dict[str, np.ndarray]) -> dict[str, float]:
    expected = DATA_SETS / BINS
    out = {}
    for name, r in found.items():
        counts = np.bincount(r * BINS // (DRAWS + 1), minlength=BINS)
        out[name] = float(stats.chi2.sf(np.sum((counts - expected) ** 2) / expected, BINS - 1))
    return out


@pytest.mark.slow
def test_a_random_slope_design_is_calibrated() -> None:
    found, khats = ranks(slopes, "y ~ x + (x | g)", PRIORS | {"cor_g": "lkj(2)"})
    values = p_values(found)
    assert min(values.values()) > LEVEL / len(values), values
    assert max(khats) < 0.7


@pytest.mark.slow
def test_a_crossed_design_is_calibrated() -> None:
    found, khats = ranks(crossed, "y ~ x + (1 | a) + (1 | b)", PRIORS)
    values = p_values(found)
    assert min(values.values()) > LEVEL / len(values), values
    assert max(khats) < 0.7


def test_ranks_that_lean_are_seen() -> None:
    """The check has power: posteriors too narrow by a third pile up ranks at the ends."""
    rng = np.random.default_rng(1)
    truth, draws = rng.normal(size=DATA_SETS), 0.67 * rng.normal(size=(DATA_SETS, DRAWS))
    leaning = (draws < truth[:, None]).sum(axis=1)
    uniform = rng.integers(0, DRAWS + 1, DATA_SETS)
    values = p_values({"narrow": leaning, "right": uniform})
    assert values["narrow"] < LEVEL < values["right"]

"""Covariance structures by independent roads: exact draws against NUTS, and ML on the side of the
effects against what was simulated."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning

pytestmark = pytest.mark.slow
A = np.array([[1.0, 0.5, 0.5, 0.25], [0.5, 1, 0.25, 0.25], [0.5, 0.25, 1, 0.25], [0.25] * 3 + [1]])
SIRES = np.kron(np.eye(3), A) + 0.05  # three families of four


@cache
def frame() -> pd.DataFrame:
    """Eight groups of four occasions, a few missing; effects and residuals both correlate."""
    rng = np.random.default_rng(21)
    g, o = np.divmod(np.arange(32), 4)
    R = 0.6 ** np.abs(np.arange(4)[:, None] - np.arange(4))
    e = np.concatenate([np.linalg.cholesky(R) @ rng.normal(size=4) for _ in range(8)])
    n = 32
    out = pd.DataFrame(
        {
            "y": 3 + 0.5 * o + 0.7 * rng.normal(size=8)[g] + e,
            "x": rng.normal(size=n),
            "t": o + 1.0,
            "o": [f"o{i}" for i in o],
            "time": o + rng.uniform(0, 0.6, n),
            "px": rng.uniform(0, 2, n),
            "py": rng.uniform(0, 2, n),
            "v": rng.uniform(0.5, 3, n),
            "g": [f"g{i}" for i in g],
            "item": [f"i{i}" for i in rng.permutation(n) % 6],
            "sex": np.where(g < 4, "F", "M"),
            "sire": [f"s{i:02d}" for i in rng.permutation(n) % 12],
        }
    )
    return out.drop(index=[2, 13, 30]).reset_index(drop=True)


@cache
def twice() -> pd.DataFrame:
    """Every row again with a response of its own: one row an effect leaves a second mode, where
    the effects vanish, that a short chain doesn't find."""
    again = frame().copy()
    again["y"] += 0.8 * np.random.default_rng(22).normal(size=len(again))
    return pd.concat([frame(), again], ignore_index=True)


TWO = "y ~ t"  # crossed effects make each evaluation slower, and nothing else
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "us": (TWO, {"residual": "us(o | g)"}),
    "cs": (TWO, {"residual": "cs(o | g, hom=True)"}),
    "ar1": ("y ~ t + (1 | item)", {"residual": "ar1(t | g)"}),
    "car1": (TWO, {"residual": "car1(time | g)"}),
    "arma": (TWO, {"residual": "arma(t | g)"}),
    "toep": (TWO, {"residual": "toep(t | g, hom=True)"}),
    "ante": (TWO, {"residual": "ante(t | g, hom=True)"}),
    "fa": (TWO, {"residual": "fa(o | g, k=1, hom=True)"}),
    "exp": (TWO, {"residual": "exp(px + py | g, nugget=True)"}),
    "gau": (TWO, {"residual": "gau(px + py | g)"}),
    "matern": (TWO, {"residual": "matern(px + py | g)"}),
    "variances": ("y ~ t + (1 | g)", {"residual": "diag(sex) + varpower(v)"}),
    "effects ar1": ("y ~ t + ar1(0 + t | g)", {}),
    "effects cs het": ("y ~ t + cs(0 + o | g)", {}),
    "effects toep": ("y ~ t + toep(0 + t | g, hom=True)", {}),
    "matrix": (TWO, {"residual": np.kron(np.eye(29), 1.0) + 0.3}),
    "related": ("y ~ t + (1 | sire)", {"relationship": {"sire": SIRES}}),
}


def model(name: str) -> bl.Model:
    formula, settings = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        return bl.Model(formula, twice() if name.startswith("effects") else frame(), **settings)


def fitted(m: bl.Model, method: str, **options: Any) -> bl.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return m.fit(method, seed=3, **options)


@cache
def exact(name: str) -> bl.Fit:
    return fitted(model(name), "exact", draws=1000, chains=4)


def variances(fit: bl.Fit) -> dict[str, np.ndarray]:
    """Draws of every variance parameter, shape (chains, draws)."""
    posterior = fit.tree["posterior"].dataset
    out = {}
    for name in posterior.data_vars:
        if not str(name).startswith(("sd_", "cor_", "sigma", "residual_par")) and not str(
            name
        ).endswith("_par"):
            continue
        values = posterior[name]
        flat = values.to_numpy().reshape(*values.shape[:2], -1)
        out |= {f"{name}[{i}]": flat[:, :, i] for i in range(flat.shape[2])}
    return out


def scores(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normal scores of the ranks among both: sds and ranges have tails on either side of their
    logs, whose moments a chain of two thousand draws doesn't tell."""
    ranks = stats.rankdata(np.concatenate([one.ravel(), other.ravel()]))
    z = special.ndtri((ranks - 0.375) / (len(ranks) + 0.25))
    return z[: one.size].reshape(one.shape), z[one.size :].reshape(other.shape)


def agree(one: bl.Fit, other: bl.Fit) -> None:
    """Means and standard deviations of normal scores within four combined Monte Carlo errors."""
    a, b = variances(one), variances(other)
    assert set(a) == set(b)
    assert a
    for name, left in a.items():
        right = b[name]
        if np.ptp(left) == 0:
            assert np.ptp(right) == 0
            continue
        left, right = scores(left, right)
        for kind in ("mean", "sd"):
            error = np.hypot(float(az.mcse(left, method=kind)), float(az.mcse(right, method=kind)))
            f = np.mean if kind == "mean" else np.std
            assert abs(f(left) - f(right)) < 4 * error, (name, kind, f(left), f(right), error)


@pytest.mark.parametrize("name", CASES)
def test_exact_is_nuts_with_effects_integrated_out(name):
    m = model(name)
    agree(exact(name), fitted(m, "nuts", marginal=True, draws=400, tune=300, chains=2))


@pytest.mark.parametrize("name", ["ar1", "variances", "related", "effects cs het"])
def test_exact_is_nuts_with_every_effect_drawn(name):
    m = model(name)
    agree(exact(name), fitted(m, "nuts", draws=1000, tune=600, chains=2, target_accept=0.95))


EFFECTS = {
    "ar1": ("ar1(0 + t | g)", [0.6], [1.0]),
    "cs het": ("cs(0 + o | g)", [0.4], [0.8, 1.2, 1.0, 1.5]),
    "toep het": ("toep(0 + t | g)", [0.6, 0.4, 0.1], [0.8, 1.2, 1.0, 1.5]),
    "ante": ("ante(0 + t | g)", [0.6, -0.4, 0.5], [0.8, 1.2, 1.0, 1.5]),
    "fa": ("fa(0 + o | g, k=1)", [0.8, 0.6, -0.5, 0.7], [0.8, 1.2, 1.0, 1.5]),
    "exp": ("exp(0 + t | g)", [1.5], [1.0]),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_ml_recovers_effects_patterns(name):
    """120 groups, two rows a coefficient: within four standard errors."""
    text, values, sds = EFFECTS[name]
    rng = np.random.default_rng(4)
    g, o, _ = (x.ravel() for x in np.indices((120, 4, 2)))
    data = pd.DataFrame({"g": [f"g{i:03d}" for i in g], "t": o + 1.0, "o": [f"o{i}" for i in o]})
    m = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        m = bl.Model(f"y ~ t + {text}", data.assign(y=rng.normal(size=len(data))))
    structure = m.resolved.terms[0].structure
    matrix = structure.pattern.matrix(np.array([values]), structure.places)[0]
    sd = np.ones(4) * sds
    u = rng.normal(size=(120, 4)) @ np.linalg.cholesky(matrix * np.outer(sd, sd)).T
    data["y"] = 1 + 0.5 * data["t"] + u[g, o] + 0.7 * rng.normal(size=len(data))
    fit = fitted(bl.Model(f"y ~ t + {text}", data), "ml")
    table = fit.varcorr()
    pars = table[(table["group"] == "g") & (table["kind"] == "par")]
    found = table[(table["group"] == "g") & (table["kind"] == "sd")]
    assert len(pars) == len(values)
    for row, value in zip(pars.itertuples(), values, strict=True):
        assert abs(row.estimate - value) < 4 * row.std_error
    for row, value in zip(found.itertuples(), np.ones(len(found)) * sds, strict=True):
        assert abs(row.estimate - value) < 4 * row.std_error

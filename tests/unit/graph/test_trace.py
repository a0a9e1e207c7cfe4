"""A fit's tree is a trace of its PyMC model: complete, and the same numbers both ways."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from pytensor.compile.mode import Mode
from scipy import stats

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning
from bayeslmm.graph import collapsed, hierarchical, with_free_values
from bayeslmm.model import Model
from bayeslmm.model.names import contract_names
from tests.unit.graph.test_joint import model_of

# PyTensor's own linker, which evaluates without compiling, looks for a BLAS that isn't needed
pytestmark = pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS")
PLAIN = Mode("py", None)


def _table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    g = np.repeat([f"g{i:02d}" for i in range(10)], 4)
    frame = {"y": rng.normal(50, 3, 40), "g": g, "t": np.tile([1, 2, 3, 4], 10)}
    frame |= {"x": rng.normal(10, 2, 40), "z": rng.normal(size=40)}
    return pd.DataFrame(frame).assign(s=np.where(np.arange(40) % 8 < 4, "a", "b"))


SPECIFICATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "three correlated slopes": ("y ~ x + (x + z | g)", {}),
    "blocks of one factor": ("y ~ x + (x | g) + (0 + z | g)", {}),
    "two correlated blocks": ("y ~ x + (1 + x | g) + (0 + s | g)", {}),
    "no intercept": ("y ~ 0 + x + (1 | g)", {}),
    "a prior at zero": ("y ~ x + (1 | g)", {"priors": {"Intercept": "normal(50, 50)"}}),
    "priors of several kinds": (
        "y ~ x + z + (x || g)",
        {"priors": {"beta[x]": "student_t(3, 0, 2)", "sd_g[x]": "exponential(1)"}},
    ),
    "priors on variances": (
        "y ~ x + (x || g)",
        {"priors": {"sd^2": "inverse_gamma(2, 1)", "sigma^2": "inverse_gamma(2, 1)"}},
    ),
    "shares of a variance": ("y ~ x + (x | g)", {"priors": {"sd": "variance_shares(1, 4)"}}),
    "a pattern of effects": ("y ~ x + ar1(0 + factor(t) | g)", {}),
    "numbers that bound each other": ("y ~ x + toep(0 + factor(t) | g)", {}),
    "strata": ("y ~ x + (1 | g)", {"residual": "diag(s)"}),
    "free residuals": ("y ~ x", {"residual": "us(t | g)"}),
    "residuals' pattern": ("y ~ x + (1 | g)", {"residual": "ar1(t | g) + varexp(x)"}),
    "joint residuals": ("y ~ x", {"residual": "toep(t | g)"}),
    "known sds": ("y ~ x + (1 | g)", {"known_sd": np.full(40, 2.0)}),
}


def _model(name: str) -> Model:
    formula, keywords = SPECIFICATIONS[name]
    data = _table()
    if "factor(t)" in formula:
        formula = formula.replace("factor(t)", "t")
        data["t"] = pd.Categorical(data["t"], ordered=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        return bl.Model(formula, data, **keywords).resolved


def _drawn(graph: pm.Model, names: list[str], size: int = 3) -> xr.Dataset:
    """Named variables at random points of the model, on (chain, draw)."""
    rng, start = np.random.default_rng(1), graph.initial_point()
    outputs = graph.replace_rvs_by_values([graph[n] for n in names])
    evaluate = graph.compile_fn(outputs, mode=PLAIN, on_unused_input="ignore")
    points = [
        evaluate({k: v + 0.2 * rng.normal(size=np.shape(v)) for k, v in start.items()})
        for _ in range(size)
    ]
    dims = graph.named_vars_to_dims
    values = {}
    for i, n in enumerate(names):
        stacked = np.stack([p[i] for p in points])[None]
        own = dims.get(n, tuple(f"{n}_dim_{d}" for d in range(stacked.ndim - 2)))
        values[n] = (("chain", "draw", *own), stacked)
    coords = {d: list(graph.coords[d]) for n in names for d in dims.get(n, ())}
    return xr.Dataset(values, coords)


def check(model: Model, graph: pm.Model) -> None:
    """All free variables from the tree's, equal to those that the tree's were made of."""
    ours = [n for n in contract_names(model) if n in graph.named_vars]
    own = [v.name for v in graph.free_RVs if v.name not in ours]
    sampled = _drawn(graph, [*ours, *own])
    found = with_free_values(model, sampled[ours])
    assert set(own) <= set(map(str, found.data_vars))
    for name in own:
        np.testing.assert_allclose(found[name], sampled[name], rtol=1e-8, atol=1e-9, err_msg=name)
        for dim in graph.named_vars_to_dims.get(name, ()):
            assert list(found[dim].values) == list(sampled[dim].values)


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_free_variables_are_got_back(name: str) -> None:
    model = _model(name)
    check(model, hierarchical(model))
    if name != "known sds":  # nothing but the multipliers of heavy tails is the collapsed one's own
        names = {v.name for v in collapsed(model).free_RVs} - {"beta_multiplier"}
        assert names <= {v.name for v in hierarchical(model).free_RVs}


@pytest.mark.parametrize("family", ["student_t", "zero_inflated_poisson", "ordinal", "categorical"])
def test_of_other_families_too(family: str) -> None:
    model = model_of(family)
    check(model, hierarchical(model))


@pytest.mark.parametrize("kind", ["student_t", "mixture"])
def test_of_effects_that_are_not_normal(kind: str) -> None:
    model = bl.Model("y ~ x + (1 | g)", _table(), random={"g": kind}).resolved
    check(model, hierarchical(model))


@pytest.mark.slow
@pytest.mark.parametrize("name", bl.list_models())
def test_the_gallerys(name: str) -> None:
    model = bl.load_model(name).resolved
    check(model, hierarchical(model))


def _log_density(fit: bl.Fit) -> np.ndarray:
    """log N(y; X beta + Z u, sigma²) by draw and row, by numpy alone."""
    design, posterior = fit.resolved.design, fit.tree["posterior"]
    eta = posterior["beta"].values @ design.X.T
    for block in design.blocks:
        u = posterior[f"u_{block.group}"].values
        eta = eta + np.sum(u[:, :, block.codes] * block.values, axis=-1)
    return np.asarray(stats.norm.logpdf(design.y, eta, posterior["sigma"].values[..., None]))


@pytest.mark.parametrize(
    ("name", "response", "method"),
    [("sleepstudy", "Reaction", "exact"), ("machines", "score", "conjugate")],
)
def test_pymcs_own_functions(name: str, response: str, method: str) -> None:
    """The predictive distribution within 4 Monte Carlo standard errors of ours, each draw of a
    row being independent; the log likelihood to 1e-8."""
    model = bl.load_model(name)
    options = {"variances": model.fit("reml")} if method == "conjugate" else {}
    fit = model.fit(method, seed=1, draws=400, chains=2, **options)
    plain = {"compile_kwargs": {"mode": PLAIN}, "progressbar": False}
    with model.to_pymc():
        predictive = pm.sample_posterior_predictive(fit.tree, random_seed=2, **plain)
        found = pm.compute_log_likelihood(fit.tree, extend_inferencedata=False, **plain)
    np.testing.assert_allclose(found[response].values, _log_density(fit), rtol=1e-8)
    drawn = predictive["posterior_predictive"][response].values.reshape(800, -1)
    ours = fit.predict(kind="response", seed=3)
    error = ours["std_error"].to_numpy() * np.sqrt(2 / 800)
    assert np.all(np.abs(drawn.mean(axis=0) - ours["estimate"]) < 4 * error)
    assert np.all(np.abs(drawn.std(axis=0) - ours["std_error"]) < 4 * error)

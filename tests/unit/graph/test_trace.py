"""A fit's tree is a trace of its PyMC model: complete, and the same numbers both ways."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr
from pytensor.compile.mode import Mode
from scipy import stats

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning, FitError, LevelError, MethodError
from bayeslmm.graph import collapsed, hierarchical, new_data, with_free_values
from bayeslmm.model import Model
from bayeslmm.model.names import contract_names
from tests.unit.graph.test_joint import model_of, table

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
    "priors at the centre": ("y ~ x * z + I(x**2) + (x * z | g)", {}),
    "at the centre and not": ("y ~ x * z + (x | g)", {"priors": {"beta[x]": "normal(0, 1)"}}),
    "no intercept, at the centre": ("y ~ 0 + s + x:s + (0 + s + x:s | g)", {}),
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


def test_new_rows_by_raw_columns() -> None:
    """Inside PyMC, new rows of known levels are predicted as by `predict`, within 4 Monte Carlo
    standard errors; without the response there is no log likelihood."""
    model = bl.load_model("sleepstudy")
    fit = model.fit("exact", seed=1, draws=400, chains=2)
    new = pd.DataFrame({"Days": [10.0, 12.0, 3.5], "Subject": ["308", "372", "335"]})
    given = bl.new_data(model, new)
    assert np.isnan(given["new_data"]["Reaction_data"]).all()
    known = bl.new_data(model, new.assign(Reaction=[300.0, 400.0, 250.0]))
    np.testing.assert_array_equal(known["new_data"]["Reaction_data"], [300.0, 400.0, 250.0])
    plain = {"compile_kwargs": {"mode": PLAIN}, "progressbar": False}
    with model.to_pymc():
        pm.set_data(**given)
        tree = pm.sample_posterior_predictive(fit.tree, random_seed=2, predictions=True, **plain)
    drawn = tree["predictions"]["Reaction"].values.reshape(800, 3)
    ours = fit.predict(new, kind="response", seed=3)
    error = ours["std_error"].to_numpy() * np.sqrt(2 / 800)
    assert np.all(np.abs(drawn.mean(axis=0) - ours["estimate"]) < 4 * error)
    with pytest.raises(LevelError, match="999"):
        bl.new_data(model, new.assign(Subject="999"))
    with pytest.raises(MethodError, match="structured residuals"):
        bl.new_data(bl.Model("y ~ x", _table(), residual="ar1(t | g)"), _table())


def test_new_data_has_every_name_of_the_models() -> None:
    """Its own rows give the model's own data, for predictors, offsets, trials and categories."""
    for family, rhs, keywords in (
        ("binomial", "x + (x | g) + (1 | h)", {"offset": "o"}),
        ("gaussian", "x + (1 | g)", {"dpar": {"sigma": "~ x + (1 | h)"}, "weights": "w"}),
        ("categorical", "x + (1 | g)", {}),
    ):
        model = model_of(family, rhs, **keywords)
        graph = hierarchical(model)
        found = new_data(model, table())["new_data"]
        assert set(found) == {v.name for v in graph.data_vars}
        for name, values in found.items():
            np.testing.assert_array_equal(values, graph[name].get_value(), err_msg=name)


def _run(model: bl.Model, fit: bl.Fit, names: list[str] | None = None) -> xr.DataTree:
    """A tree as PyMC gives it, of draws that a fit has."""
    posterior = fit.tree["posterior"].to_dataset()
    return xr.DataTree.from_dict({"/posterior": posterior if names is None else posterior[names]})


def test_a_fit_of_what_pymc_sampled(tmp_path: Path) -> None:
    """From the hierarchical and from the collapsed model; tables, prediction and files as ever."""
    model = bl.load_model("sleepstudy")
    exact = model.fit("exact", seed=1, draws=500, chains=4)
    fit = bl.from_pymc(_run(model, exact), model)
    pd.testing.assert_frame_equal(fit.fixef(), exact.fixef())
    pd.testing.assert_frame_equal(fit.ranef(), exact.ranef())
    fit.save(tmp_path / "fit.nc")
    again = bl.load_fit(tmp_path / "fit.nc")
    pd.testing.assert_frame_equal(again.varcorr(), exact.varcorr())
    collapsed_run = _run(model, exact, ["sd_Subject", "cor_Subject", "sigma"])
    drawn = bl.from_pymc(collapsed_run, model, seed=1)
    error = exact.fixef()["std_error"] * np.sqrt(2 / 2000)
    gap = (drawn.fixef()["estimate"] - exact.fixef()["estimate"]).abs()
    assert (gap < 4 * error).all()
    assert len(drawn.predict(effects="all")) == 180
    with pytest.raises(FitError, match="sd_Subject"):
        bl.from_pymc(_run(model, exact, ["beta", "u_Subject"]), model)
    with pytest.raises(FitError, match="chain and draw"):
        bl.from_pymc(model.fit("reml").tree, model)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "response"), [("sleepstudy", "Reaction"), ("machines", "score"), ("cbpp", "incidence")]
)
def test_after_nuts(name: str, response: str) -> None:
    """Of a fit's tree and of PyMC's own trace the same predictive distribution and the same LOO."""
    model = bl.load_model(name)
    quiet: dict[str, Any] = {"progressbar": False}
    with model.to_pymc():
        tree = pm.sample(
            500, tune=500, chains=2, random_seed=1, nuts_sampler="nutpie", target_accept=0.95,
            compute_convergence_checks=False, **quiet,
        )  # fmt: skip
        pm.compute_log_likelihood(tree, **quiet)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BayeslmmWarning)
            fit = bl.from_pymc(tree, model)
        predictive = pm.sample_posterior_predictive(fit.tree, random_seed=2, **quiet)
        pm.compute_log_likelihood(fit.tree, **quiet)
    with warnings.catch_warnings():  # of high Pareto k, the same for both
        warnings.simplefilter("ignore", UserWarning)
        ours, theirs = az.loo(fit.tree), az.loo(tree)
    assert ours.elpd == pytest.approx(theirs.elpd, rel=1e-8)
    drawn = predictive["posterior_predictive"][response].values.reshape(1000, -1)
    table = fit.predict(kind="response", seed=3)
    error = table["std_error"].to_numpy() * np.sqrt(2 / 1000)
    assert np.all(np.abs(drawn.mean(axis=0) - table["estimate"]) < 4.5 * error)
    assert np.all(np.abs(drawn.std(axis=0) / table["std_error"] - 1) < 0.25)

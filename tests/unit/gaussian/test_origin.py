"""Default priors know neither the origin nor the unit of a covariate: the log density of the
marginal posterior is the same at the same psi, and so are all posteriors and the evidence."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from pytensor.compile.mode import Mode

import bayeslmm as bl
from bayeslmm.engines.exact_draws import collect
from bayeslmm.engines.recover import _psi
from bayeslmm.gaussian.target import Target, target
from bayeslmm.model import prior_rows

FORMULAS = [
    "y ~ x * z + (x | g)",
    "y ~ x * f + (f * x | g)",
    "y ~ 0 + f + x:f + (0 + f + x:f | g)",
    "y ~ x + I(x**2) + (x + I(x**2) | g)",
    "y ~ I((x - 3)**2) + I(x - 3) + (x | g)",
    "y ~ poly(x, 2) + (poly(x, 2) | g)",
    "y ~ poly(x, 2, raw=True) * z + (x * z | g)",
    "y ~ x + (x | g) + (1 | h)",
    "y ~ center(x) * z + (scale(x) | g)",
    "y ~ bs(x, df=4) + (bs(x, df=4) | g)",
    "y ~ z + I(x * z) + x + (log(w) + x | g)",
]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n, g = 90, np.repeat(np.arange(15), 6)
    x, z = rng.normal(3.0, 2.0, n), rng.normal(-1.0, 1.5, n)
    y = 2 + 0.5 * x - z + 0.3 * x * z + rng.normal(0, 1, 15)[g] + rng.normal(0, 0.7, n)
    columns = {"y": y, "x": x, "z": z, "w": np.exp(z), "g": g, "h": rng.integers(0, 7, n)}
    return pd.DataFrame(columns | {"f": rng.choice(list("abc"), n)}).astype({"g": str, "h": str})


def _target(formula: str, data: pd.DataFrame, **options: object) -> Target:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return target(bl.Model(formula, data, **options).resolved)  # type: ignore[arg-type]


@pytest.mark.parametrize("formula", FORMULAS)
def test_density_is_the_same_at_another_origin(formula: str, data: pd.DataFrame) -> None:
    """Shifted by 1,000 standard deviations."""
    here = _target(formula, data)
    moved = data.assign(x=data["x"] + 2000.0, z=data["z"] - 1500.0)
    there = _target(formula.replace("x - 3", "x - 2003"), moved)
    psi = here.start() + 0.4 * np.random.default_rng(1).standard_normal((20, here.dimension))
    np.testing.assert_allclose(there(psi), here(psi), rtol=0, atol=2e-5)


UNITS = [*FORMULAS[:4], "y ~ x + (x || g)", "y ~ bs(x, df=4) + (x | g)"]


@pytest.mark.parametrize("formula", UNITS)
def test_evidence_is_the_same_in_another_unit(formula: str, data: pd.DataFrame) -> None:
    """The density, where each log sd is moved by the log of its coefficient's unit."""
    here, scaled = _target(formula, data), data.assign(x=data["x"] * 60.0, z=data["z"] / 7.0)
    there = _target(formula, scaled)
    units = []
    for one, other in zip(here.model.terms, there.model.terms, strict=True):
        free = one.structure.free_sds(len(one.columns))
        block, same = here.model.design.blocks[one.block], there.model.design.blocks[other.block]
        before, after = (
            np.diag(b.values[:, list(t.columns)].std(axis=0))
            for b, t in ((block, one), (same, other))
        )
        ratio = [after[i, i] / before[i, i] if before[i, i] > 1e-9 else 1.0 for i in free]
        if one.at_centre:
            ratio = _centred_ratio(here, there, one.block)
        units += [*np.log(ratio), *np.zeros(one.n_parameters - len(free))]
    move = np.append(units, np.zeros(here.dimension - len(units)))
    psi = here.start() + 0.4 * np.random.default_rng(1).standard_normal((20, here.dimension))
    np.testing.assert_allclose(there(psi - move), here(psi), rtol=0, atol=2e-5)


def _centred_ratio(here: Target, there: Target, block: int) -> list[float]:
    """Of the standard deviations of a block's only term's columns at the centre."""
    sds = []
    for t in (here, there):
        design = t.model.design
        values = t.model.terms[0].centred.values(design.blocks[block].values, design.columns)
        sds.append(values.std(axis=0))
    return [b / a if a > 1e-9 else 1.0 for a, b in zip(*sds, strict=True)]


def test_rank_is_decided_about_the_centre() -> None:
    """Unix seconds, nanoseconds and their squares as covariates: days about their mean, mapped to
    the origin; REML counts a column's unit."""
    days = bl.load_dataset("sleepstudy")
    for more, powers in (("", 1), (" + I(Days**2)", 3)):
        formula = f"Reaction ~ Days{more} + (Days | Subject)"
        here = bl.Model(formula, days.assign(Days=days["Days"] - 4.5)).fit("reml")
        for unit in (86_400.0, 86_400e9):
            model = bl.Model(formula, days.assign(Days=(19_676 + days["Days"] - 4.5) * unit))
            assert not model.resolved.aliasing.aliased
            fit = model.fit("reml")
            assert fit.loglik + powers * np.log(unit) == pytest.approx(here.loglik, abs=1e-5)
            sds = fit.varcorr()["estimate"].to_numpy()
            inner = here.varcorr()["estimate"].to_numpy()
            assert sds[1] * unit == pytest.approx(inner[1], rel=1e-4)
            np.testing.assert_allclose(sds[0], 19_676 * inner[1], rtol=1e-3)


def test_aliasing_far_from_zero_is_found_and_named() -> None:
    rng = np.random.default_rng(0)
    t = 1.7e9 + 1e4 * rng.normal(size=60)
    rows = pd.DataFrame({"y": rng.normal(size=60), "t": t, "s": 3 * t + 5, "g": np.arange(60) % 6})
    with pytest.warns(bl.errors.IdentifiabilityWarning, match="'s' is aliased"):
        found = bl.Model("y ~ t + s + (1 | g)", rows).resolved.aliasing
    assert found.kept == (0, 1)
    assert found.aliased["s"]["t"] == pytest.approx(3.0)


@pytest.mark.parametrize("method", ["conjugate", "exact"])
def test_aliased_columns_under_proper_priors_have_a_posterior(method: str) -> None:
    """x = center(x) + its mean; against the dense posterior at the given variances."""
    rng = np.random.default_rng(5)
    n = 40
    rows = pd.DataFrame({"x": rng.normal(0.3, 1.0, n), "h": rng.choice(list("abcde"), n)})
    rows["g"], rows["z"] = np.arange(n) % 8, 1000.0 * rng.integers(0, 2, n)
    rows["y"] = rows["x"] + rng.normal(size=8)[rows["g"]] + rng.normal(size=n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = bl.Model("y ~ 0 + center(x) + x + h + (z | g)", rows)
        given = {"sigma": 1.0, "sd_g": [0.8, 0.001], "cor_g": [0.2]}
        options = {"variances": given} if method == "conjugate" else {"draws": 200}
        fit = model.fit(method, seed=1, **options)
    table = fit.fixef()
    assert np.all(np.isfinite(table.to_numpy()))
    if method == "exact":
        return
    inner = model.resolved
    X, Z, codes = inner.design.X, inner.design.blocks[0].values, inner.design.blocks[0].codes
    G = np.array([[0.64, 0.2 * 0.8 * 0.001], [0.2 * 0.8 * 0.001, 1e-6]])
    V = np.eye(n) + (codes[:, None] == codes) * (Z @ G @ Z.T)
    prior = prior_rows(inner)
    precision = X.T @ np.linalg.solve(V, X) + (prior.rows.T / prior.scale**2) @ prior.rows
    right = X.T @ np.linalg.solve(V, inner.design.y)
    right = right + prior.rows.T @ (prior.location / prior.scale**2)
    np.testing.assert_allclose(table["estimate"], np.linalg.solve(precision, right), rtol=1e-7)
    sds = np.sqrt(np.diag(np.linalg.inv(precision)))
    np.testing.assert_allclose(table["std_error"], sds, rtol=1e-7)


def test_a_narrow_prior_of_the_users_is_named_with_both_numbers() -> None:
    rows = bl.load_dataset("sleepstudy")
    formula = "Reaction ~ Days + (Days | Subject)"
    reml = bl.Model(formula, rows).fit("reml")
    narrow = bl.Model(formula, rows, priors={"beta[Days]": "normal(0, 0.3)"})
    words = r"'Days' dominates the data.* 0\.3, .* 1\.55, .* from 10\.47 to 0\.3754"
    with pytest.warns(bl.errors.PriorWarning, match=words):
        fit = narrow.fit("conjugate", seed=1, variances=reml)
    assert any("dominates the data" in note for note in fit.notes)
    near = bl.Model(formula, rows, priors={"beta[Days]": "normal(10, 0.3)"})
    assert len(near.fit("conjugate", seed=1, variances=reml).notes) == 1


SECONDS = ["Reaction ~ Days + (Days | Subject)", "Reaction ~ Days + (Days + w | Subject)"]


@pytest.mark.parametrize("formula", SECONDS)
def test_draws_keep_what_the_users_scales_lose(formula: str) -> None:
    """Ten seconds of 2023 since 1970: the users' correlation is -1 to all digits, and the trace's
    own variables determine psi, whose draws are those of seconds since the first, to 1e-6."""
    rows = bl.load_dataset("sleepstudy").assign(w=np.random.default_rng(4).normal(size=180))
    found = []
    for origin in (0.0, 1.7e9):
        density = _target(formula, rows.assign(Days=origin + rows["Days"]))
        psi = density.start() + 0.3 * np.random.default_rng(1).standard_normal(
            (8, density.dimension)
        )
        rng = np.random.default_rng(2)
        gathered = collect(density, psi, rng, (2, 4), 1.0, shuffle=False)
        found.append(gathered.groups["posterior"])
        np.testing.assert_allclose(_psi(density, found[-1], 8), psi, atol=1e-9)
    own = [str(n) for n in found[0] if "centred" in str(n) or "_corr" in str(n)]
    assert len(own) == 3
    for name in (*own, "sigma"):
        np.testing.assert_allclose(found[1][name], found[0][name], rtol=1e-6, err_msg=name)
    assert found[1]["cor_Subject"].values[..., 0].max() < -1 + 1e-15


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS")
def test_pymc_predicts_what_predict_does_far_from_the_origin() -> None:
    """Days in seconds since 1970; within 4 Monte Carlo standard errors. A new Subject's effects
    are drawn by PyMC from the trace's own variables, and by us with the users' scales."""
    rows = bl.load_dataset("sleepstudy")
    rows = rows.assign(Days=86_400.0 * (19_676 + rows["Days"]))
    model = bl.Model(SECONDS[0], rows)
    fit = model.fit("exact", seed=1, draws=200, chains=2)
    quiet = {"compile_kwargs": {"mode": Mode("py", None)}, "progressbar": False}
    with model.to_pymc():
        options = {"random_seed": 2, **quiet}
        known = pm.sample_posterior_predictive(fit.tree, **options)
        new = pm.sample_posterior_predictive(
            fit.tree, sample_vars=["u_Subject", "Reaction"], **options
        )
    theirs = rows.assign(Subject=[f"new {s}" for s in rows["Subject"]])
    for tree, ours in (
        (known, fit.predict(kind="response", seed=3)),
        (new, fit.predict(theirs, kind="response", new_levels="draw", seed=3)),
    ):
        drawn = tree["posterior_predictive"]["Reaction"].values.reshape(400, -1)
        error = ours["std_error"].to_numpy() * np.sqrt(2 / 400)
        assert np.all(np.abs(drawn.mean(axis=0) - ours["estimate"]) < 4 * error)
        assert np.all(np.abs(drawn.std(axis=0) - ours["std_error"]) < 4 * error)


@pytest.mark.slow
@pytest.mark.parametrize("formula", ["y ~ x * f + (x | g)", "y ~ x + I(x**2) + (x | g)"])
def test_posteriors_are_the_same_at_another_origin(formula: str, data: pd.DataFrame) -> None:
    """Evidence to 0.05; coefficients that the origin doesn't matter to, of two seeds, within 4
    Monte Carlo standard errors."""
    fits = [
        bl.Model(formula, data.assign(x=data["x"] + by)).fit("exact", seed=seed)
        for by, seed in ((0.0, 1), (2000.0, 2))
    ]
    assert abs(fits[0].log_evidence - fits[1].log_evidence) < 0.05
    tables = [fit.fixef() for fit in fits]
    top = [c for c in tables[0].index if c.startswith(("x:", "I("))]
    error = tables[0].loc[top, "std_error"] * np.sqrt(2 / 1500)
    assert (abs(tables[0].loc[top, "estimate"] - tables[1].loc[top, "estimate"]) < 4 * error).all()
    sigmas = [fit.varcorr()["estimate"].iloc[-1] for fit in fits]
    assert abs(sigmas[0] - sigmas[1]) < 4 * 0.06 * np.sqrt(2 / 1500)

"""Structures through the engines: closed forms at given variances against the dense equations,
maximum likelihood at its stationary point and on simulated data."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning
from bayeslmm.gaussian.target import target
from bayeslmm.gaussian.variances import Variances
from bayeslmm.model.names import group_names
from tests.unit.gaussian.structured import (
    EFFECTS,
    EXTRAS,
    LEVELS,
    RANDOM,
    RESIDUALS,
    Residuals,
    Setting,
    effects_frame,
    frame_of,
    positive,
    relationships,
    setting_of,
)

FRAME, TWICE = frame_of(), effects_frame()
MATRIX = positive(len(FRAME), 5)
A = positive(len(LEVELS), 1)


def quiet(formula: str, frame: pd.DataFrame, **settings: Any) -> bl.Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        return bl.Model(formula, frame, **settings)


def given_somewhere(s: Setting, seed: int = 0) -> tuple[dict[str, Any], Variances]:
    """Variances as a user gives them, and as arrays; those of a random psi."""
    t = target(s.model)
    psi = t.start() + 0.4 * np.random.default_rng(seed).normal(size=t.dimension)
    read, sigma2 = t.read(psi[None])
    covariances = tuple(f @ f.swapaxes(1, 2) for f in read.factors)
    delta = t.delta(psi[None])
    at = Variances(covariances, np.sqrt(sigma2), delta)
    out: dict[str, Any] = {}
    for g, cov in zip(group_names(s.model), covariances, strict=True):
        sd = np.sqrt(np.diag(cov[0]))
        out[f"sd_{g.label}"] = sd
        if g.pairs:
            out[f"cor_{g.label}"] = [cov[0][i, j] / sd[i] / sd[j] for i, j in g.pairs]
    sigmas, par = s.natural(delta, float(at.sigma[0]))
    if not s.model.sigma_known:
        out["sigma"] = list(sigmas.values())
    if par:
        out["residual_par"] = list(par.values())
    return out, at


def blue_and_blup(formula: str, frame: pd.DataFrame, extra: str = "plain", **kw: Any) -> None:
    """Flat coefficients: estimates, their covariance and prediction errors (Henderson, 1975)."""
    s = setting_of(formula, frame, extra, priors="flat", **kw)
    given, at = given_somewhere(s)
    case = kw.get("case")
    settings = dict(EXTRAS[extra])
    settings["residual"] = case.text if case is not None else kw.get("residual")
    if kw.get("kin"):
        settings["relationship"] = {g: what for g, (what, _) in kw["kin"].items()}
    if extra == "missing":
        frame = frame.copy()
        frame.loc[[3, 17], "y"] = np.nan
        frame.loc[[5, 20], "x"] = np.nan
    model = quiet(formula, frame, priors="flat", **settings)
    fit = model.fit("conjugate", variances=given, draws=2, chains=1, seed=1)
    dense = s.dense(at)
    beta, u, _, _ = dense.effects_covariance()
    table = fit.fixef()
    np.testing.assert_allclose(table["estimate"], dense.blue(), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(table["std_error"], np.sqrt(np.diag(beta)), rtol=1e-8)
    np.testing.assert_allclose(fit.vcov().to_numpy(), beta, rtol=1e-8, atol=1e-10)
    if not s.model.design.blocks:
        return
    # the fit's rows go by level, then coefficient; so do the blocks'
    sd = np.sqrt(np.diag(u))
    found = fit.ranef()
    order = []
    start = 0
    for block in s.model.design.blocks:
        own = found[found["group"] == block.group]
        keys = [(str(level), c) for level in block.levels for c in block.coefs]
        rows = own.assign(key=list(zip(own["level"].astype(str), own["coef"], strict=True)))
        rows = rows.set_index("key").loc[keys]
        stop = start + len(keys)
        np.testing.assert_allclose(rows["estimate"], dense.blup()[start:stop], rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(rows["std_error"], sd[start:stop], rtol=1e-7)
        order.append(len(own))
        start = stop
    assert start == len(found) == len(dense.blup())


@pytest.mark.parametrize(
    "random", [r if r == "both" else pytest.param(r, marks=pytest.mark.slow) for r in RANDOM]
)
@pytest.mark.parametrize("name", RESIDUALS)
def test_blue_and_blup_under_residual_patterns(name, random):
    blue_and_blup(RANDOM[random], FRAME, "weights", case=RESIDUALS[name])


@pytest.mark.parametrize("name", EFFECTS)
def test_blue_and_blup_under_effects_patterns(name):
    blue_and_blup(f"y ~ x + {EFFECTS[name]} + (1 | item)", TWICE, "weights")


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("random", RANDOM)
def test_blue_and_blup_under_a_known_matrix(random, extra):
    blue_and_blup(RANDOM[random], FRAME, extra, residual=MATRIX)


KIN = {
    "only": "y ~ x + (1 | g)",
    "slopes": "y ~ x + (x | g)",
    "separate": "y ~ x + (x || g)",
    "the largest": "y ~ x + (x | g) + (1 | item)",
    "the smallest": "y ~ x + (1 | g) + (x | pair)",
    "a pattern": "y ~ x + ar1(0 + t | g) + (1 | item)",
    "three factors": "y ~ x + (1 | o) + (x | g) + (1 | item)",
}
PAIRS = TWICE.assign(pair=[f"r{i % 25}" for i in range(len(TWICE))])


@pytest.mark.parametrize(
    "extra", [e if e == "missing" else pytest.param(e, marks=pytest.mark.slow) for e in EXTRAS]
)
@pytest.mark.parametrize("name", KIN)
def test_blue_and_blup_of_related_levels(name, extra):
    """Four levels have no rows; they are predicted from their relatives."""
    blue_and_blup(KIN[name], PAIRS, extra, kin={"g": (relationships(A, LEVELS)["dense"], A)})


@pytest.mark.parametrize("name", KIN)
def test_related_levels_beside_structured_residuals(name):
    kin = {"g": (relationships(A, LEVELS)["sparse precision"], A)}
    for residual in ("ar1 of rows", "diag and both", "exp nugget"):
        blue_and_blup(KIN[name], PAIRS, "weights", kin=kin, case=RESIDUALS[residual])


@pytest.mark.parametrize(
    "form", ["dense", "frame", "sparse", "dense precision", "sparse precision"]
)
def test_every_form_of_a_relationship_is_the_same(form):
    what = relationships(A, LEVELS)[form]
    dense = what.to_numpy() if form == "frame" else A
    for name in ("only", "slopes", "three factors"):
        blue_and_blup(KIN[name], PAIRS, kin={"g": (what, dense)})


def test_two_related_factors():
    levels = ["i4", "i0", "i2", "i1", "i3"]
    B = positive(5, 2)
    kin = {
        "g": (relationships(A, LEVELS)["dense"], A),
        "item": (relationships(B, levels)["sparse precision"], B),
    }
    for formula in ("y ~ x + (1 | g) + (1 | item)", "y ~ x + (x | g) + (x || item) + (1 | pair)"):
        blue_and_blup(formula, PAIRS, "weights", kin=kin)


def test_a_relationship_without_levels_is_in_the_factors_own_order():
    own = positive(9, 4)
    blue_and_blup("y ~ x + (1 | g)", PAIRS, kin={"g": (own, own)})


@pytest.mark.parametrize("name", ["ar1", "ar1, diag and varpower", "us", "fa het"])
def test_relative_variances_leave_sigma_unknown(name):
    """Student's t: its scale matrix is that of the dense equations at sigma² = b/a."""
    case = RESIDUALS[name]
    if case.strata:
        return
    s = setting_of(RANDOM["both"], FRAME, "weights", case, priors="flat")
    given, at = given_somewhere(s)
    sigma = given.pop("sigma")[0]
    relative = {
        f"rel_{k}" if k.startswith("sd_") else k: np.asarray(v) / sigma
        if k.startswith("sd_")
        else v
        for k, v in given.items()
    }
    model = quiet(RANDOM["both"], FRAME, priors="flat", residual=case.text, **EXTRAS["weights"])
    fit = model.fit("conjugate", variances=relative, draws=2, chains=1, seed=1)
    dense = s.dense(at)
    np.testing.assert_allclose(fit.fixef()["estimate"], dense.blue(), rtol=1e-8)
    n, p = len(dense.y), dense.X.shape[1]
    r = (dense.y - dense.X @ dense.blue()).astype(float)
    scale = float(r @ dense.solve(r)) / (n - p)  # sigma² b/a over sigma²
    expected = scale * np.linalg.inv(dense.precision.astype(float)) * (n - p) / (n - p - 2)
    np.testing.assert_allclose(fit.vcov().to_numpy(), expected, rtol=1e-7)


# -- maximum likelihood


def occasions(groups: int, k: int, rng: np.random.Generator) -> pd.DataFrame:
    """Groups that miss some of k occasions."""
    keep = rng.random((groups, k)) < 0.85
    keep[:, 0] |= ~keep.any(axis=1)
    g, o = np.nonzero(keep)
    n = len(g)
    return pd.DataFrame(
        {
            "g": [f"g{i:03d}" for i in g],
            "t": o + 1.0,
            "o": [f"o{i + 1}" for i in o],
            "time": o + rng.uniform(0.0, 0.9, n),
            "x": rng.normal(size=n),
            "v": rng.uniform(0.5, 3.0, n),
            "px": rng.uniform(0.0, 2.0, n),
            "py": rng.uniform(0.0, 2.0, n),
            "sex": np.where(g % 2 == 0, "F", "M"),
            "y": 0.0,
        }
    )


# residual=, its natural numbers by name, sigma by stratum
SIMULATED: dict[str, tuple[str, dict[str, float], dict[str, float]]] = {
    "ar1": ("ar1(t | g)", {"rho": 0.6}, {"": 1.5}),
    "diag": ("diag(sex) + varpower(v)", {"varpower(v)": 0.7}, {"F": 0.8, "M": 1.7}),
    "us": (
        "us(o | g)",
        {"cor(o1,o2)": 0.6, "cor(o1,o3)": 0.4, "cor(o2,o3)": 0.7, "cor(o1,o4)": 0.2,
         "cor(o2,o4)": 0.3, "cor(o3,o4)": 0.5},
        {"o1": 1.0, "o2": 1.3, "o3": 1.6, "o4": 2.0},
    ),
    "cs": ("cs(o | g, hom=True)", {"rho": 0.5}, {"": 1.2}),
    "cs het": ("cs(o | g)", {"rho": 0.4}, {"o1": 1.0, "o2": 1.5, "o3": 0.7, "o4": 1.2}),
    "ar1 het": ("ar1(t | g, hom=False)", {"rho": -0.5}, {"1": 1.0, "2": 1.5, "3": 0.7, "4": 1.2}),
    "car1": ("car1(time | g)", {"rho": 0.45}, {"": 1.2}),
    "arma": ("arma(t | g)", {"phi": 0.7, "theta": -0.4}, {"": 1.2}),
    "toep": ("toep(t | g, hom=True)", {"rho1": 0.6, "rho2": 0.5, "rho3": 0.2}, {"": 1.0}),
    "toep het": (
        "toep(t | g)",
        {"rho1": 0.6, "rho2": 0.3, "rho3": 0.2},
        {"1": 1.0, "2": 1.5, "3": 0.7, "4": 1.2},
    ),
    "ante": (
        "ante(t | g)",
        {"rho1": 0.6, "rho2": -0.3, "rho3": 0.7},
        {"1": 1.0, "2": 1.5, "3": 0.7, "4": 1.2},
    ),
    "fa": (
        "fa(o | g, k=1)",
        {"loading1(o1)": 0.8, "loading1(o2)": 0.6, "loading1(o3)": -0.5, "loading1(o4)": 0.7},
        {"o1": 1.0, "o2": 1.5, "o3": 0.7, "o4": 1.2},
    ),
    "exp": ("exp(px + py | g)", {"range": 0.8}, {"": 1.1}),
    "exp nugget": ("exp(px + py | g, nugget=True)", {"range": 1.5, "nugget": 0.25}, {"": 1.1}),
    "gau": ("gau(px + py | g)", {"range": 0.7}, {"": 1.1}),
    "matern": ("matern(px + py | g)", {"range": 0.5, "smoothness": 1.0}, {"": 1.1}),
    "varexp": ("varexp(x)", {"varexp(x)": -0.4}, {"": 1.1}),
}  # fmt: skip
QUICK = ("ar1", "diag")
every_simulated = pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in SIMULATED]
)


def case_of(text: str, s: Setting) -> Residuals:
    """The textbook's reading of `residual=`."""
    residual = s.model.residual
    assert residual is not None
    pattern = text.partition("(")[0]
    functions = tuple(f"{f.kind}({f.name})" for f in residual.functions)
    strata = "" if residual.strata is None else residual.strata.name
    if pattern in ("diag", "varexp"):
        return Residuals(text, "", (), strata, functions)
    left = text.partition("(")[2].partition(" |")[0]
    at = () if pattern == "cs" else tuple(left.split(" + "))
    return Residuals(text, pattern, at, strata, functions)


def simulated(name: str, groups: int) -> tuple[pd.DataFrame, Setting]:
    """Responses of a known residual structure beside a crossed factor of sd 0.8."""
    text, par, sigma = SIMULATED[name]
    rng = np.random.default_rng(11)
    frame = occasions(groups, 4, rng)
    frame = frame.assign(item=rng.integers(0, 25, len(frame)).astype(str))
    frame["y"] = rng.normal(size=len(frame))
    s = setting_of("y ~ x + (1 | item)", frame, residual=text)
    s = replace(s, case=case_of(text, s))
    residual = s.model.residual
    assert residual is not None
    labels = [""] if residual.strata is None else list(residual.strata.labels)
    names = [p.name for p in residual.parameters]
    assert set(labels) == set(sigma) and set(names) == set(par)
    sds, values = np.array([[sigma[x] for x in labels]]), np.array([[par[x] for x in names]])
    R = s.R(residual.delta(sds, values), sds[0, 0])
    e = np.linalg.cholesky(R) @ rng.normal(size=len(frame))
    u = 0.8 * rng.normal(size=25)
    frame["y"] = 2.0 + 0.5 * frame["x"] + u[frame["item"].astype(int)] + e
    s = setting_of("y ~ x + (1 | item)", frame, residual=text)
    return frame, replace(s, case=case_of(text, s))


@every_simulated
def test_ml_recovers_what_was_simulated(name):
    """Within four standard errors, residual structure and a crossed factor together."""
    text, par, sigma = SIMULATED[name]
    frame, _ = simulated(name, 150)
    fit = quiet("y ~ x + (1 | item)", frame, residual=text).fit("ml")
    assert fit.converged
    table = fit.varcorr()
    assert len(table) == 1 + len(par) + len(sigma)
    for row in table.itertuples():
        if row.group == "item":
            value = 0.8
        elif row.kind == "sd":
            value = sigma[""] if "" in sigma else sigma[str(row.coef)]
        else:
            value = par[row.coef if row.kind == "par" else f"cor({row.coef},{row.coef2})"]
        assert row.std_error > 0
        assert abs(row.estimate - value) < 4 * row.std_error, (row.coef, value)
        assert row.lower < row.estimate < row.upper
    fixed = fit.fixef()
    assert abs(fixed.loc["x", "estimate"] - 0.5) < 4 * fixed.loc["x", "std_error"]


@every_simulated
def test_a_fits_log_likelihood_is_the_textbooks_at_its_own_variances(name):
    """Of ml and reml; no move of a variance parameter by a tenth makes it larger."""
    text = SIMULATED[name][0]
    frame, s = simulated(name, 30)
    residual = s.model.residual
    assert residual is not None
    for method in ("ml", "reml"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BayeslmmWarning)
            fit = quiet("y ~ x + (1 | item)", frame, residual=text).fit(method)
        tree = fit.tree["estimate"].dataset
        sigmas = np.atleast_1d(tree["sigma"].to_numpy())
        par = tree["residual_par"].to_numpy() if residual.parameters else np.empty(0)
        delta = residual.delta(sigmas[None], par[None])
        variance = tree["sd_item"].to_numpy().reshape(1, 1, 1) ** 2

        def loglik(delta: np.ndarray, sigma: float, variance: np.ndarray, m: str = method) -> float:
            dense = s.dense(Variances((variance,), np.array([sigma]), delta))
            return -0.5 * (dense.reml() if m == "reml" else dense.ml())

        top = loglik(delta, sigmas[0], variance)
        assert fit.loglik == pytest.approx(top, rel=1e-7)
        moves = [(delta, sigmas[0] * f, variance) for f in (0.9, 1.1)]
        moves += [(delta, sigmas[0], variance * f) for f in (0.8, 1.2)]
        moves += [(delta + d, sigmas[0], variance) for d in 0.1 * np.eye(len(delta[0]))]
        moves += [(delta - d, sigmas[0], variance) for d in 0.1 * np.eye(len(delta[0]))]
        for move in moves:
            assert loglik(*move) <= top + 1e-6
        dense = s.dense(Variances((variance,), sigmas[:1], delta))
        np.testing.assert_allclose(fit.fixef()["estimate"], dense.blue(), rtol=1e-6)
        np.testing.assert_allclose(fit.ranef()["estimate"], dense.blup(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("pattern", ["car1", "exp"])
@pytest.mark.parametrize("unit", [1 / 365, 86400.0])
def test_no_unit_of_time_is_better_than_another(pattern, unit):
    """Correlations fall to 1/e over 1.4 of the first unit."""
    rng = np.random.default_rng(0)
    t = np.tile(np.arange(12.0), 15) + rng.uniform(0, 0.5, 180)
    g = np.repeat(np.arange(15), 12)
    R = np.exp(-np.abs(t[:, None] - t) / 1.4) * (g[:, None] == g)
    y = np.linalg.cholesky(R) @ rng.normal(size=180)
    frame = pd.DataFrame({"y": y, "t": t * unit, "g": [f"g{i}" for i in g]})
    fit = quiet("y ~ 1", frame, residual=f"{pattern}(t | g)").fit("ml")
    assert fit.converged
    (value,) = fit.tree["estimate"]["residual_par"].to_numpy()
    found = (value if pattern == "exp" else -1 / np.log(value)) / unit
    one = quiet("y ~ 1", frame.assign(t=t), residual="exp(t | g)").fit("ml")
    assert fit.loglik == pytest.approx(one.loglik, abs=1e-6)
    assert found == pytest.approx(one.tree["estimate"]["residual_par"].item(), rel=1e-3)
    assert 0.8 < found < 2.4

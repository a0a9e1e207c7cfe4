"""EM and the alternating iterations: steps by the textbook, monotone, the default's limit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import bayeslmm as bl
from bayeslmm.errors import ConvergenceWarning, FitError, MethodError, SingularWarning
from bayeslmm.gaussian.equations import equations
from bayeslmm.gaussian.iterations import Here, Problem, alternating_step, em_step
from bayeslmm.gaussian.variances import Variances
from tests.unit.gaussian.designs import build, random_variances
from tests.unit.gaussian.oracle import Dense, dense_of, own_blocks, stacked

STEPPED = {
    "one factor": "y ~ x + (x | g)",
    "independent": "y ~ x + (x || g)",
    "one variance": "y ~ x + id(x | g)",
    "two terms on a factor": "y ~ x + (1 | g) + (0 + x + z | g)",
    "crossed": "y ~ x + (x | g) + (1 | h)",
    "nested": "y ~ z + (1 | h/m)",
    "no fixed part": "y ~ 0 + (x | g)",
    "no random part": "y ~ x",
}


def problem_of(formula: str, reml: bool, extra: str = "weights and offset"):
    model = build(formula, extra)
    columns = model.aliasing.kept
    problem = Problem(model, equations(model, columns), reml)
    return problem, problem.at(random_variances(model, 5))


def structured(problem: Problem, block: int, whole: np.ndarray) -> np.ndarray:
    """What the terms' structures keep of a block's covariance."""
    out = np.zeros_like(whole)
    for term in problem.model.terms:
        if term.block == block:
            own = whole[np.ix_(term.columns, term.columns)]
            kept = {
                "us": own,
                "diag": np.diag(np.diag(own)),
                "id": np.eye(len(own)) * np.trace(own) / len(own),
            }
            out[np.ix_(term.columns, term.columns)] = kept[term.structure.name]
    return out


@pytest.mark.parametrize("reml", [False, True], ids=["ml", "reml"])
@pytest.mark.parametrize("formula", STEPPED.values(), ids=STEPPED)
def test_a_step_of_em_is_laird_and_wares(formula, reml):
    """Omega and sigma² from the dense conditional distribution of u and e given y."""
    problem, here = problem_of(formula, reml)
    dense = dense_of(problem.model, here.variances)
    found = em_step(problem, here)
    _, u_spread, _, u_given = dense.effects_covariance()
    u = dense.blup()
    second = np.outer(u, u) + (u_spread if reml else u_given)
    for block, cov in enumerate(found.covariances):
        levels, k = problem.model.design.blocks[block].n_levels, cov.shape[1]
        part = own_blocks(problem.model, np.eye(len(u)))[block].reshape(levels * k, -1)
        own = (part @ second @ part.T).reshape(levels, k, levels, k)
        mean = np.einsum("jajb->ab", own) / levels
        np.testing.assert_allclose(cov[0], structured(problem, block, mean), rtol=1e-7, atol=1e-9)
    assert found.sigma[0] ** 2 == pytest.approx(residual_by_em(dense, here, reml), rel=1e-8)


def residual_by_em(dense: Dense, here: Here, reml: bool) -> float:
    """E(e'We | y)/n, with e = R V⁻¹(y - X beta) and its conditional variance."""
    V, R = dense.V.astype(float), dense.R
    inverse = np.linalg.inv(V)
    r = dense.y - dense.X @ dense.blue()
    e = R @ inverse @ r
    spread = R - R @ inverse @ R
    if reml:
        beta = np.linalg.inv(dense.precision.astype(float)) if dense.X.shape[1] else np.eye(0)
        half = R @ inverse @ dense.X
        spread = spread + half @ beta @ half.T
    W = here.variances.sigma[0] ** 2 / np.diag(R)
    return float(np.sum(W * (e**2 + np.diag(spread))) / len(e))


@pytest.mark.parametrize("reml", [False, True], ids=["ml", "reml"])
@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ x + (1 | g) + (1 | h)"])
def test_an_alternating_step_is_the_best_given_beta(formula, reml):
    """Against a simplex over the dense average deviance at the old beta's distribution."""
    problem, here = problem_of(formula, reml)
    old = dense_of(problem.model, here.variances)
    b, C = old.blue(), np.linalg.inv(old.precision.astype(float))

    def f(logs):
        blocks = tuple(np.exp(v).reshape(1, 1, 1) for v in logs[:-1])
        dense = dense_of(problem.model, Variances(blocks, np.exp(logs[-1:] / 2)))
        V = dense.V.astype(float)
        r = dense.y - dense.X @ b
        value = np.linalg.slogdet(V)[1] + r @ np.linalg.solve(V, r)
        return value + reml * np.trace(C @ dense.X.T @ np.linalg.solve(V, dense.X))

    found = alternating_step(problem, here)
    logs = np.log([*(c.item() for c in found.covariances), found.sigma[0] ** 2])
    best = optimize.minimize(
        f, logs + 0.3, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10}
    )
    assert f(logs) <= best.fun + 1e-7
    np.testing.assert_allclose(logs, best.x, atol=1e-4)


FITTED = [("dyestuff", None), ("penicillin", None), ("pastes", None), ("sleepstudy", None)]


@pytest.mark.parametrize("method", ["ml", "reml"])
@pytest.mark.parametrize("algorithm", ["em", "alternating"])
@pytest.mark.parametrize(("name", "variant"), FITTED, ids=[name for name, _ in FITTED])
def test_the_path_falls_to_the_defaults_limit(name, variant, algorithm, method, gallery_fit):
    """To 1e-6 of the deviance, and 1e-3 of the estimates (EM's last digits come slowly)."""
    fit = gallery_fit(name, method, variant, algorithm=algorithm, tolerance=1e-9, iterations=3000)
    default = gallery_fit(name, method, variant)
    path = fit.path
    own = path[path["algorithm"] == algorithm]
    fall = -np.diff(own["deviance"])
    assert np.all(fall > -1e-7)  # of an inner optimum
    assert fit.converged
    assert fit.deviance == own["deviance"].iloc[-1]
    assert fit.deviance == pytest.approx(default.deviance, abs=1e-6)
    np.testing.assert_allclose(
        fit.varcorr()["estimate"], default.varcorr()["estimate"], rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(
        fit.ranef()["estimate"], default.ranef()["estimate"], rtol=1e-3, atol=1e-2
    )
    optimiser = path[path["algorithm"] == "default"]
    assert optimiser["deviance"].iloc[0] == pytest.approx(own["deviance"].iloc[0])
    assert optimiser["deviance"].iloc[-1] == pytest.approx(default.deviance, abs=1e-7)


def test_the_numbers_are_the_algorithms_own_last_point(sleepstudy):
    with pytest.warns(ConvergenceWarning, match="did not converge in 3 iterations"):
        fit = sleepstudy.fit("reml", algorithm="em", iterations=3)
    last = fit.path[fit.path["algorithm"] == "em"].iloc[-1]
    assert last["iteration"] == 3
    assert fit.sigma == pytest.approx(last["sigma"], rel=1e-12)
    assert fit.fixef().loc["Days", "estimate"] == pytest.approx(last["beta[Days]"], rel=1e-12)
    assert fit.varcorr()["estimate"][2] == last["cor_Subject[Intercept,Days]"]
    assert fit.varcorr()["std_error"].isna().all()
    assert not fit.converged
    # BLUE and BLUP are those of these variances
    given = sleepstudy.fit("conjugate", variances=fit, kappa=0, seed=1, draws=2)
    np.testing.assert_allclose(given.ranef()["estimate"], fit.ranef()["estimate"], rtol=1e-8)


def test_em_does_not_reach_a_variance_of_zero_and_says_so(gallery_model):
    model = gallery_model("dyestuff2")
    with pytest.warns(ConvergenceWarning, match="never converges to a variance of zero"):
        fit = model.fit("ml", algorithm="em", iterations=50)
    path = fit.path[fit.path["algorithm"] == "em"]
    assert np.all(np.diff(path["deviance"]) < 0)
    assert fit.varcorr()["estimate"][0] > 0
    assert not fit.singular


def test_the_alternating_iterations_reach_the_boundary(gallery_model):
    with pytest.warns(SingularWarning, match="on the boundary"):
        fit = gallery_model("dyestuff2").fit("ml", algorithm="alternating")
    assert fit.converged
    assert fit.singular
    assert fit.varcorr()["estimate"][0] == 0.0
    assert fit.sigma == pytest.approx(bl.oneway(gallery_model("dyestuff2")).estimates.sigma["ML"])


def test_em_is_slow_where_intercept_and_slope_form_a_ridge(gallery_fit):
    """Orthodont with age uncentred: hundreds of steps, where the optimiser needs under thirty
    evaluations (Lindstrom & Bates, 1988, on the same question)."""
    path = gallery_fit("orthodont", "ml", algorithm="em").path
    last = path.groupby("algorithm")["iteration"].max()
    assert last["em"] > 100
    assert last["default"] < 30


def test_the_path_travels_with_the_fit_and_prints(sleepstudy, tmp_path, capsys):
    fit = sleepstudy.fit("ml", algorithm="alternating", trace=True)
    printed = capsys.readouterr().out
    assert "alternating" in printed
    assert "default" in printed
    assert len(printed.splitlines()) < 25
    fit.save(tmp_path / "fit.nc")
    pd.testing.assert_frame_equal(bl.load_fit(tmp_path / "fit.nc").path, fit.path)


def test_the_default_keeps_a_path_where_it_is_traced(sleepstudy, capsys):
    fit = sleepstudy.fit("reml", trace=True)
    assert set(fit.path["algorithm"]) == {"default"}
    assert fit.path["deviance"].iloc[-1] == pytest.approx(fit.deviance, abs=1e-8)
    assert fit.varcorr()["std_error"].notna().all()
    assert "default" in capsys.readouterr().out
    with pytest.raises(FitError, match="no stored iterations"):
        _ = sleepstudy.fit("reml").path


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"algorithm": "emm"}, "Did you mean 'em'"),
        ({"algorithm": "em", "iterations": 0}, "whole number"),
        ({"algorithm": "em", "tolerance": -1}, "positive"),
        ({"algorithm": "em", "trace": 3}, "True or False"),
        ({"algoritm": "em"}, "Did you mean 'algorithm'"),
    ],
)
def test_options_are_checked(options, words, sleepstudy):
    with pytest.raises(MethodError, match=words):
        sleepstudy.fit("ml", **options)


@pytest.mark.parametrize(
    ("formula", "residual", "got"),
    [
        ("Reaction ~ Days + (1 | Subject)", "ar1(Days | Subject)", "a residual structure"),
        ("Reaction ~ Days + cs(1 + Days | Subject)", None, "cs"),
    ],
)
def test_structures_are_left_to_the_default(formula, residual, got):
    model = bl.Model(formula, bl.load_dataset("sleepstudy"), residual=residual)
    with pytest.raises(MethodError, match=f"Got: {got}. Use algorithm='default'"):
        model.fit("ml", algorithm="em")


def test_known_residuals_and_no_random_part():
    """sigma stays at one where rows have their own; least squares needs no iterations."""
    rng = np.random.default_rng(3)
    g, s = np.repeat(np.arange(10), 4), rng.uniform(0.5, 1.5, 40)
    y = 2 * rng.normal(size=10)[g] + s * rng.normal(size=40)
    model = bl.Model("y ~ 1 + (1 | g)", pd.DataFrame({"y": y, "g": g, "s": s}), known_sd="s")
    default = model.fit("reml")
    for algorithm in ("em", "alternating"):
        fit = model.fit("reml", algorithm=algorithm)
        assert fit.deviance == pytest.approx(default.deviance, abs=1e-6)
        assert "sigma" not in fit.path
    plain = bl.Model("Reaction ~ Days", bl.load_dataset("sleepstudy"))
    for method in ("ml", "reml"):
        found = plain.fit(method, algorithm="em")
        assert found.sigma == pytest.approx(plain.fit(method).sigma, rel=1e-6)
    assert stacked(()).size == 0

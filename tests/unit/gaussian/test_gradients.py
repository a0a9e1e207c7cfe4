"""Analytic derivatives of the likelihoods against central differences of their values.

The differences are of values that the dense oracle vouches for. They are taken twice, with steps
h and h/2, and extrapolated (Richardson, 1911), so that a tolerance of 1e-6 of the largest
derivative in sight is one of the gradient and not of the differences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bayeslmm.gaussian import crossed_point, single, target
from bayeslmm.gaussian.equations import FactorPoint
from bayeslmm.gaussian.likelihood import deviance, deviance_slopes, marginal_deviance
from bayeslmm.gaussian.likelihood import marginal_slopes as slopes_of_marginal
from bayeslmm.gaussian.posterior import normal_prior
from bayeslmm.gaussian.profile import Profile, profile
from bayeslmm.gaussian.target import Target
from bayeslmm.gaussian.variances import lambdas_from_covariances
from bayeslmm.model import Model, prior_rows
from tests.unit.gaussian.designs import build, random_variances, system_of

Solved = tuple[str, str | None]
CROSSED = "y ~ x + (x | g) + (1 | h)"
THREE = "y ~ x + (1 | h) + (0 + z | m) + (x | g)"
RESTS = ("dense", "sparse")


def differences(f: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """Central differences of a scalar f, extrapolated to order four."""
    out = np.empty(len(x))
    for i in range(len(x)):
        move = np.zeros(len(x))
        move[i] = step * max(1.0, abs(x[i]))
        whole = (f(x + move) - f(x - move)) / (2 * move[i])
        half = (f(x + move / 2) - f(x - move / 2)) / move[i]
        out[i] = (4 * half - whole) / 3
    return out


def assert_gradient(found: np.ndarray, expected: np.ndarray, rtol: float = 1e-6) -> None:
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * scale)


def profile_of(model: Model, rest: str | None, *, reml: bool) -> Profile:
    out = profile(model, reml=reml)
    return replace(out, equations=system_of(model, rest, model.aliasing.kept))


def target_of(model: Model, rest: str | None) -> Target:
    rows = prior_rows(model).on(model.columns)
    return Target(model, system_of(model, rest, model.columns), rows)


def somewhere(problem: Profile, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return problem.identity * rng.uniform(0.3, 1.5, len(problem.units)) + rng.normal(
        0.0, 0.3, len(problem.units)
    )


def profile_agrees(problem: Profile, x: np.ndarray) -> None:
    value, slope = problem(x)
    batch = problem.equations.factor(problem.lambdas(x[None]), size=1)
    sigma2 = np.array([problem.sigma2(problem.at(x))])
    assert value == pytest.approx(deviance(batch, sigma2, reml=problem.reml)[0], rel=1e-11)
    assert_gradient(slope, differences(lambda t: problem(t)[0], x))


@pytest.mark.parametrize("reml", [False, True], ids=["ml", "reml"])
def test_profiled_deviance(solved: Solved, extra: str, reml: bool) -> None:
    model = build(solved[0], extra)
    problem = profile_of(model, solved[1], reml=reml)
    profile_agrees(problem, somewhere(problem, 30))


@pytest.mark.parametrize("reml", [False, True], ids=["ml", "reml"])
def test_profiled_deviance_on_the_bounds(solved: Solved, reml: bool) -> None:
    """Lambda singular, the last coefficient of each term without variance, and all of them."""
    model = build(solved[0], "weights and offset")
    problem = profile_of(model, solved[1], reml=reml)
    x = somewhere(problem, 31)
    bounded = np.flatnonzero(np.isfinite(problem.lower))
    x[bounded[-1:]] = 0.0
    profile_agrees(problem, x)
    x[bounded] = 0.0
    profile_agrees(problem, x)
    profile_agrees(problem, np.zeros_like(x))


@pytest.mark.parametrize("reml", [False, True], ids=["ml", "reml"])
def test_slopes_by_every_entry_of_lambda(solved: Solved, reml: bool) -> None:
    """Lambda as a full matrix, and singular (its first column zero): sigma² held."""
    model = build(solved[0], "weights and offset")
    system, rng = system_of(model, solved[1]), np.random.default_rng(32)
    sigma2 = 1.7
    for column in (None, 0):
        lambdas = [rng.normal(size=(k, k)) for _, k in system.moments.sizes]
        for lam in lambdas:
            if column is not None:
                lam[:, column] = 0.0
        found = deviance_slopes(at_lambdas(system, lambdas), sigma2, reml=reml) if lambdas else ()
        for block, slope in enumerate(found):

            def value(flat: np.ndarray, block: int = block, all_: Any = lambdas) -> float:
                moved = [flat.reshape(x.shape) if i == block else x for i, x in enumerate(all_)]
                return float(deviance(at_lambdas(system, moved), np.array([sigma2]), reml=reml)[0])

            expected = differences(value, lambdas[block].ravel())
            assert_gradient(slope.ravel(), expected)


def at_lambdas(system: Any, lambdas: list[np.ndarray]) -> FactorPoint:
    return system.at(tuple(lam[None] for lam in lambdas))


PRIORS: dict[str, dict[str, str] | None] = {
    "default": None,
    "flat": {"beta": "flat", "Intercept": "flat"},
    "heavy": {"Intercept": "student_t(3, 2, 1.5)", "beta": "cauchy(0.2, 0.5)"},
    "heavy and flat": {"Intercept": "flat", "beta": "student_t(4, 0.3, 0.6)"},
}


def given(name: str, formula: str) -> dict[str, str] | None:
    """Priors, without those of what a formula has not."""
    priors = PRIORS[name]
    if priors is None:
        return None
    without = {"Intercept"} if formula.startswith("y ~ 0") else set()
    if formula.startswith("y ~ 0 + ("):
        without |= {"beta"}
    return {key: value for key, value in priors.items() if key not in without} or None


def target_agrees(density: Target, psi: np.ndarray) -> None:
    value, slope = density.value_and_gradient(psi)
    assert value == pytest.approx(density(psi[None])[0], rel=1e-10)
    assert_gradient(slope, differences(lambda t: float(density(t[None])[0]), psi))


@pytest.mark.parametrize("priors", PRIORS)
def test_target(solved: Solved, extra: str, priors: str) -> None:
    model = build(solved[0], extra, priors=given(priors, solved[0]))
    density = target_of(model, solved[1])
    heavy = len(density.rows.heavy)
    assert (heavy > 0) == priors.startswith("heavy") or density.equations.moments.p == 0
    rng = np.random.default_rng(33)
    target_agrees(density, density.start() + 0.3 * rng.normal(size=density.dimension))


@pytest.mark.parametrize("priors", PRIORS)
def test_target_where_lambda_is_all_but_singular(solved: Solved, priors: str) -> None:
    """Standard deviations of e⁻²⁰ of the residual's, where the likelihood no longer sees them."""
    model = build(solved[0], "known sd", priors=given(priors, solved[0]))
    density = target_of(model, solved[1])
    psi = density.start()
    free = [len(t.structure.free_sds(len(t.columns))) for t in model.terms]
    start = 0
    for term, sds in zip(model.terms, free, strict=True):
        psi[start + sds - 1] = -20.0
        start += term.n_parameters
    target_agrees(density, psi)


@pytest.mark.parametrize("priors", PRIORS)
def test_marginal_slopes_at_a_singular_lambda(solved: Solved, priors: str) -> None:
    """By Lambda and by log sigma²; the covariance has a direction without any variance."""
    model = build(solved[0], "weights and offset", priors=given(priors, solved[0]))
    columns = model.columns
    system, rows = system_of(model, solved[1], columns), prior_rows(model).on(columns)
    about = system.moments.coordinates
    at = random_variances(model, 34, singular=True)
    lambdas = lambdas_from_covariances(about, at)
    multiplier = np.full((1, len(rows.heavy)), 0.7)
    prior = normal_prior(rows, about, multiplier, 1)

    def value(log_sigma2: float, moved: tuple[np.ndarray, ...]) -> float:
        sigma2 = np.exp([log_sigma2])
        return float(marginal_deviance(system.at(moved, sigma2, prior), sigma2, prior)[0])

    here = float(np.log(at.sigma[0] ** 2))
    factor = system.at(lambdas, at.sigma**2, prior)
    blocks, by_sigma = slopes_of_marginal(factor, float(at.sigma[0] ** 2), prior)
    expected = differences(lambda t: value(float(t[0]), lambdas), np.array([here]))
    assert by_sigma == pytest.approx(expected[0], rel=1e-6, abs=1e-6)
    for i, slope in enumerate(blocks if model.terms else ()):

        def at_block(flat: np.ndarray, i: int = i) -> float:
            own = flat.reshape(lambdas[i].shape)
            return value(here, (*lambdas[:i], own, *lambdas[i + 1 :]))

        assert_gradient(slope.ravel(), differences(at_block, lambdas[i].ravel()))


def test_outside_of_the_domain_there_is_nothing() -> None:
    density = target_of(build(CROSSED), None)
    for bad in (np.nan, 1e4, -1e4):
        psi = density.start()
        psi[0] = bad
        value, slope = density.value_and_gradient(psi)
        assert value == -np.inf
        np.testing.assert_array_equal(slope, 0.0)


def scaled(place: int, factor: float = 0.9) -> Callable[..., Any]:
    """The kernel with one of its arguments spoilt."""

    def how(whole: Callable[..., Any], *args: Any) -> Any:
        return whole(*args[:place], factor * args[place], *args[place + 1 :])

    return how


def shrunk(whole: Callable[..., Any], *args: Any) -> Any:
    """A function whose result is spoilt."""
    return 0.9 * whole(*args)


SPOILT: dict[str, tuple[str, str | None, Any, str, Callable[..., Any]]] = {
    "levels": ("y ~ x + (x | g)", None, single, "slope_levels", scaled(3)),
    **{
        f"{name}, {rest}": (THREE, rest, crossed_point, kernel, how)
        for rest in RESTS
        for name, kernel, how in (
            ("inverse at the border", "slope_border", scaled(11)),
            ("levels' own products", "slope_border", scaled(0)),
            ("inverse among the rest", "slope_rest", scaled(4)),
            ("residuals through pairs", "apply_pairs", scaled(2)),
        )
    },
    "mixtures": (CROSSED, None, target.Target, "heavy_slopes", shrunk),
}


@pytest.mark.parametrize("case", SPOILT.values(), ids=SPOILT)
def test_a_wrong_kernel_would_be_seen(
    case: tuple[str, str | None, Any, str, Callable[..., Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    formula, rest, room, name, how = case
    model = build(formula, "weights and offset", priors=PRIORS["heavy"])
    density, problem = target_of(model, rest), profile_of(model, rest, reml=True)
    psi, x = density.start(), somewhere(problem, 35)
    target_agrees(density, psi)
    profile_agrees(problem, x)
    whole = getattr(room, name)
    monkeypatch.setattr(room, name, lambda *args: how(whole, *args))
    with pytest.raises(AssertionError):
        target_agrees(density, psi)
    if room is not target.Target:
        with pytest.raises(AssertionError):
            profile_agrees(problem, x)


@pytest.mark.parametrize("term", [0, 1, 2], ids=["log_det_z", "log_det_x", "rho2"])
def test_a_dropped_term_would_be_seen(term: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = profile_of(build(CROSSED, "weights and offset"), None, reml=True)
    x = somewhere(problem, 36)
    whole = FactorPoint.slopes

    def without(factor: FactorPoint) -> Any:
        parts = whole(factor)
        none = tuple(0.0 * b for b in parts[term])
        return (*parts[:term], none, *parts[term + 1 :])

    monkeypatch.setattr(FactorPoint, "slopes", without)
    with pytest.raises(AssertionError):
        profile_agrees(problem, x)

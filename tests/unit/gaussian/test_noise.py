"""Structured residuals and effects against the textbook's V = Z G Z' + R, entry by entry.

Every pattern on both sides, beside effects of the same groups and of crossed ones, with weights,
known standard deviations, offsets, missing rows, gaps and groups of one row: densities, profiled
likelihoods, the precision of the residuals and their draws; all gradients against differences.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayeslmm.covariance import Patterned
from bayeslmm.gaussian.by_roots import ByRoots
from bayeslmm.gaussian.likelihood import marginal_deviance
from bayeslmm.gaussian.noise import Noise, noise_of
from bayeslmm.gaussian.posterior import normal_prior
from bayeslmm.gaussian.profile import profile
from bayeslmm.gaussian.residual_density import ResidualDensity
from bayeslmm.gaussian.target import Target, target
from bayeslmm.gaussian.variances import Variances, covariances_from_lambdas
from bayeslmm.linalg.differences import jacobian
from bayeslmm.model import prior_rows
from tests.unit.gaussian.structured import (
    EFFECTS,
    EXTRAS,
    RANDOM,
    RESIDUALS,
    Setting,
    effects_frame,
    frame_of,
    positive,
    setting_of,
)
from tests.unit.gaussian.test_gradients import assert_gradient, differences

QUICK = {("both", "weights"), ("nested", "missing"), ("crossed", "known sd"), ("alone", "plain")}
SOME = ("us", "ar1 het", "toep het", "exp nugget", "fa het", "diag and both")
CASES = [
    pytest.param(*(name, random, extra), marks=() if quick else pytest.mark.slow)
    for name, case in RESIDUALS.items()
    for random in RANDOM
    for extra in EXTRAS
    if extra != "known sd" or not (case.strata or case.functions)
    for quick in [
        (random, extra) == ("both", "weights") or ((random, extra) in QUICK and name in SOME)
    ]
]
FRAME, TWICE = frame_of(), effects_frame()


def points(t: Target, size: int, seed: int = 0, spread: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return t.start() + spread * rng.normal(size=(size, t.dimension))


def variances_at(s: Setting, t: Target, psi: np.ndarray) -> Variances:
    """What one psi says, patterned covariances entry by entry from natural numbers."""
    read, sigma2 = t.read(psi[None])
    covariances = [np.zeros((1, b.n_coefs, b.n_coefs)) for b in s.model.design.blocks]
    for i, term in enumerate(s.model.terms):
        own = np.ix_([0], term.columns, term.columns)
        sd = read.sd[i][0]
        if isinstance(term.structure, Patterned):
            covariances[term.block][own] = s.covariance_of_effects(i, sd, read.values[i][0])
        else:
            T = term.centred.T if term.at_centre else np.eye(len(sd))
            inside = read.correlation[i][0] * np.outer(sd, sd)
            covariances[term.block][own] = T @ inside @ T.T
    return Variances(tuple(covariances), np.sqrt(sigma2), t.delta(psi[None]))


def density(s: Setting, at: Variances) -> float:
    """log p(y | variances), coefficients under their normal priors, by an n x n normal."""
    dense, rows = s.dense(at), prior_rows(s.model)
    half = dense.X @ np.linalg.inv(rows.rows)
    covariance = (half * rows.scale**2) @ half.T + dense.V.astype(float)
    return float(stats.multivariate_normal.logpdf(dense.y, half @ rows.location, covariance))


def natural(t: Target, psi: np.ndarray) -> np.ndarray:
    """Free standard deviations, correlations and patterns' numbers at S points."""
    read, sigma2 = t.read(psi)
    parts = []
    for i, term in enumerate(t.model.terms):
        k = len(term.columns)
        parts.append(read.sd[i][:, list(term.structure.free_sds(k))])
        parts.append(read.values[i])
        if term.cor_key:
            parts.append(read.correlation[i][:, *np.tril_indices(k, -1)])
    sigma = np.sqrt(sigma2)[:, None]
    residual, delta = t.model.residual, t.delta(psi)
    ratios = np.ones((len(psi), 1))
    if residual is not None and delta is not None:
        ratios, values, _ = residual.natural(delta)
        parts.append(values)
    return np.concatenate([*([] if t.model.sigma_known else [sigma * ratios]), *parts], axis=1)


def log_prior(s: Setting, t: Target, psi: np.ndarray) -> float:
    """Priors of the natural numbers, and the Jacobian of those by differences."""
    model, (read, sigma2) = s.model, t.read(psi[None])
    slope = jacobian(lambda z: natural(t, z), psi)
    assert slope.shape[0] == slope.shape[1]
    total = float(np.linalg.slogdet(slope)[1])
    for i, term in enumerate(model.terms):
        for c, key in zip(term.structure.free_sds(len(term.columns)), term.sd_keys, strict=True):
            total += float(model.priors[key].log_density(read.sd[i][0, c]))
        for value, key in zip(read.values[i][0], term.par_keys, strict=True):
            total += float(model.priors[key].log_density(value))
        if term.cor_key:
            total += float(model.priors[term.cor_key].log_density(read.correlation[i])[0])
    sigmas, numbers = s.natural(t.delta(psi[None]), float(np.sqrt(sigma2[0])))
    for key in model.sigma_keys:
        label = key.partition("[")[2].removesuffix("]")
        total += float(model.priors[key].log_density(sigmas[label]))
    for key in model.residual_keys:
        value = numbers[key.partition("[")[2].removesuffix("]")]
        total += float(model.priors[key].log_density(value))
    if model.residual_cor_key:
        labels = model.residual.correlated.places.labels
        R = np.eye(len(labels))
        for i, a in enumerate(labels):
            for j, b in enumerate(labels[:i]):
                R[i, j] = R[j, i] = numbers[f"cor({b},{a})"]
        total += float(model.priors[model.residual_cor_key].log_density(R[None])[0])
    return total


def agrees(s: Setting) -> None:
    """Batched values are the textbook's density plus the prior's."""
    t = target(s.model)
    psi = points(t, 2)
    found = t(psi)
    for one, value in zip(psi, found, strict=True):
        expected = density(s, variances_at(s, t, one))
        likelihood = t.at(one[None]).log_density[0] - t._read(one[None]).log_prior[0]
        assert likelihood == pytest.approx(expected, rel=1e-9)
        assert value - expected == pytest.approx(log_prior(s, t, one), abs=2e-5)


@pytest.mark.parametrize(("name", "random", "extra"), CASES)
def test_residual_patterns_have_the_textbooks_density(name, random, extra):
    agrees(setting_of(RANDOM[random], FRAME, extra, RESIDUALS[name]))


@pytest.mark.parametrize("more", ["", " + (1 | item)"], ids=["alone", "crossed"])
@pytest.mark.parametrize("extra", [pytest.param("plain", marks=pytest.mark.slow), "weights"])
@pytest.mark.parametrize("name", EFFECTS)
def test_effects_patterns_have_the_textbooks_density(name, extra, more):
    agrees(setting_of(f"y ~ x + {EFFECTS[name]}{more}", TWICE, extra))


BOTH = {
    "ar1 on both sides": ("ar1(0 + t | g)", "ar1 of rows"),
    "us and cs": ("us(0 + o | g)", "cs of rows"),
    "exp and diag": ("exp(0 + t | g) + (1 | item)", "diag"),
    "cs of slopes and car1": ("cs(1 + x + z | g)", "car1"),
    "fa and variance functions": ("fa(0 + o | g, k=1)", "diag and both"),
}


@pytest.mark.parametrize("name", BOTH)
def test_patterns_on_both_sides(name):
    term, residual = BOTH[name]
    agrees(setting_of(f"y ~ x + {term}", TWICE, "weights", RESIDUALS[residual]))


MATRIX = positive(len(FRAME), 5)
SHUFFLED = MATRIX[np.ix_(*[np.random.default_rng(0).permutation(len(FRAME))] * 2)]
KNOWN = {**RANDOM, "three": "y ~ x + (1 | g) + (1 | item) + (0 + z | o)"}


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("random", KNOWN)
def test_a_known_matrix_has_the_textbooks_density(random, extra):
    agrees(setting_of(KNOWN[random], FRAME, extra, residual=SHUFFLED))


def test_the_order_of_rows_does_not_matter():
    order = np.random.default_rng(7).permutation(len(FRAME))
    for name in ("ar1", "us", "exp nugget", "toep het", "diag and both"):
        case = RESIDUALS[name]
        one = setting_of(RANDOM["both"], FRAME, "weights", case)
        other = setting_of(RANDOM["both"], FRAME.iloc[order], "weights", case)
        t, u = target(one.model), target(other.model)
        psi = points(t, 3)
        np.testing.assert_allclose(t(psi), u(psi), rtol=1e-10)


# -- gradients


def slopes_agree(s: Setting) -> None:
    t = target(s.model)
    psi = points(t, 1, seed=3)[0]
    value, gradient = t.value_and_gradient(psi)
    assert value == pytest.approx(t(psi[None])[0], rel=1e-10)
    assert_gradient(gradient, differences(lambda z: float(t(z[None])[0]), psi), 2e-6)


def profiles_agree(s: Setting) -> None:
    for reml in (False, True):
        problem = profile(s.model, reml=reml)
        rng = np.random.default_rng(5)
        x = problem.identity + 0.2 * rng.normal(size=len(problem.identity))
        value, slope = problem(x)
        factor = problem.at(x)
        sigma = np.sqrt([problem.sigma2(factor)])
        about = problem.equations.moments.coordinates
        delta = None if s.model.residual is None else factor.lambdas[-1][:, 0]
        covariances = covariances_from_lambdas(about, factor.lambdas, sigma)
        dense = s.dense(Variances(covariances, sigma, delta))
        assert value == pytest.approx(dense.reml() if reml else dense.ml(), rel=1e-9)
        assert_gradient(slope, differences(lambda z, f=problem: f(z)[0], x), 5e-6)
        for i, term in enumerate(s.model.terms):
            if isinstance(term.structure, Patterned):
                own = np.array(term.columns)
                found = covariances[term.block][0][own[:, None], own]
                first = sum(other.n_parameters for other in s.model.terms[:i])
                theta = x[None, first : first + term.n_parameters]
                values = term.structure.natural(theta, len(own))[0]
                expected = s.covariance_of_effects(i, np.sqrt(np.diag(found)), values)
                np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12)


def roots_agree(s: Setting) -> None:
    """The likelihood over users' numbers: sigmas and patterns' parameters on natural scales."""
    t = target(s.model)
    by_roots = ByRoots(t)
    psi = points(t, 1, seed=4)[0]
    point = t.at(psi[None])
    prior = normal_prior(t.rows, t.equations.moments.coordinates, np.empty((1, 0)), 1)
    expected = -0.5 * float(marginal_deviance(point.factor, point.sigma2, prior)[0])
    tail = [] if s.model.sigma_known else [np.sqrt(point.sigma2)]
    residual, delta = s.model.residual, t.delta(psi[None])
    if residual is not None and delta is not None:
        ratios, values, _ = residual.natural(delta)
        tail = [*([] if s.model.sigma_known else [tail[0] * ratios[0]]), values[0]]
    x = np.concatenate([*(f[0].ravel() for f in point.read.factors), *tail])
    value, gradient = by_roots.value_and_gradient(x)
    assert value == pytest.approx(expected, rel=1e-9)
    found = differences(lambda v: by_roots.value_and_gradient(v)[0], x, 1e-4)
    assert_gradient(gradient, found, 2e-5)


CHECKS = (slopes_agree, profiles_agree, roots_agree)


def of_gradients(name: str, random: str, check: object) -> object:
    """By default one design a structure, and every derivative of some structures."""
    quick = random == "nested" and (check is slopes_agree or name in SOME)
    quick |= random == "crossed" and check is slopes_agree and name in SOME
    return pytest.param(name, random, check, marks=() if quick else pytest.mark.slow)


SLOPES = [of_gradients(n, r, c) for n in RESIDUALS for r in ("nested", "crossed") for c in CHECKS]


@pytest.mark.parametrize(("name", "random", "check"), SLOPES)
def test_gradients_under_residual_patterns(name, random, check):
    check(setting_of(RANDOM[random], FRAME, "weights", RESIDUALS[name]))


OF_EFFECTS = [
    pytest.param(
        n, c, marks=() if c is profiles_agree or n in ("fa het", "exp") else pytest.mark.slow
    )
    for n in EFFECTS
    for c in CHECKS
]


@pytest.mark.parametrize(("name", "check"), OF_EFFECTS)
def test_gradients_under_effects_patterns(name, check):
    check(setting_of(f"y ~ x + {EFFECTS[name]}", TWICE))


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(("random", "extra"), [("alone", "weights"), ("both", "known sd")])
def test_gradients_under_a_known_matrix(random, extra, check):
    check(setting_of(RANDOM[random], FRAME, extra, residual=SHUFFLED))


@pytest.mark.parametrize("name", ["ar1", pytest.param("toep", marks=pytest.mark.slow)])
def test_gradients_where_sds_are_known(name):
    for random in ("alone", "both"):
        s = setting_of(RANDOM[random], FRAME, "known sd", RESIDUALS[name])
        for check in (slopes_agree, profiles_agree, roots_agree):
            check(s)


# -- the residuals by themselves


def noise_and_matrix(s: Setting, seed: int) -> tuple[Noise, np.ndarray, np.ndarray, float]:
    """The noise, its coordinates, R over sigma² in the noise's order of rows, and sigma."""
    noise = noise_of(s.model)
    assert noise is not None
    rng = np.random.default_rng(seed)
    delta = noise.residual.start + 0.4 * rng.normal(size=noise.residual.size)
    sigma = 1.0 if s.model.sigma_known else 0.7
    place = np.searchsorted(np.flatnonzero(s.model.used), noise.rows)
    R = s.R(delta[None], sigma)[np.ix_(place, place)]
    return noise, delta, R / sigma**2, sigma


@pytest.mark.parametrize("name", [*RESIDUALS, "matrix"])
def test_whitening_precision_and_draws_are_those_of_the_matrix(name):
    residual = SHUFFLED if name == "matrix" else None
    s = setting_of("y ~ x", FRAME, "weights", RESIDUALS.get(name), residual=residual)
    noise, delta, R, _ = noise_and_matrix(s, 2)
    n = len(R)
    log_det, white = noise.whiten(np.stack([delta, noise.residual.start]), np.eye(n))
    assert log_det[0] == pytest.approx(0.5 * np.linalg.slogdet(R)[1], abs=1e-9)
    np.testing.assert_allclose(white[0] @ R @ white[0].T, np.eye(n), atol=1e-9)
    inverse = np.linalg.inv(R)
    i, j = noise.pattern
    entries = np.zeros((n, n))
    entries[i, j] = noise.precision(delta[None])[0]
    np.testing.assert_allclose(entries, inverse, atol=1e-8 * np.abs(inverse).max())
    assert len(np.unique(i * n + j)) == len(i)
    root = noise.draw(np.repeat(delta[None], n, axis=0), np.eye(n)).T
    np.testing.assert_allclose(root @ root.T, R, atol=1e-10 * np.abs(R).max())


@pytest.mark.parametrize("extra", ["weights", pytest.param("known sd", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [*RESIDUALS, "matrix"])
def test_density_of_residuals_and_its_gradient(name, extra):
    case = RESIDUALS.get(name)
    if extra == "known sd" and case is not None and (case.strata or case.functions):
        extra = "plain"
    residual = SHUFFLED if name == "matrix" else None
    s = setting_of("y ~ x", FRAME, extra, case, residual=residual)
    noise, delta, _, sigma = noise_and_matrix(s, 3)
    place = np.searchsorted(np.flatnonzero(s.model.used), noise.rows)
    density = ResidualDensity(noise, place, s.model.sigma_known)
    e = np.random.default_rng(1).normal(size=len(place))
    sigmas, par = s.natural(delta[None], sigma)
    tail = [] if s.model.sigma_known else list(sigmas.values())
    x = np.concatenate([e, tail, list(par.values())])
    value, gradient = density.value_and_gradient(x)
    expected = stats.multivariate_normal.logpdf(e, np.zeros(len(e)), s.R(delta[None], sigma))
    assert value == pytest.approx(expected, rel=1e-9)
    some = np.array([0, 5, *range(len(e) - 1, len(x))])  # a few residuals, every number

    def value_at(part: np.ndarray) -> float:
        moved = x.copy()
        moved[some] = part
        return density.value_and_gradient(moved)[0]

    assert_gradient(gradient[some], differences(value_at, x[some], 1e-4), 1e-5)
    solved = np.linalg.solve(s.R(delta[None], sigma), e)
    np.testing.assert_allclose(gradient[: len(e)], -solved, rtol=1e-7, atol=1e-9)


def test_outside_the_domain_nothing_is_raised():
    for name in ("us", "ar1", "toep", "exp nugget", "matern", "arma"):
        s = setting_of(RANDOM["both"], FRAME, "plain", RESIDUALS[name])
        t = target(s.model)
        for size in (15.0, 60.0, 190.0):
            psi = points(t, 20, spread=size)
            found = t(psi)
            assert np.all(np.isfinite(found) | (found == -np.inf))
            for one in psi[:3]:
                value, gradient = t.value_and_gradient(one)
                assert not np.isnan(value)
                assert np.all(np.isfinite(gradient))


def test_gaps_count_in_steps_of_the_greatest_common_spacing():
    """Occasions 1, 2, 3, 5 and halves of them; a group with 2 and 5 only has lag 3."""
    frame = pd.DataFrame({"y": [1.0, 2.0, 0.5, 3.0, 1.5], "g": list("aabbb")})
    for t in ([2, 5, 1, 2, 3], [0.2, 0.5, 0.1, 0.2, 0.3], [-40, 260, -140, -40, 60]):
        s = setting_of("y ~ 1", frame.assign(t=np.array(t, dtype=float)), residual="ar1(t | g)")
        noise = noise_of(s.model)
        assert noise is not None
        rho = 0.6
        delta = noise.residual.delta(np.ones((1, 1)), np.array([[rho]]))
        L = noise.draw(np.repeat(delta, 5, axis=0), np.eye(5)).T
        assert noise.rows.tolist() == [0, 1, 2, 3, 4]
        expected = np.zeros((5, 5))
        expected[:2, :2] = [[1, rho**3], [rho**3, 1]]
        expected[2:, 2:] = [[1, rho, rho**2], [rho, 1, rho], [rho**2, rho, 1]]
        np.testing.assert_allclose(L @ L.T, expected, atol=1e-12)

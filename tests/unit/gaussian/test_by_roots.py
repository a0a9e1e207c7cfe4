"""The marginal likelihood in users' roots: against dense normal densities, and its gradient."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import stats

from bayeslmm.gaussian.by_roots import ByRoots
from bayeslmm.gaussian.likelihood import marginal_deviance
from bayeslmm.gaussian.posterior import normal_prior
from bayeslmm.gaussian.target import Target, target
from bayeslmm.gaussian.variances import Variances
from bayeslmm.model import Model, prior_rows
from tests.unit.gaussian.designs import (
    DESIGNS,
    EXTRAS,
    SEVERAL_FACTORS,
    build,
    random_variances,
    system_of,
)
from tests.unit.gaussian.oracle import dense_of

PRIORS = {
    "normal": None,
    "flat": "flat",
    "student": {"beta": "student_t(3, 1, 2)", "Intercept": "cauchy(2, 3)"},
}


def roots_of(at: Variances) -> list[np.ndarray]:
    """Lower triangular roots of the first point's covariances."""
    return [np.linalg.cholesky(c[0] + 1e-12 * np.eye(len(c[0]))) for c in at.covariances]


def vector_of(density: ByRoots, at: Variances, multiplier: np.ndarray) -> np.ndarray:
    sigma = [at.sigma[0]] if density.has_sigma else []
    return np.concatenate([*(r.ravel() for r in roots_of(at)), sigma, multiplier])


def by_dense(model: Model, at: Variances, multiplier: np.ndarray) -> float:
    """log p(y | .) by the n x n normal density; flat coefficients integrated over with density 1.

    Statements r'beta ~ N(l, s²) about all coefficients are one normal of beta.
    """
    dense, rows = dense_of(model, at), prior_rows(model)
    if not len(rows.scale):
        return -0.5 * dense.reml()
    variance = rows.scale**2
    variance[rows.heavy] /= multiplier
    half = dense.X @ np.linalg.inv(rows.rows)
    mean, cov = half @ rows.location, (half * variance) @ half.T + dense.V.astype(float)
    return float(stats.multivariate_normal.logpdf(dense.y, mean, cov))


def densities(name: str, model: Model) -> list[ByRoots]:
    """Every road that a design can take."""
    if name not in SEVERAL_FACTORS:
        return [ByRoots(target(model))]
    rows = prior_rows(model).on(model.columns)
    systems = [system_of(model, rest, model.columns) for rest in ("sparse", "dense")]
    return [ByRoots(Target(model, system, rows)) for system in systems]


CASES = [
    (name, extra, priors)
    for name in DESIGNS
    for extra in EXTRAS
    for priors in PRIORS
    if name != "no fixed part" or priors == "normal"  # else there is nothing to give them to
]


@pytest.mark.parametrize(("name", "extra", "priors"), CASES)
def test_value_is_the_dense_density_and_gradient_its_slope(name, extra, priors):
    given = PRIORS[priors]
    if name == "categorical" and isinstance(given, dict):
        given = {"beta": given["beta"]}  # it has no intercept
    model = build(DESIGNS[name], extra, priors=given)
    at = random_variances(model, seed=3)
    at = Variances(tuple(c + 0.05 * np.eye(c.shape[1]) for c in at.covariances), at.sigma)
    for density in densities(name, model):
        multiplier = np.linspace(0.5, 2.0, len(density.target.rows.heavy))
        x = vector_of(density, at, multiplier)
        assert x.shape == (density.size,)
        kept = x.copy()
        value, gradient = density.value_and_gradient(x)
        assert np.array_equal(x, kept)
        assert value == pytest.approx(by_dense(model, at, multiplier), rel=1e-9)
        steps = 1e-5 * np.maximum(np.abs(x), 0.1)
        by_differences = [
            (density.value_and_gradient(x + e)[0] - density.value_and_gradient(x - e)[0]) / (2 * h)
            for e, h in zip(np.diag(steps), steps, strict=True)
        ]
        scale = 1 + np.abs(gradient).max(initial=0.0)
        assert gradient == pytest.approx(np.array(by_differences), abs=1e-6 * scale)


@pytest.mark.parametrize("name", ["slopes", "crossed", "three factors"])
def test_value_is_the_targets_without_prior_and_jacobian(name):
    model = build(DESIGNS[name], priors=PRIORS["student"])
    rng = np.random.default_rng(0)
    for density in densities(name, model):
        t = density.target
        for _ in range(3):
            psi = t.start() + rng.normal(size=t.dimension)
            point = t.at(psi[None])
            multiplier = np.exp(psi[t.dimension - len(t.rows.heavy) :])
            prior = normal_prior(t.rows, t.equations.moments.coordinates, multiplier[None], 1)
            expected = -0.5 * float(marginal_deviance(point.factor, point.sigma2, prior)[0])
            roots = [f[0].ravel() for f in point.read.factors]
            x = np.concatenate([*roots, np.sqrt(point.sigma2), multiplier])
            assert density.value_and_gradient(x)[0] == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("name", ["intercepts", "slopes", "crossed"])
def test_any_root_will_do_and_a_singular_one_too(name):
    model = build(DESIGNS[name])
    at = random_variances(model, seed=3)
    zero = Variances(tuple(np.zeros_like(c) for c in at.covariances), at.sigma)
    for density in densities(name, model):
        x = vector_of(density, at, np.empty(0))
        turned, place = x.copy(), 0
        for k in density.shapes:
            q, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(k, k)))
            turned[place : place + k * k] = (x[place : place + k * k].reshape(k, k) @ q).ravel()
            place += k * k
        value = density.value_and_gradient(x)[0]
        assert density.value_and_gradient(turned)[0] == pytest.approx(value, rel=1e-12)
        none = np.concatenate([np.zeros(place), at.sigma])
        value, gradient = density.value_and_gradient(none)
        assert value == pytest.approx(by_dense(model, zero, np.empty(0)), rel=1e-9)
        assert np.array_equal(gradient[:place], np.zeros(place))  # even in every root


@pytest.mark.parametrize("name", ["slopes", "crossed"])
def test_outside_the_domain_there_is_no_density_and_no_error(name):
    model = build(DESIGNS[name], priors=PRIORS["student"])
    at = random_variances(model, seed=3)
    for density in densities(name, model):
        x = vector_of(density, at, np.ones(len(density.target.rows.heavy)))
        place = sum(k * k for k in density.shapes)
        assert np.isfinite(density.value_and_gradient(x)[0])
        for where in (0, place, place + 1):
            for bad in (np.nan, np.inf, *((-1.0, 0.0) if where else ())):
                outside = x.copy()
                outside[where] = bad
                value, gradient = density.value_and_gradient(outside)
                assert value == -np.inf
                assert np.array_equal(gradient, np.zeros(density.size))
        huge = np.where(np.arange(len(x)) < place, 1e200, x)
        value, gradient = density.value_and_gradient(huge)
        assert not np.isnan(value) and np.all(np.isfinite(gradient))


def test_it_travels_to_other_processes():
    density = ByRoots(target(build(DESIGNS["crossed"])))
    x = vector_of(density, random_variances(density.target.model, seed=3), np.empty(0))
    value, gradient = density.value_and_gradient(x)
    again, same = pickle.loads(pickle.dumps(density)).value_and_gradient(x)
    assert again == value
    assert np.array_equal(same, gradient)

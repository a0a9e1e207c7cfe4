"""psi, the unconstrained coordinates: there and back, their Jacobian, and the evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import special

import bayeslmm as bl
from bayeslmm.design import identity
from bayeslmm.gaussian import target as target_module
from bayeslmm.gaussian import variances
from bayeslmm.gaussian.coordinates import Coordinates, coordinates
from bayeslmm.gaussian.target import Target, target
from bayeslmm.gaussian.variances import psi_of, read_psi
from bayeslmm.linalg.differences import jacobian
from bayeslmm.linalg.importance import sample
from bayeslmm.model import Model
from tests.unit.gaussian.designs import build, frame_of, random_variances


def about(model: Model) -> Coordinates:
    """The room's coordinates of a model, all fixed columns taken."""
    return coordinates(model, np.arange(model.design.p))


@pytest.fixture
def always_centred(monkeypatch: pytest.MonkeyPatch) -> None:
    """psi about the centre of the covariates wherever the origin is."""
    monkeypatch.setattr(variances, "FAR", 0.0)


def uncentred(model: Model) -> Model:
    """The same model, its terms taken about the users' origin."""
    out = replace(model)
    terms = tuple(replace(t, centred=identity(len(t.columns))) for t in model.terms)
    out.__dict__["terms"] = terms  # a cached property
    return out


def test_covariances_to_psi_and_back(formula: str) -> None:
    model = build(formula)
    at = random_variances(model, 20)
    psi = psi_of(model, about(model), at.covariances)
    assert psi.shape[1] == model.n_variance_parameters - 1
    if not model.terms:
        return
    factors = read_psi(model, about(model), psi).factors
    for factor, cov in zip(factors, at.covariances, strict=True):
        np.testing.assert_allclose(factor @ factor.swapaxes(1, 2), cov, rtol=1e-6, atol=1e-8)


def test_jacobian_to_users_scales(formula: str) -> None:
    """Centred or not, log_jacobian is that of (free sds, correlations) by differences."""
    model = build(formula)
    d = model.n_variance_parameters - 1
    if d == 0:
        return

    def users(psi: np.ndarray) -> np.ndarray:
        read = read_psi(model, about(model), psi)
        parts = []
        for term, sd, cor in zip(model.terms, read.sd, read.correlation, strict=True):
            k = len(term.columns)
            parts.append(sd[:, list(term.structure.free_sds(k))])
            if term.cor_key:
                i, j = np.tril_indices(k, -1)
                parts.append(cor[:, i, j])
        return np.concatenate(parts, axis=1)

    psi = 0.5 * np.random.default_rng(22).standard_normal((3, d))
    found = read_psi(model, about(model), psi).log_jacobian
    for point, value in zip(psi, found, strict=True):
        assert value == pytest.approx(np.linalg.slogdet(jacobian(users, point))[1], abs=1e-6)


def test_density_does_not_depend_on_the_coordinates(always_centred: None) -> None:
    """At one covariance the densities differ by the ratio of the coordinates' Jacobians."""
    centred = build("y ~ x + z + (x + z | g)", priors=PROPER)
    assert variances.is_moved(about(centred), centred.terms[0])
    plain = uncentred(centred)
    at = random_variances(centred, 23)
    values = []
    for model in (centred, plain):
        psi = np.append(psi_of(model, about(model), at.covariances)[0], np.log(at.sigma))[None]
        values.append(
            target(model)(psi)[0] - read_psi(model, about(model), psi[:, :-1]).log_jacobian[0]
        )
    assert values[0] == pytest.approx(values[1], rel=1e-9)


PROPER = {"beta": "normal(0, 10)", "sd": "half_normal(2)", "sigma": "half_normal(2)"}


def evidence(density: Target, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    return sample(density, density.start(), rng, size=6_000).log_mean


def test_evidence_is_the_same_with_and_without_centring(always_centred: None) -> None:
    """THEORY: |dSigma'/dSigma| = 1. Within 5 Monte Carlo standard errors, which are small."""
    model = build("y ~ x + (x | g)", priors=PROPER)
    assert model.terms[0].centred.U[0, 1] > 0.5
    value, error = evidence(target(model), 1)
    other, other_error = evidence(target(uncentred(model)), 2)
    both = np.hypot(error, other_error)
    assert both < 0.03
    assert abs(value - other) < 5 * both


def test_evidence_without_the_jacobian_would_differ(
    always_centred: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check above has power: leave the gain of the Jacobian out, and it fails."""
    model = build("y ~ x + (x | g)", priors=PROPER)
    whole = variances.read_psi

    def without(model: Model, about: Coordinates, psi: np.ndarray) -> variances.PsiPoint:
        found = whole(model, about, psi)
        own = model.terms[0].structure.scales(psi[:, :3], 2).log_jacobian
        return replace(found, log_jacobian=own)

    monkeypatch.setattr(target_module, "read_psi", without)
    value, error = evidence(target(model), 1)
    other, other_error = evidence(target(uncentred(model)), 2)
    assert abs(value - other) > 5 * np.hypot(error, other_error)


def test_evidence_by_quadrature() -> None:
    """One variance and a known sigma: a one-dimensional integral, done by the trapezoid."""
    model = build(
        "y ~ x + (1 | g)", "known sd", priors={"beta": "normal(0, 10)", "sd": "half_normal(2)"}
    )
    density = target(model)
    grid = np.linspace(-14, 4, 4001)
    whole = special.logsumexp(density(grid[:, None])) + np.log(grid[1] - grid[0])
    value, error = evidence(density, 3)
    assert error < 0.02
    assert abs(value - whole) < 5 * error


def test_heavy_tailed_coefficient_is_the_mixture_integrated() -> None:
    """Student-t on a slope: the integral over log lambda is that over the slope's density.

    By quadrature over lambda on one side, and on the other over the slope as an offset.
    """
    heavy = {
        "Intercept": "normal(0, 10)",
        "beta[x]": "student_t(4, 0.3, 0.6)",
        "sd": "half_normal(2)",
    }
    model = build("y ~ x + (1 | g)", "known sd", priors=heavy)
    density = target(model)
    assert density.dimension == 2
    log_lambda = np.linspace(-12, 6, 3001)
    psi = np.column_stack([np.full(3001, -0.2), log_lambda])
    found = special.logsumexp(density(psi)) + np.log(log_lambda[1] - log_lambda[0])
    without = {"Intercept": "normal(0, 10)", "sd": "half_normal(2)"}
    slope = np.linspace(-6, 6, 301)
    base = build("y ~ 1 + (1 | g)", "known sd", priors=without)
    prior = model.priors["beta[x]"].log_density(slope)
    x = model.design.X[:, 1]
    values = []
    for b in slope:
        moved = replace(base.design, y=base.design.y - b * x)
        values.append(target(replace(base, design=moved))(np.array([[-0.2]]))[0])
    expected = special.logsumexp(np.array(values) + prior) + np.log(slope[1] - slope[0])
    assert found == pytest.approx(expected, abs=1e-5)


def test_outside_of_the_numbers_there_is_no_density() -> None:
    density = target(build("y ~ x + (x | g)"))
    psi = np.array([[1e4, 0, 0, 0], [np.nan, 0, 0, 0], [0, 0, 0, -1e3], [0, 0, 0, 0]])
    values = density(psi)
    np.testing.assert_array_equal(np.isfinite(values), [False, False, False, True])
    assert np.all(values[:3] == -np.inf)


def test_psi_is_centred_only_where_the_origin_is_far() -> None:
    """Near the origin the users' own coordinates serve a user's prior; far from it they make a
    ridge. Default priors are at the centre, and psi with them."""
    frame = frame_of(0).assign(far=lambda t: t["x"] + 50.0)
    models = [
        bl.Model("y ~ x + (x | g)", frame, priors=PROPER).resolved,
        bl.Model("y ~ far + (far | g)", frame, priors=PROPER).resolved,
        bl.Model("y ~ x + (x | g)", frame).resolved,
    ]
    found = [
        variances.is_moved(target(model).equations.moments.coordinates, model.terms[0])
        for model in models
    ]
    assert found == [False, True, True]

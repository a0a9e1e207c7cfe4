"""One contract over every registered covariance structure."""

from __future__ import annotations

import numpy as np
import pytest

from bayeslmm.covariance import STRUCTURES, Structure, correlation_cholesky, partial_correlations
from bayeslmm.linalg.differences import jacobian

CASES = [(s, k) for s in STRUCTURES.values() for k in (1, 2, 3, 4)]
every = pytest.mark.parametrize(("structure", "k"), CASES, ids=[f"{s.name}-{k}" for s, k in CASES])


def points(structure: Structure, k: int, size: int = 5, spread: float = 0.7) -> np.ndarray:
    rng = np.random.default_rng(100 * k + len(structure.name))
    return spread * rng.standard_normal((size, structure.n_parameters(k)))


def covariances(structure: Structure, psi: np.ndarray, k: int) -> np.ndarray:
    root = structure.scales(psi, k).cholesky
    return root @ root.swapaxes(1, 2)


def free_quantities(structure: Structure, psi: np.ndarray, k: int) -> np.ndarray:
    """Free sds and, where there are parameters left for them, correlations, from Sigma alone."""
    sigma = covariances(structure, psi, k)
    sd = np.sqrt(np.einsum("sii->si", sigma))
    i, j = np.tril_indices(k, -1)
    free = list(structure.free_sds(k))
    parts = [sd[:, free]]
    if structure.n_parameters(k) > len(free):
        parts.append((sigma / (sd[:, :, None] * sd[:, None, :]))[:, i, j])
    return np.concatenate(parts, axis=1)


@every
def test_log_jacobian_is_that_of_differences(structure: Structure, k: int) -> None:
    psi = points(structure, k)
    found = structure.scales(psi, k).log_jacobian
    for point, value in zip(psi, found, strict=True):
        slopes = jacobian(lambda p: free_quantities(structure, p, k), point)
        assert slopes.shape[0] == slopes.shape[1] == structure.n_parameters(k)
        assert value == pytest.approx(np.linalg.slogdet(slopes)[1], abs=1e-6)


@every
def test_psi_to_covariance_and_back(structure: Structure, k: int) -> None:
    psi = points(structure, k)
    for point, sigma in zip(psi, covariances(structure, psi, k), strict=True):
        np.testing.assert_allclose(structure.psi(sigma), point, atol=1e-9)


@every
def test_scales_agree_with_each_other(structure: Structure, k: int) -> None:
    psi = points(structure, k)
    scales = structure.scales(psi, k)
    sigma = covariances(structure, psi, k)
    np.testing.assert_allclose(np.einsum("sii->si", sigma), scales.sd**2, rtol=1e-12)
    assert np.all(np.linalg.eigvalsh(sigma) > 0)
    off = sigma[:, ~np.eye(k, dtype=bool)]
    assert structure.correlated == bool(np.any(off != 0)) or k == 1


@every
def test_far_out_points_stay_finite(structure: Structure, k: int) -> None:
    """Samplers go there: correlations of one to the last digit, tiny and huge variances."""
    for size in (20.0, 60.0):
        scales = structure.scales(points(structure, k, spread=size), k)
        assert np.all(np.isfinite(scales.cholesky)) and np.all(np.isfinite(scales.log_jacobian))


@every
def test_start_is_the_identity(structure: Structure, k: int) -> None:
    start = structure.theta_start(k)
    assert start.shape == structure.theta_lower(k).shape == (structure.n_parameters(k),)
    np.testing.assert_array_equal(structure.factor(start[None], k)[0], np.eye(k))


@every
def test_factor_is_linear_and_triangular(structure: Structure, k: int) -> None:
    a, b = points(structure, k, size=2)
    one, other, mixed = structure.factor(np.stack([a, b, 2 * a - 3 * b]), k)
    np.testing.assert_allclose(mixed, 2 * one - 3 * other, atol=1e-14)
    np.testing.assert_array_equal(np.triu(one, 1), 0.0)


@every
def test_bounds_keep_the_diagonal_from_being_negative(structure: Structure, k: int) -> None:
    lower = structure.theta_lower(k)
    at_bound = np.where(np.isfinite(lower), lower, 0.3)
    diagonal = np.diag(structure.factor(at_bound[None], k)[0])
    np.testing.assert_array_equal(diagonal, 0.0)


@every
def test_units_of_theta_are_those_of_the_coefficients(structure: Structure, k: int) -> None:
    """theta in the unit of its row is the factor of the coefficients in their units."""
    theta = points(structure, k, size=1)
    unit = structure.theta_unit(np.full(k, 2.5))
    found = structure.factor(theta * unit, k)
    np.testing.assert_allclose(found, 2.5 * structure.factor(theta, k))
    if structure.name != "id":
        scale = np.arange(1.0, k + 1)
        found = structure.factor(theta * structure.theta_unit(scale), k)[0]
        np.testing.assert_allclose(found, np.diag(scale) @ structure.factor(theta, k)[0])


@every
def test_every_theta_is_reached_from_some_covariance(structure: Structure, k: int) -> None:
    """theta and psi speak of the same set: the covariance of a psi is that of some theta."""
    (point,) = points(structure, k, size=1)
    sigma = covariances(structure, point[None], k)[0]
    columns = [structure.factor(e[None], k)[0].ravel() for e in np.eye(structure.n_parameters(k))]
    root = np.linalg.cholesky(sigma).ravel()
    theta, *_ = np.linalg.lstsq(np.array(columns).T, root, rcond=None)
    np.testing.assert_allclose(structure.factor(theta[None], k)[0].ravel(), root, atol=1e-10)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_partial_correlations_are_those_of_regression(k: int) -> None:
    """c_ij is the correlation of i and j given all before j, by the inverse covariance."""
    z = 0.6 * np.random.default_rng(k).standard_normal((1, k * (k - 1) // 2))
    factor = correlation_cholesky(z, k)[0][0]
    R = factor @ factor.T
    found = partial_correlations(factor)
    np.testing.assert_allclose(found, np.tanh(z[0]), atol=1e-12)
    pairs = [(i, j) for i in range(1, k) for j in range(i)]
    for value, (i, j) in zip(found, pairs, strict=True):
        chosen = [*range(j), j, i]
        precision = np.linalg.inv(R[np.ix_(chosen, chosen)])
        expected = -precision[-1, -2] / np.sqrt(precision[-1, -1] * precision[-2, -2])
        assert value == pytest.approx(expected, abs=1e-10)

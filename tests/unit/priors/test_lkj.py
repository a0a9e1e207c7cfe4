"""The LKJ density: its normaliser, its draws, and its partial correlations' Jacobian."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from bayeslmm.covariance import correlation_cholesky
from bayeslmm.errors import PriorError
from bayeslmm.priors import LKJ


def uniform_matrices(k: int, size: int, seed: int) -> np.ndarray:
    """Symmetric matrices of unit diagonal with uniform entries in (-1, 1), shape (size, k, k)."""
    rng = np.random.default_rng(seed)
    out = np.broadcast_to(np.eye(k), (size, k, k)).copy()
    i, j = np.tril_indices(k, -1)
    out[:, i, j] = out[:, j, i] = rng.uniform(-1, 1, (size, len(i)))
    return out


@pytest.mark.parametrize("eta", [0.6, 1.0, 2.0, 7.5])
def test_normaliser_of_one_correlation_by_quadrature(eta: float) -> None:
    whole = integrate.quad(lambda r: (1 - r * r) ** (eta - 1), -1, 1)[0]
    assert LKJ(eta).log_normaliser(2) == pytest.approx(np.log(whole), abs=1e-7)


@pytest.mark.parametrize(("k", "volume"), [(3, np.pi**2 / 2), (4, 32 * np.pi**2 / 27)])
def test_volume_of_correlation_matrices(k: int, volume: float) -> None:
    """At eta = 1 the normaliser is the volume of the set of k x k correlation matrices.

    The volumes are Rousseeuw & Molenberghs' (1994, Am. Stat. 48, 276).
    """
    assert LKJ(1.0).log_normaliser(k) == pytest.approx(np.log(volume), abs=1e-12)


@pytest.mark.parametrize("k", [3, 4])
@pytest.mark.parametrize("eta", [1.5, 3.0])
def test_normaliser_by_monte_carlo(k: int, eta: float) -> None:
    """Mean of det(R)^(eta - 1) over the cube of correlations, within 5 standard errors."""
    values = np.linalg.eigvalsh(uniform_matrices(k, 100_000, seed=k))
    height = np.where(values[:, 0] > 0, np.prod(np.maximum(values, 0), axis=1), 0.0) ** (eta - 1)
    height[values[:, 0] <= 0] = 0.0
    cube = 2.0 ** (k * (k - 1) / 2)
    error = cube * height.std(ddof=1) / np.sqrt(len(height))
    assert abs(cube * height.mean() - np.exp(LKJ(eta).log_normaliser(k))) < 5 * error


@pytest.mark.parametrize(("k", "eta"), [(2, 2.0), (3, 1.0), (4, 0.8)])
def test_every_correlation_of_the_draws_is_a_beta(k: int, eta: float) -> None:
    """r ~ Beta(eta - 1 + k/2, same) on (-1, 1), whatever its place in the vine (LKJ, sec. 3.1)."""
    partial = LKJ(eta).draw_partial(np.random.default_rng(5), k, 4000)
    factor, _ = correlation_cholesky(np.arctanh(partial), k)
    R = factor @ factor.swapaxes(1, 2)
    marginal = stats.beta(eta - 1 + k / 2, eta - 1 + k / 2, loc=-1, scale=2)
    for i, j in zip(*np.tril_indices(k, -1), strict=True):
        assert stats.kstest(R[:, i, j], marginal.cdf).pvalue > 1e-4


@pytest.mark.parametrize(("k", "eta"), [(2, 0.7), (3, 2.0), (4, 1.0), (4, 3.0)])
def test_density_of_unconstrained_coordinates_integrates_to_one(k: int, eta: float) -> None:
    """p(R) |dR/dz| over z, by Monte Carlo over uniform partial correlations, 5 standard errors."""
    c = np.random.default_rng(6).uniform(-1, 1, (50_000, k * (k - 1) // 2))
    factor, log_jacobian = correlation_cholesky(np.arctanh(c), k)
    R = factor @ factor.swapaxes(1, 2)
    log_p = LKJ(eta).log_density(R) + log_jacobian - np.log1p(-(c**2)).sum(axis=1)
    weight = np.exp(log_p) * 2.0 ** c.shape[1]
    error = weight.std(ddof=1) / np.sqrt(len(weight))
    assert abs(weight.mean() - 1) < 5 * error < 0.1


def test_lkj_has_no_draws_without_a_size() -> None:
    with pytest.raises(PriorError, match="draw_partial"):
        LKJ(2.0).draw(np.random.default_rng(0), 3)

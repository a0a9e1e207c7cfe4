"""The parts of the importance sampler: mode, mixture and warp, against plain formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from bayeslmm.linalg.learn import first_mixture, learn, split
from bayeslmm.linalg.mode import (
    LEAST_CURVATURE,
    MOST,
    MOST_CONDITION,
    MOST_EACH,
    Differenced,
    find_mode,
    most_gradients,
)
from bayeslmm.linalg.proposal import mixture
from bayeslmm.linalg.warp import LEAST_BEND, MOST_BEND, Warp, fit_warp

COVARIANCE = np.array([[4.0, -1.0], [-1.0, 0.5]])


def gaussian(x: np.ndarray) -> np.ndarray:
    z = x - [3.0, -2.0]
    return -0.5 * np.einsum("si,ij,sj->s", z, np.linalg.inv(COVARIANCE), z)


class LogGamma:
    """The log of Gamma(a) variables with the exact gradient; −inf above 50."""

    def __init__(self, shape: np.ndarray) -> None:
        self.shape = shape
        self.gradients = 0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            value = np.sum(self.shape * x - np.exp(x), axis=1)
        return np.where(np.all(x < 50, axis=1), value, -np.inf)

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        self.gradients += 1
        return float(self(x[None])[0]), self.shape - np.exp(x)


def random_mixture(d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(d)
    factors = np.tril(0.3 * rng.normal(size=(3, d, d))) + np.eye(d)
    return rng.normal(size=(3, d)), factors, np.array([0.2, 0.5, 0.3])


def test_mode_and_curvature_of_a_gaussian() -> None:
    found = find_mode(Differenced(gaussian), np.zeros(2))
    np.testing.assert_allclose(found.x, [3, -2], atol=1e-4)
    np.testing.assert_allclose(found.covariance, COVARIANCE, rtol=1e-4)
    assert found.value == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("start", [-8.0, 0.0, 20.0])
def test_mode_of_a_skewed_density_from_both_sides(start: float) -> None:
    """From a flat tail and from a cliff, whose values are −1e8 and more: log a, curvature a."""
    density = LogGamma(np.array([0.5, 3.0, 200.0]))
    found = find_mode(density, np.full(3, start))
    # within a twentieth of the standard deviation, and the curvature as near as that implies
    assert np.all(np.abs(found.x - np.log(density.shape)) < 0.05 / np.sqrt(density.shape))
    np.testing.assert_allclose(found.covariance, np.diag(1 / density.shape), rtol=0.2, atol=1e-3)
    assert density.gradients < 80


def test_a_direction_without_curvature_has_a_bounded_scale() -> None:
    found = find_mode(Differenced(lambda x: -0.5 * x[:, 0] ** 2), np.array([1.0, 0.0]))
    np.testing.assert_allclose(np.diag(found.covariance), [1, 1 / LEAST_CURVATURE], rtol=1e-4)


def test_a_rough_density_ends_the_climb() -> None:
    """A slope that promises a rise everywhere, and values that jump: the climb is cut."""
    rough = Rough()
    found = find_mode(rough, np.zeros(3))
    assert MOST + 3 * MOST_EACH <= rough.gradients <= most_gradients(3)
    assert np.isfinite(found.value)


class Rough(LogGamma):
    """Values and gradients that have nothing to do with each other."""

    def __init__(self) -> None:
        super().__init__(np.ones(3))

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        self.gradients += 1
        rng = np.random.default_rng(self.gradients)
        return float(rng.normal()) + 0.1 * self.gradients, 1e3 * rng.normal(size=3)


def test_a_ridge_beyond_rounding_has_a_covariance_with_a_factor() -> None:
    """Curvatures from 1 to 1e17, turned: an inverse alone would be singular in doubles."""
    turn = np.linalg.qr(np.random.default_rng(6).normal(size=(3, 3)))[0]
    H = (turn * [1e17, 1.0, 1.0]) @ turn.T

    class Ridge:
        def __call__(self, x: np.ndarray) -> np.ndarray:
            return -0.5 * np.einsum("si,ij,sj->s", x, H, x)

        def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
            return float(self(x[None])[0]), -H @ x

    found = find_mode(Ridge(), np.zeros(3)).covariance
    assert np.linalg.cond(found) < 2 * MOST_CONDITION
    assert np.all(np.isfinite(np.linalg.cholesky(found)))


def test_no_density_at_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite at the starting point"):
        find_mode(LogGamma(np.ones(1)), np.array([60.0]))


@pytest.mark.parametrize("d", [1, 2, 3, 6])
def test_density_of_a_mixture(d: int) -> None:
    """Against scipy's t densities; more points than one block holds."""
    means, factors, shares = random_mixture(d)
    made = mixture(means, factors, shares)
    x = np.random.default_rng(1).normal(size=(300, d)) * 3
    expected = sum(
        w * stats.multivariate_t(m, f @ f.T, df=nu).pdf(x)
        for w, m, f, nu in zip(shares, means, factors, made.nu, strict=True)
    )
    np.testing.assert_allclose(made.density(x), expected, rtol=1e-10)


def test_sums_are_those_of_expectation_maximisation() -> None:
    means, factors, shares = random_mixture(3)
    made = mixture(means, factors, shares)
    rng = np.random.default_rng(2)
    x, weights = rng.normal(size=(300, 3)), rng.random(300)
    sums, density = made.sums(x, weights)
    np.testing.assert_allclose(density, made.density(x), rtol=1e-12)
    parts = [
        w * stats.multivariate_t(m, f @ f.T, df=nu).pdf(x)
        for w, m, f, nu in zip(shares, means, factors, made.nu, strict=True)
    ]
    for k, part in enumerate(parts):
        steps = x - means[k]
        distance = np.sum(np.linalg.solve(factors[k], steps.T) ** 2, axis=0)
        share = weights * part / np.sum(parts, axis=0)
        robust = share * (made.nu[k] + 3) / (made.nu[k] + distance)
        np.testing.assert_allclose(sums.mass[k], share.sum(), rtol=1e-9)
        np.testing.assert_allclose(sums.robust[k], robust.sum(), rtol=1e-9)
        np.testing.assert_allclose(sums.first[k], robust @ steps, rtol=1e-8, atol=1e-10)
        squares = (steps * robust[:, None]).T @ steps
        np.testing.assert_allclose(sums.second[k], squares, rtol=1e-8, atol=1e-10)


def test_draws_of_a_mixture_follow_its_density() -> None:
    """Kolmogorov-Smirnov against the integrated density; p far from 0 for a fixed seed."""
    made = mixture(np.array([[-1.0], [2.0]]), np.array([[[1.0]], [[0.5]]]), np.array([0.4, 0.6]))
    x = made.draw(np.random.default_rng(3), 4000)[:, 0]
    grid = np.linspace(-300, 300, 600_001)
    cdf = integrate.cumulative_trapezoid(made.density(grid[:, None]), grid, initial=0)
    assert cdf[-1] == pytest.approx(1.0, abs=1e-3)
    assert stats.kstest(x, lambda v: np.interp(v, grid, cdf)).pvalue > 0.01


def test_learning_finds_two_bumps() -> None:
    """The components' mean log density of draws rises close to that of the truth."""
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.normal(-3, 1, (500, 2)), rng.normal(3, 0.5, (500, 2))])
    truth = 0.5 * stats.norm.pdf(x, -3, 1).prod(axis=1) + 0.5 * stats.norm.pdf(x, 3, 0.5).prod(1)
    weights = np.full(1000, 1e-3)
    found = learn(split(x, weights, rng), x, weights, truth, passes=20)
    before = first_mixture(np.cov(x.T)).density(x)
    gap = np.mean(np.log(truth / found.density(x)))
    assert gap < 0.3 < np.mean(np.log(truth / before))
    assert found.shares.sum() == pytest.approx(1.0)


def test_slope_of_the_warp() -> None:
    """Against differences of the map, on both sides of the mode."""
    warp = Warp(np.array([1.0, -2.0]), np.array([2.0, 0.1]), np.array([[1.0, 3.0], [2.0, 1.5]]))
    x = np.random.default_rng(5).normal(size=(50, 2)) * 3
    up, down = warp.forward(x + 1e-6)[0], warp.forward(x - 1e-6)[0]
    slopes = np.log(np.prod((up - down) / 2e-6, axis=1))
    np.testing.assert_allclose(warp.forward(x)[1], slopes, atol=1e-5)


def test_bends_follow_the_tails() -> None:
    """An exponential tail bends early, a Gaussian's tail and a cliff as late as allowed."""

    def f(x: np.ndarray) -> np.ndarray:
        return np.sum(0.2 * x - 0.2 * np.exp(x), axis=1)

    skewed = fit_warp(f, np.zeros(1), np.eye(1) / 0.2)
    assert LEAST_BEND <= skewed.bends[0, 0] < skewed.bends[1, 0] == MOST_BEND
    straight = fit_warp(gaussian, np.array([3.0, -2.0]), COVARIANCE)
    np.testing.assert_allclose(straight.bends, MOST_BEND)

"""Adaptive importance sampling on densities whose integral and moments are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

from bayeslmm.linalg.importance import Weighted, resample, sample

Density = Callable[[np.ndarray], np.ndarray]


def gaussian(x: np.ndarray) -> np.ndarray:
    """Unnormalised, correlated, off the origin and badly scaled: log integral 3 + log 20π."""
    z = (x - [100.0, -0.5]) / [10.0, 0.01]
    square = (z[:, 0] ** 2 - 2 * 0.8 * z[:, 0] * z[:, 1] + z[:, 1] ** 2) / (1 - 0.8**2)
    return 3.0 - 0.5 * square - 0.5 * np.log(1 - 0.8**2)


def banana(x: np.ndarray) -> np.ndarray:
    """A bent Gaussian: the bend has unit Jacobian, so the integral is 2π."""
    return -0.5 * (x[:, 0] ** 2 + (x[:, 1] - 0.7 * (x[:, 0] ** 2 - 1)) ** 2)


def log_gamma(x: np.ndarray) -> np.ndarray:
    """The log of Gamma(0.5) variables: an exponential tail to the left; integral Γ(1/2)²."""
    return np.sum(0.5 * x - np.exp(x), axis=1)


def student(x: np.ndarray) -> np.ndarray:
    """A t of five degrees in three dimensions, tails far heavier than the target's own kind."""
    return -4.0 * np.log1p(np.sum(x**2, axis=1) / 5)


STUDENT = special.gammaln(2.5) + 1.5 * np.log(5 * np.pi) - special.gammaln(4.0)

CASES: dict[str, tuple[Density, list[float], float, list[float], list[float]]] = {
    "gaussian": (gaussian, [50.0, 0.0], 3 + np.log(2 * np.pi * 0.1), [100, -0.5], [10, 0.01]),
    "student": (student, [1.0, -2.0, 0.5], STUDENT, [0] * 3, [np.sqrt(5 / 3)] * 3),
    "banana": (banana, [0.5, 0.5], np.log(2 * np.pi), [0, 0], [1, np.sqrt(1 + 2 * 0.49)]),
    "exponential tails": (
        log_gamma,
        [0.0, 0.0],
        np.log(np.pi),
        [special.digamma(0.5)] * 2,
        [np.sqrt(special.polygamma(1, 0.5))] * 2,
    ),
}
each = pytest.mark.parametrize(("f", "start", "evidence", "mean", "sd"), CASES.values(), ids=CASES)


@each
def test_integral_mean_and_spread(
    f: Density, start: list, evidence: float, mean: list, sd: list
) -> None:
    """Within 4 Monte Carlo standard errors, which are small; three seeds."""
    for seed in (1, 2, 3):
        rng = np.random.default_rng(seed)
        found = sample(f, np.array(start), rng, size=6000)
        value, error = found.log_mean
        assert error < 0.02
        assert abs(value - evidence) < 4 * error
        w = found.weights
        for power, expected in ((1, 0.0), (2, 1.0)):
            z = ((found.points - mean) / sd) ** power
            mcse = np.sqrt(np.sum(w[:, None] ** 2 * (z - expected) ** 2, axis=0))
            assert np.all(np.abs(w @ z - expected) < 4 * mcse)
        assert 0.5 < found.efficiency <= 1


def test_a_wrong_weight_would_be_seen() -> None:
    """The check has power: a density off by a factor of 1.1 is outside of its four errors."""
    found = sample(banana, np.zeros(2), np.random.default_rng(1), size=6000)
    value, error = found.log_mean
    assert abs(value + np.log(1.1) - np.log(2 * np.pi)) > 4 * error


def test_half_of_the_plane_without_density() -> None:
    """−inf outside the domain has weight zero: the integral of the half is half."""

    def half(x: np.ndarray) -> np.ndarray:
        return np.where(x[:, 0] > 0, -0.5 * np.sum(x**2, axis=1), -np.inf)

    found = sample(half, np.array([1.0, 0.0]), np.random.default_rng(4), size=8000)
    value, error = found.log_mean
    assert abs(value - np.log(np.pi)) < 5 * error
    assert np.all(found.points[found.weights > 0, 0] > 0)


def test_the_same_seed_gives_the_same_set() -> None:
    one, two = (sample(banana, np.zeros(2), np.random.default_rng(9), size=500) for _ in range(2))
    np.testing.assert_array_equal(one.points, two.points)
    np.testing.assert_array_equal(one.log_weights, two.log_weights)


class Counted:
    """A Gaussian with its exact gradient, d dimensions, that counts what is asked of it."""

    def __init__(self, d: int) -> None:
        root = np.tril(np.full((d, d), 0.3)) + np.eye(d)
        self.precision = root @ root.T
        self.values = self.gradients = 0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self.values += len(x)
        return -0.5 * np.einsum("si,ij,sj->s", x, self.precision, x)

    def value_and_gradient(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        self.gradients += 1
        slope = -self.precision @ x
        return float(0.5 * x @ slope), slope


@pytest.mark.parametrize("d", [1, 2, 5, 9])
def test_a_gaussian_needs_no_adaptation(d: int) -> None:
    """Beyond the final set only the first small round and the look along the axes are spent."""
    counted = Counted(d)
    found = sample(counted, np.full(d, 0.7), np.random.default_rng(2), size=1000, round_size=300)
    assert counted.values == 1000 + 300 + 16 * d + 1
    assert counted.gradients <= 10 + 4 * d
    assert found.efficiency > 0.85


def test_rounds_are_a_bound() -> None:
    """A hard density is given no more evaluations than were allowed."""
    calls: list[int] = []

    def f(x: np.ndarray) -> np.ndarray:
        calls.append(len(x))
        return banana(x)

    sample(f, np.zeros(2), np.random.default_rng(2), size=500, round_size=200, rounds=2)
    assert calls[-3:] == [200, 200, 500]


def test_without_coordinates_the_integral_is_the_value() -> None:
    found = sample(lambda x: np.full(len(x), 2.5), np.empty(0), np.random.default_rng(1), size=50)
    assert found.points.shape == (50, 0)
    assert found.log_mean == (pytest.approx(2.5), pytest.approx(0.0, abs=1e-12))


def test_efficiency_and_evidence_of_equal_weights() -> None:
    equal = Weighted(np.zeros((50, 1)), np.full(50, -700.0))
    assert equal.efficiency == pytest.approx(1.0)
    assert equal.log_mean == (pytest.approx(-700.0), pytest.approx(0.0, abs=1e-12))


def test_systematic_resampling_takes_each_point_by_its_weight() -> None:
    """Counts differ from size times weight by less than one."""
    log_w = np.random.default_rng(5).normal(size=40)
    found = Weighted(np.arange(40.0)[:, None], log_w - 900)
    counts = np.bincount(resample(found, np.random.default_rng(6), 1000), minlength=40)
    assert counts.sum() == 1000
    assert np.all(np.abs(counts - 1000 * found.weights) < 1)

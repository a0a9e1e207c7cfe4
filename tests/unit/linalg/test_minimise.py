"""The bound-constrained minimiser on functions whose minimum is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bayeslmm.linalg.minimise import minimise

FREE = -np.inf


def bowl(centre: list[float], *curvature: list[float]) -> Callable[[np.ndarray], np.ndarray]:
    a, c = np.array(curvature), np.array(centre)
    return lambda x: 7.0 + 0.5 * np.einsum("si,ij,sj->s", x - c, a, x - c)


def rosenbrock(x: np.ndarray) -> np.ndarray:
    return 100 * (x[:, 1] - x[:, 0] ** 2) ** 2 + (1 - x[:, 0]) ** 2


CASES = {
    "inside": (bowl([1, 2], [2, 0.5], [0.5, 1]), [5, 5], [0, 0], [1, 2], 7.0),
    "unbounded": (bowl([-3, 2], [2, 0], [0, 1]), [5, 5], [FREE, FREE], [-3, 2], 7.0),
    # at the bound x = 0 the other variable moves to 2 - 0.5 * (0 + 1) / 1 * (-1)
    "one active": (bowl([-1, 2], [2, 0.5], [0.5, 1]), [5, 5], [0, FREE], [0, 1.5], 7.875),
    "both active": (bowl([-1, -2], [2, 0], [0, 1]), [1, 1], [0, 0], [0, 0], 10.0),
    "minimum on the bound": (bowl([0, 3], [1, 0], [0, 1]), [2, 2], [0, 0], [0, 3], 7.0),
    "valley": (rosenbrock, [-1.2, 1.0], [FREE, FREE], [1, 1], 0.0),
    "bounded valley": (rosenbrock, [3.0, 3.0], [1.5, FREE], [1.5, 2.25], 0.25),
    "very different scales": (bowl([3, 1], [1e6, 0], [0, 1e-2]), [0, 0], [FREE, FREE], [3, 1], 7.0),
}


@pytest.mark.parametrize(("f", "start", "lower", "x", "value"), CASES.values(), ids=CASES)
def test_known_minima(f: Callable, start: list, lower: list, x: list, value: float) -> None:
    found = minimise(f, np.array(start, float), np.array(lower, float))
    assert found.converged
    np.testing.assert_allclose(found.x, x, atol=1e-4)
    assert found.value == pytest.approx(value, abs=1e-7)
    assert np.all(found.x >= lower)


def test_a_variable_at_its_bound_is_there_exactly_with_no_gradient_left() -> None:
    f, start, lower, *_ = CASES["one active"]
    found = minimise(f, np.array(start, float), np.array(lower, float))
    assert found.x[0] == 0.0
    np.testing.assert_allclose(found.gradient, 0.0, atol=1e-5)
    np.testing.assert_allclose(found.hessian, [[2, 0.5], [0.5, 1]], atol=1e-4)


def test_a_region_without_values_is_walked_around() -> None:
    """x - log x has its minimum at 1 and no value at or below 0."""

    def f(x: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(x[:, 0] > 0, x[:, 0] - np.log(x[:, 0]), np.nan)

    found = minimise(f, np.array([30.0]), np.array([FREE]))
    assert found.converged and found.x[0] == pytest.approx(1.0, abs=1e-4)


def test_no_minimum_is_said() -> None:
    found = minimise(lambda x: -x[:, 0], np.array([1.0]), np.array([FREE]))
    assert not found.converged


def test_a_saddle_is_not_a_minimum() -> None:
    """Started on the ridge of x² − y²: no gradient along y, and no positive curvature."""
    found = minimise(lambda x: x[:, 0] ** 2 - x[:, 1] ** 2, np.array([1.0, 0.0]), np.full(2, FREE))
    assert not found.converged


def test_nothing_to_minimise() -> None:
    found = minimise(lambda x: np.full(len(x), 4.0), np.empty(0), np.empty(0))
    assert found.converged and found.value == 4.0

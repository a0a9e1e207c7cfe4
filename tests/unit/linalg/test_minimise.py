"""The bound-constrained minimiser on functions whose minimum is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import bayeslmm.linalg.minimise as minimise_module
from bayeslmm.linalg.differences import gradient
from bayeslmm.linalg.minimise import Smooth, hessian, minimise

FREE = -np.inf
Batched = Callable[[np.ndarray], np.ndarray]


def bowl(centre: list[float], *curvature: list[float]) -> Smooth:
    a, c = np.array(curvature), np.array(centre)
    return lambda x: (float(7.0 + 0.5 * (x - c) @ a @ (x - c)), a @ (x - c))


def rosenbrock(x: np.ndarray) -> tuple[float, np.ndarray]:
    gap = x[1] - x[0] ** 2
    slope = np.array([-400 * x[0] * gap - 2 * (1 - x[0]), 200 * gap])
    return float(100 * gap**2 + (1 - x[0]) ** 2), slope


def smooth(f: Batched) -> Smooth:
    """Value and gradient of a batched function, the latter by differences."""
    return lambda x: (float(f(x[None])[0]), gradient(f, x))


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
    "far away": (bowl([300, -200], [1, 0], [0, 1]), [0, 0], [FREE, FREE], [300, -200], 7.0),
}


@pytest.mark.parametrize(("f", "start", "lower", "x", "value"), CASES.values(), ids=CASES)
def test_known_minima(f: Smooth, start: list, lower: list, x: list, value: float) -> None:
    found = minimise(f, np.array(start, float), np.array(lower, float))
    assert found.converged
    np.testing.assert_allclose(found.x, x, atol=1e-4)
    assert found.value == pytest.approx(value, abs=1e-7)
    assert np.all(found.x >= lower)


@pytest.mark.parametrize("curvature", [1e-2, 1.0, 1e4])
@pytest.mark.parametrize(("f", "start", "lower", "x", "value"), CASES.values(), ids=CASES)
def test_a_wrong_curvature_leads_to_the_same_minimum(
    f: Smooth, start: list, lower: list, x: list, value: float, curvature: float
) -> None:
    about = curvature * np.array([1.0, 3.0])
    found = minimise(f, np.array(start, float), np.array(lower, float), about)
    assert found.converged
    np.testing.assert_allclose(found.x, x, atol=1e-4)
    assert found.value == pytest.approx(value, abs=1e-7)


def test_a_variable_at_its_bound_is_there_exactly_with_no_gradient_left() -> None:
    f, start, lower, *_ = CASES["one active"]
    found = minimise(f, np.array(start, float), np.array(lower, float))
    assert found.x[0] == 0.0
    np.testing.assert_allclose(found.gradient, 0.0, atol=1e-5)
    np.testing.assert_allclose(found.hessian, [[2, 0.5], [0.5, 1]], atol=1e-4)


def test_a_region_without_values_is_walked_around() -> None:
    """x - log x has its minimum at 1 and no value at or below 0."""

    def f(x: np.ndarray) -> tuple[float, np.ndarray]:
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(x[0] - np.log(x[0])), 1 - 1 / x

    found = minimise(f, np.array([30.0]), np.array([FREE]))
    assert found.converged and found.x[0] == pytest.approx(1.0, abs=1e-4)


def test_no_minimum_is_said() -> None:
    found = minimise(lambda x: (float(-x[0]), np.array([-1.0])), np.array([1.0]), np.array([FREE]))
    assert not found.converged


def test_a_saddle_is_not_a_minimum() -> None:
    """Started on the ridge of x² − y²: no gradient along y, and no positive curvature."""

    def f(x: np.ndarray) -> tuple[float, np.ndarray]:
        return float(x[0] ** 2 - x[1] ** 2), np.array([2 * x[0], -2 * x[1]])

    found = minimise(f, np.array([1.0, 0.0]), np.full(2, FREE))
    assert not found.converged


def even(x: np.ndarray) -> tuple[float, np.ndarray]:
    """(x² − 1)² + (y − 2 − x²)²: even in x, with a saddle at x = 0, minima at x = ±1, y = 3."""
    gap = x[1] - 2 - x[0] ** 2
    slope = np.array([4 * x[0] * (x[0] ** 2 - 1) - 4 * x[0] * gap, 2 * gap])
    return float((x[0] ** 2 - 1) ** 2 + gap**2), slope


@pytest.mark.parametrize("start", [[0.0, 2.0], [0.0, -5.0], [1e-4, 2.0], [3.0, 0.0]])
def test_a_saddle_on_the_bound_is_escaped_from(start: list[float]) -> None:
    """A slope of zero at the bound says nothing where f is even there: its curvature does."""
    found = minimise(even, np.array(start), np.array([0.0, FREE]))
    assert found.converged
    np.testing.assert_allclose(found.x, [1.0, 3.0], atol=1e-4)
    assert found.value == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("start", [[0.0, 2.0], [1e-4, 0.0], [3.0, 0.0]])
def test_a_minimum_on_the_bound_is_stayed_at(start: list[float]) -> None:
    """(x² + 1)² + (y − 2)² is even as well, and zero is where it is least."""

    def f(x: np.ndarray) -> tuple[float, np.ndarray]:
        slope = np.array([4 * x[0] * (x[0] ** 2 + 1), 2 * (x[1] - 2)])
        return float((x[0] ** 2 + 1) ** 2 + (x[1] - 2) ** 2), slope

    found = minimise(f, np.array(start), np.array([0.0, FREE]))
    assert found.converged and found.x[0] == 0.0
    assert found.x[1] == pytest.approx(2.0, abs=1e-4)
    assert found.value == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("d", [1, 2, 5, 10])
def test_with_the_right_curvature_a_quadratic_takes_few_evaluations(d: int) -> None:
    """Fewer than 5 + d: the step, and d gradients for the Hessian at the end."""
    curvature = np.linspace(1.0, 50.0, d)
    calls = []

    def f(x: np.ndarray) -> tuple[float, np.ndarray]:
        calls.append(x)
        return float(0.5 * np.sum(curvature * (x - 1.5) ** 2)), curvature * (x - 1.5)

    found = minimise(f, np.full(d, 1.0), np.zeros(d), curvature)
    assert found.converged
    np.testing.assert_allclose(found.x, 1.5, atol=1e-6)
    assert found.evaluations == len(calls) < 5 + d


def test_evaluations_are_counted() -> None:
    calls = []

    def f(x: np.ndarray) -> tuple[float, np.ndarray]:
        calls.append(x)
        return rosenbrock(x)

    found = minimise(f, np.array([-1.2, 1.0]), np.full(2, FREE))
    assert found.evaluations == len(calls) < 100


def test_gradients_by_differences_will_do() -> None:
    f = smooth(lambda x: np.sum((x - 2) ** 2 + 0.1 * x**4, axis=1))
    found = minimise(f, np.array([4.0, 0.5]), np.zeros(2))
    assert found.converged
    # 2 (x − 2) + 0.4 x³ = 0
    np.testing.assert_allclose(2 * (found.x - 2) + 0.4 * found.x**3, 0.0, atol=1e-5)


def test_hessian_from_gradients() -> None:
    x = np.array([0.7, -0.4])
    expected = [[1200 * 0.49 + 160 + 2, -280.0], [-280.0, 200.0]]
    np.testing.assert_allclose(hessian(rosenbrock, x), expected, rtol=1e-4)


def test_nothing_to_minimise() -> None:
    found = minimise(lambda x: (4.0, np.empty(0)), np.empty(0), np.empty(0))
    assert found.converged and found.value == 4.0 and found.evaluations == 1


def test_a_search_is_cut_at_its_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lowest point seen is returned, as one that has not converged."""
    monkeypatch.setattr(minimise_module, "MOST_CALLS", 4)
    monkeypatch.setattr(minimise_module, "MOST_CALLS_EACH", 3)
    seen: list[float] = []

    def valley(x: np.ndarray) -> tuple[float, np.ndarray]:
        a, b = 1 - x[0], x[1] - x[0] ** 2
        seen.append(float(a**2 + 100 * b**2))
        return seen[-1], np.array([-2 * a - 400 * x[0] * b, 200 * b])

    found = minimise(valley, np.array([-1.2, 1.0]), np.full(2, -np.inf))
    assert len(seen) == found.evaluations == 10
    assert found.value == min(seen)
    assert not found.converged and np.all(np.isnan(found.hessian))

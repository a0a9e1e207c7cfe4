"""Batched triangular algebra and differences against numpy and known derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from bayeslmm.linalg import lapack
from bayeslmm.linalg.batched import (
    cholesky,
    cholesky_to_last,
    log_diagonal,
    solve_lower,
    solve_upper,
)
from bayeslmm.linalg.differences import gradient, hessian, jacobian

RNG = np.random.default_rng(3)


def positive(*shape: int) -> np.ndarray:
    """Positive definite matrices, shape (*shape, shape[-1])."""
    root = RNG.standard_normal((*shape, shape[-1]))
    return root @ root.swapaxes(-1, -2) + 0.5 * np.eye(shape[-1])


@pytest.mark.parametrize(
    ("batch", "right", "m", "r"),
    [
        ((), (), 1, 1),
        ((), (), 6, 3),
        ((4,), (4,), 3, 2),
        ((2, 5), (2, 5), 4, 1),
        ((1,), (7,), 3, 2),
    ],
)
def test_triangular_solves(batch: tuple, right: tuple, m: int, r: int) -> None:
    """Against numpy's general solver, batches broadcast against each other."""
    factor = np.linalg.cholesky(positive(*batch, m))
    b = RNG.standard_normal((*right, m, r))
    np.testing.assert_allclose(solve_lower(factor, b), np.linalg.solve(factor, b), atol=1e-10)
    upper = np.linalg.solve(factor.swapaxes(-1, -2), b)
    np.testing.assert_allclose(solve_upper(factor, b), upper, atol=1e-10)


def test_cholesky_and_its_log_determinant() -> None:
    a = positive(6, 4)
    factor = cholesky(a)
    np.testing.assert_allclose(factor @ factor.swapaxes(-1, -2), a, rtol=1e-12)
    np.testing.assert_allclose(2 * log_diagonal(factor), np.linalg.slogdet(a)[1], rtol=1e-12)


def test_a_matrix_without_a_factor_spoils_only_itself() -> None:
    a = positive(2, 3, 2)
    a[1, 0] = -np.eye(2)
    factor = cholesky(a)
    assert np.all(np.isnan(factor[1, 0]))
    assert np.isfinite(factor).sum() == 5 * 4
    assert np.isnan(log_diagonal(factor)[1, 0])


def test_differences_of_a_cubic() -> None:
    """f = x² y + 3 y²: derivatives by hand."""

    def f(p: np.ndarray) -> np.ndarray:
        return p[:, 0] ** 2 * p[:, 1] + 3 * p[:, 1] ** 2

    at = np.array([1.5, -20.0])
    np.testing.assert_allclose(gradient(f, at), [2 * 1.5 * -20, 1.5**2 - 120], rtol=1e-8)
    np.testing.assert_allclose(hessian(f, at), [[-40, 3], [3, 6]], rtol=1e-5)


def test_jacobian_of_a_map() -> None:
    def f(p: np.ndarray) -> np.ndarray:
        return np.stack([np.exp(p[:, 0]), p[:, 0] * p[:, 1], np.sin(p[:, 1])], axis=1)

    found = jacobian(f, np.array([0.3, 2.0]))
    expected = [[np.exp(0.3), 0], [2.0, 0.3], [0, np.cos(2.0)]]
    np.testing.assert_allclose(found, expected, atol=1e-8)


@pytest.mark.parametrize("n", [1, 2, 7, 60, 256, 257, 700])
def test_lapack_without_the_lock(n: int) -> None:
    """Factor, solves and inverse in place against numpy; what stands above is left alone."""
    rng = np.random.default_rng(n)
    root = rng.normal(size=(n, n))
    a = np.asfortranarray(root @ root.T + n * np.eye(n))
    factor, b = a.copy(order="F"), np.asfortranarray(rng.normal(size=(n, 3)))
    assert lapack.cholesky(factor) == 0
    lower = np.tril(factor)
    np.testing.assert_allclose(lower @ lower.T, a, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(np.triu(factor, 1), np.triu(a, 1))
    for transposed in (False, True):
        x = b.copy(order="F")
        lapack.solve_triangular(factor, x, transposed=transposed)
        np.testing.assert_allclose((lower.T if transposed else lower) @ x, b, atol=1e-12)
    found = lapack.inverse(factor)
    np.testing.assert_allclose(np.tril(found), np.tril(np.linalg.inv(a)), atol=1e-12)


def test_lapack_says_where_a_matrix_is_not_positive_definite() -> None:
    assert lapack.cholesky(np.asfortranarray(np.diag([1.0, -1.0, 1.0]))) == 2
    large = np.asfortranarray(np.eye(600))
    large[400, 400] = -1.0
    assert lapack.cholesky(large) == 401
    with pytest.raises(ValueError, match="F order"):
        lapack.cholesky(np.arange(9.0).reshape(3, 3))


def test_no_columns_have_a_factor() -> None:
    assert cholesky(np.empty((3, 0, 0))).shape == (3, 0, 0)
    lost = cholesky_to_last(np.array([[[-1.0]], [[4.0]]]))
    np.testing.assert_array_equal(lost, [[[0.0]], [[2.0]]])

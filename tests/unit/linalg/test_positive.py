"""Factors of one matrix against dense algebra."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from bayeslmm.linalg.positive import dense_factor, sparse_factor


@pytest.fixture(scope="module")
def banded():
    rng = np.random.default_rng(2)
    lower = np.tril(np.triu(rng.standard_normal((40, 40)), -3)) + 3 * np.eye(40)
    lower[35, 2] = 1.5
    return lower @ lower.T, rng.standard_normal((40, 3))


def test_both_solve(banded):
    V, b = banded
    wanted, kept = np.linalg.inv(V) @ b, b.copy()
    np.testing.assert_allclose(dense_factor(V).solve(b), wanted, rtol=1e-9, atol=1e-12)
    for form in (sp.csc_array, sp.csr_matrix, sp.coo_array):
        np.testing.assert_allclose(sparse_factor(form(V)).solve(b), wanted, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(b, kept)


def test_whole_numbers_and_rows_without_neighbours():
    V = sp.csc_array(np.array([[4, 0, 1], [0, 9, 0], [1, 0, 2]]))
    b = np.array([[1.0], [18.0], [0.0]])
    wanted = np.array([[2 / 7], [2.0], [-1 / 7]])
    np.testing.assert_allclose(sparse_factor(V).solve(b), wanted, rtol=1e-14)


def test_what_is_not_positive_definite_is_refused(banded):
    V = banded[0].copy()
    V[7, 7] = -0.1
    with pytest.raises(np.linalg.LinAlgError):
        dense_factor(V)
    with pytest.raises(np.linalg.LinAlgError, match="row"):
        sparse_factor(sp.csc_array(V))
    with pytest.raises(np.linalg.LinAlgError):
        sparse_factor(sp.csc_array((3, 3)))

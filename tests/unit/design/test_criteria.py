"""The criteria against eigenvalues and determinants, and by hand on a 2 x 2 factorial."""

from __future__ import annotations

import numpy as np
import pytest

from bayeslmm.design.criteria import CRITERIA, MEANINGS, criteria, inverse_root


@pytest.mark.parametrize("seed", range(3))
def test_against_the_inverse(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, rows = rng.normal(size=(12, 4)), rng.normal(size=(7, 4))
    covariance = np.linalg.inv(X.T @ X)
    spread = np.einsum("rp,pq,rq->r", rows, covariance, rows)
    root = inverse_root(X.T @ X)
    np.testing.assert_allclose(root.T @ root, covariance, rtol=1e-10)
    found = criteria(root, rows)
    expected = {
        "A": np.trace(covariance),
        "D": np.linalg.det(covariance) ** 0.25,
        "E": np.linalg.norm(covariance, 2),
        "G": spread.max(),
        "V": spread.mean(),
    }
    assert {c: found.of(c) for c in CRITERIA} == pytest.approx(expected, rel=1e-10)
    assert set(MEANINGS) == set(CRITERIA)


def test_factorial_by_hand() -> None:
    """X'X = 4 I: every variance is 1/4, and that of a predicted mean 3/4 at each corner."""
    X = np.array([[1, a, b] for a in (-1.0, 1.0) for b in (-1.0, 1.0)])
    found = criteria(inverse_root(X.T @ X), X)
    np.testing.assert_allclose([found.of(c) for c in "ADEGV"], [0.75, 0.25, 0.25, 0.75, 0.75])


def test_odd_units_lose_no_digits() -> None:
    X = np.random.default_rng(5).normal(size=(9, 3))
    units = np.array([1e-8, 1.0, 1e8])
    plain, scaled = (criteria(inverse_root(Z.T @ Z), Z) for Z in (X, X * units))
    for c in "DGV":
        assert scaled.of(c) == pytest.approx(plain.of(c), rel=1e-9)
    assert scaled.of("A") == pytest.approx(np.linalg.inv(X.T @ X)[0, 0] * 1e16, rel=1e-9)


@pytest.mark.parametrize("information", [np.diag([1.0, 0.0]), -np.eye(2)])
def test_singular_information_has_no_root(information: np.ndarray) -> None:
    with pytest.raises(np.linalg.LinAlgError):
        inverse_root(information)


def test_no_coefficients() -> None:
    found = criteria(inverse_root(np.empty((0, 0))), np.empty((3, 0)))
    assert [found.of(c) for c in CRITERIA] == [0.0, 1.0, 0.0, 0.0, 0.0]

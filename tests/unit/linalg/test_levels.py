"""Kernels of one factor against dense algebra, level by level: more levels than a chunk holds."""

from __future__ import annotations

import numpy as np
import pytest

from bayeslmm.linalg.levels import (
    CHUNK,
    draw_levels,
    reduce_levels,
    slope_levels,
    solve_levels,
)

LEVELS = (0, 1, CHUNK, 2 * CHUNK + 5)
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


class Case:
    """Products of a random design: k coefficients and m fixed columns, S Lambdas."""

    def __init__(self, n_levels: int, k: int, m: int, seed: int, size: int = 3) -> None:
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=(n_levels, 5, k + m))
        if n_levels > 1:
            rows[1] = 0.0  # a level that no row of weight has
        gram = np.einsum("jra,jrb->jab", rows, rows)
        self.zz, self.zf = gram[:, :k, :k], gram[:, :k, k:]
        self.ff = gram[:, k:, k:].sum(axis=0) + np.eye(m)
        self.lam = rng.normal(size=(size, k, k))
        self.lam[-1, :, 0] = 0.0  # singular
        self.last = tuple(np.ascontiguousarray(np.moveaxis(x, 0, -1)) for x in (self.zz, self.zf))
        self.rng, self.k, self.m, self.n_levels = rng, k, m, n_levels

    def M(self, lam: np.ndarray) -> np.ndarray:
        return lam.T @ self.zz @ lam + np.eye(self.k)

    def right(self, lam: np.ndarray) -> np.ndarray:
        return lam.T @ self.zf

    def log_det(self, lam: np.ndarray) -> float:
        return 0.5 * float(np.linalg.slogdet(self.M(lam))[1].sum())

    def tail(self, lam: np.ndarray) -> np.ndarray:
        b = self.right(lam)
        return self.ff - np.sum(b.swapaxes(1, 2) @ np.linalg.solve(self.M(lam), b), axis=0)


@pytest.fixture(params=[(n, k) for n in LEVELS for k in (1, 2, 3)], ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    n_levels, k = request.param
    return Case(n_levels, k, 3, seed=70 + n_levels + k)


def test_reduction(case: Case) -> None:
    """log|M|/2 and F'F − F'Z Lambda M⁻¹ Lambda'Z'F at every point, a singular one too."""
    size = len(case.lam)
    log_det, tail = np.empty(size), np.empty((size, case.m, case.m))
    reduce_levels(*case.last, case.ff, case.lam, log_det, tail)
    np.testing.assert_allclose(log_det, [case.log_det(lam) for lam in case.lam], **CLOSE)
    for found, lam in zip(tail, case.lam, strict=True):
        np.testing.assert_allclose(found, case.tail(lam), **CLOSE)


def test_determinants_beyond_the_range_of_floats() -> None:
    """Products of a thousand levels' pivots overflow; their logs don't."""
    case = Case(1000, 2, 2, seed=71)
    lam = 1e9 * case.lam[:1]
    log_det, tail = np.empty(1), np.empty((1, 2, 2))
    reduce_levels(*case.last, case.ff, lam, log_det, tail)
    assert log_det[0] > 2 * np.log(1e300)
    assert log_det[0] == pytest.approx(case.log_det(lam[0]), rel=1e-10)


def test_inverses_and_solutions(case: Case) -> None:
    lam = case.lam[0]
    own = np.empty((case.n_levels, case.k, case.k))
    solutions = np.empty((case.n_levels, case.k, case.m))
    solve_levels(*case.last, lam, own, solutions)
    M = case.M(lam)
    np.testing.assert_allclose(own, np.linalg.inv(M), **CLOSE)
    np.testing.assert_allclose(solutions, np.linalg.solve(M, case.right(lam)), **CLOSE)


@pytest.mark.parametrize("point", [0, -1], ids=["regular", "singular"])
def test_slopes_are_those_of_the_values(case: Case, point: int) -> None:
    """Against central differences of the dense values, by every entry of Lambda."""
    lam, k, m = case.lam[point], case.k, case.m
    weights = case.rng.normal(size=(2, m, m))
    weights = weights + weights.swapaxes(1, 2)
    log_det, tails = np.empty((k, k)), np.empty((2, k, k))
    slope_levels(*case.last, lam, weights, log_det, tails)
    step = 1e-5
    for a in range(k):
        for b in range(k):
            move = np.zeros((k, k))
            move[a, b] = step
            up, down = lam + move, lam - move
            expected = (case.log_det(up) - case.log_det(down)) / (2 * step)
            assert log_det[a, b] == pytest.approx(expected, rel=1e-6, abs=1e-6)
            change = (case.tail(up) - case.tail(down)) / (2 * step)
            found = np.einsum("rmn,mn->r", weights, change)
            scale = 1e-6 * max(1.0, float(np.abs(tails).max(initial=0.0)))
            np.testing.assert_allclose(tails[:, a, b], found, rtol=1e-6, atol=scale)


def test_draws(case: Case) -> None:
    """outer (M⁻¹ Lambda'H v + L⁻ᵀ noise), with and without noise."""
    size, k = len(case.lam), case.k
    outer, v = case.rng.normal(size=(size, k, k)), case.rng.normal(size=(size, case.m))
    noise = case.rng.normal(size=(size, case.n_levels, k))
    for given in (noise, noise[:0]):
        u = np.empty((size, case.n_levels, k))
        draw_levels(*case.last, case.lam, outer, v, given, u)
        for s, lam in enumerate(case.lam):
            M = case.M(lam)
            b = np.linalg.solve(M, (case.right(lam) @ v[s])[..., None])
            if len(given):
                L = np.linalg.cholesky(M)
                b = b + np.linalg.solve(L.swapaxes(1, 2), given[s][..., None])
            np.testing.assert_allclose(u[s], b[..., 0] @ outer[s].T, **CLOSE)


def test_several_points_are_each_as_if_alone() -> None:
    case = Case(2 * CHUNK + 5, 2, 3, seed=72, size=4)
    whole = np.empty(4), np.empty((4, 3, 3))
    reduce_levels(*case.last, case.ff, case.lam, *whole)
    for s in range(4):
        one = np.empty(1), np.empty((1, 3, 3))
        reduce_levels(*case.last, case.ff, case.lam[s : s + 1], *one)
        assert one[0][0] == whole[0][s]
        np.testing.assert_array_equal(one[1][0], whole[1][s])

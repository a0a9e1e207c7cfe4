"""Products in one pass over the rows against dense columns: more rows than a partial sum has."""

from __future__ import annotations

import numpy as np
import pytest

from bayeslmm.linalg.products import (
    ROWS,
    factor_products,
    fixed_products,
    pair_pattern,
    pair_products,
    weighted_squares,
)

CLOSE = {"rtol": 1e-10, "atol": 1e-8}


class Rows:
    """Random rows: p fixed columns, two factors of 9 and 5 levels, some weights zero."""

    def __init__(self, n: int, p: int = 3, seed: int = 80) -> None:
        rng = np.random.default_rng(seed)
        self.X, self.y = rng.normal(size=(n, p)), rng.normal(5.0, 1.0, n)
        self.offset, self.w = rng.normal(size=n), rng.uniform(0.1, 2.0, n)
        self.w[rng.random(n) < 0.1] = 0.0
        self.T, self.shift = rng.normal(size=(p, p)), rng.normal(size=p)
        self.codes = rng.integers(0, 9, n), rng.integers(0, 5, n)
        self.values = rng.normal(size=(n, 2)), rng.normal(size=(n, 3))
        self.C = rng.normal(size=(2, 2)), rng.normal(size=(3, 3))
        y = self.y - self.offset - self.X @ self.shift
        self.F = np.column_stack([self.X @ self.T, y])

    @property
    def fixed(self) -> tuple[np.ndarray, ...]:
        return self.X, self.y, self.offset, self.w, self.T, self.shift


@pytest.fixture(params=[0, 1, 50, 2 * ROWS + 7])
def rows(request: pytest.FixtureRequest) -> Rows:
    return Rows(request.param)


def test_fixed_products(rows: Rows) -> None:
    found = fixed_products(*rows.fixed)
    np.testing.assert_allclose(found, rows.F.T @ (rows.w[:, None] * rows.F), **CLOSE)
    np.testing.assert_array_equal(found, found.T)


def test_no_fixed_columns() -> None:
    rows = Rows(50, p=0)
    y = rows.y - rows.offset
    np.testing.assert_allclose(fixed_products(*rows.fixed), [[rows.w @ y**2]], **CLOSE)


def test_factor_products(rows: Rows) -> None:
    """Level by level; the last levels of the eleven have no rows."""
    codes, values, C = rows.codes[0], rows.values[0], rows.C[0]
    zz, zf = factor_products(codes, values, C, *rows.fixed, 11)
    for j in range(11):
        own = codes == j
        Z, w = values[own] @ C, rows.w[own, None]
        np.testing.assert_allclose(zz[j], Z.T @ (w * Z), **CLOSE)
        np.testing.assert_allclose(zf[j], Z.T @ (w * rows.F[own]), **CLOSE)


def test_pattern_of_pairs(rows: Rows) -> None:
    """Every pair of levels that a row of weight has, once, in order, and each row's place."""
    a, b = rows.codes
    start, other, place = pair_pattern(a, b, rows.w, 9, 5)
    used = rows.w > 0
    expected = np.unique(np.stack([a[used], b[used]]), axis=1)
    found = np.repeat(np.arange(9), np.diff(start)), other
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(place < 0, ~used)
    np.testing.assert_array_equal(found[0][place[used]], a[used])
    np.testing.assert_array_equal(found[1][place[used]], b[used])


def test_products_of_pairs(rows: Rows) -> None:
    a, b = rows.codes
    start, other, place = pair_pattern(a, b, rows.w, 9, 5)
    maps = rows.values[0], rows.C[0], rows.values[1], rows.C[1]
    found = pair_products(place, *maps, rows.w, len(other))
    first = np.repeat(np.arange(9), np.diff(start))
    for i, (j, g) in enumerate(zip(first, other, strict=True)):
        both = (a == j) & (b == g)
        za, zb = rows.values[0][both] @ rows.C[0], rows.values[1][both] @ rows.C[1]
        np.testing.assert_allclose(found[i], za.T @ (rows.w[both, None] * zb), **CLOSE)


def test_weighted_squares(rows: Rows) -> None:
    found = weighted_squares(rows.values[1], rows.C[1], rows.w)
    np.testing.assert_allclose(found, rows.w @ (rows.values[1] @ rows.C[1]) ** 2, **CLOSE)


def test_partial_sums_keep_rounding_small() -> None:
    """A million equal numbers whose plain running sum is off by 1e-11."""
    n = 1_000_000
    ones = np.full((n, 1), 0.1)
    found = weighted_squares(ones, np.eye(1), np.ones(n))[0]
    assert found == pytest.approx(n * 0.1**2, rel=2e-13)

"""Kernels of several factors against dense algebra over all random columns.

One factor is eliminated; the rest has two factors of other sizes. A dense M of all columns, and
its Cholesky factor with the eliminated columns first, say what every kernel must give. The values
of S live in a full (q, q) array: the lower triangle, column by column.
"""

from __future__ import annotations

import numpy as np
import pytest

from bayeslmm.linalg.crossed import (
    assemble,
    border_keys,
    factor_border,
    slope_border,
    slope_rest,
)
from bayeslmm.linalg.crossed_solve import (
    apply_pairs,
    half_backward,
    half_combinations,
    half_forward,
    scale_rest,
)

CLOSE = {"rtol": 1e-9, "atol": 1e-9}
REST = ((4, 2), (3, 1))  # levels and coefficients of the rest's factors
Q = 11


class Case:
    """A random design of one eliminated factor (J levels of k) and the rest, in dense form."""

    def __init__(self, k: int, seed: int, levels: int = 6) -> None:
        rng = np.random.default_rng(seed)
        n = 60
        self.k, self.levels, self.rng = k, levels, rng
        codes = rng.integers(0, levels, n)
        codes[0] = levels - 1
        self.rest_codes = [rng.integers(0, j, n) for j, _ in REST]
        self.Ze = self._dense(codes, rng.normal(size=(n, k)), levels)
        parts = [
            self._dense(c, rng.normal(size=(n, s)), j)
            for c, (j, s) in zip(self.rest_codes, REST, strict=True)
        ]
        self.Zr = np.column_stack(parts)
        self.sizes = np.array([s for _, s in REST], dtype=np.int64)
        self.lam = rng.normal(size=(k, k))
        self.stack = np.zeros((2, 2, 2))
        for i, (_, s) in enumerate(REST):
            self.stack[i, :s, :s] = rng.normal(size=(s, s))
        self._border()
        self._among()

    @staticmethod
    def _dense(codes: np.ndarray, values: np.ndarray, levels: int) -> np.ndarray:
        out = np.zeros((len(codes), levels, values.shape[1]))
        out[np.arange(len(codes)), codes] = values
        return out.reshape(len(codes), -1)

    def _border(self) -> None:
        k = self.k
        self.zz = np.stack([self._own(j).T @ self._own(j) for j in range(self.levels)])
        starts, column, node, block, value = [0], [], [], [], []
        for j in range(self.levels):
            H = self.Zr.T @ self._own(j)
            for i, (first, levels, size) in enumerate(self._factors()):
                for level in range(levels):
                    at = first + size * level
                    if not np.any(H[at : at + size]):
                        continue
                    here = len(column)
                    for c in range(size):
                        column.append(at + c)
                        node.append(here)
                        block.append(i)
                        value.append(H[at + c])
            starts.append(len(column))
        ints = (np.array(x, dtype=np.int64) for x in (starts, column, node, block))
        self.start, self.column, self.node, self.block = ints
        self.value = np.array(value).reshape(-1, k)
        keys = border_keys(self.start, self.column, Q)
        self.place = keys.astype(np.int32)

    def _own(self, j: int) -> np.ndarray:
        return self.Ze[:, self.k * j : self.k * (j + 1)]

    @staticmethod
    def _factors() -> list[tuple[int, int, int]]:
        """First column, levels and coefficients."""
        return [(0, *REST[0]), (REST[0][0] * REST[0][1], *REST[1])]

    def _among(self) -> None:
        A = self.Zr.T @ self.Zr
        nodes = [
            (first + size * level, i, size)
            for i, (first, levels, size) in enumerate(self._factors())
            for level in range(levels)
        ]
        places, first, value, place = [], [0], [], []
        for x, (at, i, s) in enumerate(nodes):
            for other, g, t in nodes[x:]:
                block = A[at : at + s, other : other + t]
                if (i == g and at != other) or not np.any(block):
                    continue
                places.append((at, other, i, g))
                value.extend(block.ravel())
                first.append(len(value))
                for row in range(at, at + s):
                    for column in range(other, other + t):
                        upper = at == other and column > row
                        place.append(-1 if upper else min(row, column) * Q + max(row, column))
        arrays = (np.array(x, dtype=np.int64) for x in (*zip(*places, strict=True), first))
        self.among = (*arrays, np.array(value))
        self.among_place = np.array(place, dtype=np.int32)

    @property
    def diagonal(self) -> np.ndarray:
        return (np.arange(Q) * (Q + 1)).astype(np.int32)

    def Lambda(self, lam: np.ndarray, stack: np.ndarray) -> np.ndarray:
        """Of all random columns, the eliminated first."""
        out = np.zeros((self.levels * self.k + Q,) * 2)
        e = self.levels * self.k
        out[:e, :e] = np.kron(np.eye(self.levels), lam)
        for i, (first, levels, s) in enumerate(self._factors()):
            where = slice(e + first, e + first + levels * s)
            out[where, where] = np.kron(np.eye(levels), stack[i, :s, :s])
        return out

    def M(self, lam: np.ndarray, stack: np.ndarray) -> np.ndarray:
        Z = np.column_stack([self.Ze, self.Zr]) @ self.Lambda(lam, stack)
        return Z.T @ Z + np.eye(Z.shape[1])

    @property
    def e(self) -> int:
        return self.levels * self.k

    @property
    def L(self) -> np.ndarray:
        return np.linalg.cholesky(self.M(self.lam, self.stack))

    @property
    def S(self) -> np.ndarray:
        M = self.M(self.lam, self.stack)
        e = self.e
        return M[e:, e:] - M[e:, :e] @ np.linalg.solve(M[:e, :e], M[:e, e:])

    def factored(self) -> tuple[float, np.ndarray, np.ndarray]:
        levels, entries = np.empty_like(self.zz), np.empty_like(self.value)
        border = self.start, self.node, self.block, self.value
        log_det = factor_border(self.zz, *border, self.lam, self.stack, self.sizes, levels, entries)
        return log_det, levels, entries

    def F(self, entries: np.ndarray) -> np.ndarray:
        """The border as a dense (J k, q) matrix."""
        out = np.zeros((self.levels, self.k, Q))
        level = np.repeat(np.arange(self.levels), np.diff(self.start))
        out[level, :, self.column] = entries
        return out.reshape(self.e, Q)


@pytest.fixture(params=[1, 2, 3], ids=lambda k: f"k={k}")
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param, seed=90 + request.param)


def test_the_border_is_that_of_the_dense_factor(case: Case) -> None:
    log_det, levels, entries = case.factored()
    e, L = case.e, case.L
    assert log_det == pytest.approx(np.log(np.diag(L)[:e]).sum(), rel=1e-10)
    for j, own in enumerate(levels):
        where = slice(case.k * j, case.k * (j + 1))
        np.testing.assert_allclose(np.tril(own), L[where, where], **CLOSE)
    np.testing.assert_allclose(case.F(entries), L[e:, :e].T, **CLOSE)


def test_the_schur_complement(case: Case) -> None:
    """Its lower triangle is all that is written: the rest stays zero."""
    _, _, entries = case.factored()
    x = np.zeros(Q * Q)
    assemble(
        case.start, entries, case.place, case.among, case.among_place, case.stack, case.sizes,
        (case.diagonal, np.ones(len(case.diagonal))), x,
    )  # fmt: skip
    np.testing.assert_allclose(x.reshape(Q, Q), np.triu(case.S), **CLOSE)


def test_half_solves(case: Case) -> None:
    """L⁻¹ b by the levels and a dense rest, and back: together M⁻¹ b."""
    _, levels, entries = case.factored()
    e, L, r = case.e, case.L, 3
    right = case.rng.normal(size=(e + Q, r))
    b = right[:e].reshape(case.levels, case.k, r).copy()
    rest = right[e:].copy()
    half_forward(case.start, case.column, levels, entries, b, rest)
    rest = np.linalg.solve(L[e:, e:], rest)
    half = np.linalg.solve(L, right)
    np.testing.assert_allclose(b.reshape(e, r), half[:e], **CLOSE)
    np.testing.assert_allclose(rest, half[e:], **CLOSE)
    rest = np.linalg.solve(L[e:, e:].T, rest)
    half_backward(case.start, case.column, levels, entries, b, rest)
    whole = np.linalg.solve(L @ L.T, right)
    np.testing.assert_allclose(b.reshape(e, r), whole[:e], **CLOSE)
    np.testing.assert_allclose(rest, whole[e:], **CLOSE)


def test_combinations_are_half_solves_of_one_level_each(case: Case) -> None:
    _, levels, entries = case.factored()
    e, L = case.e, case.L
    level = np.array([0, -1, case.levels - 1, 2, 2], dtype=np.int64)
    values = case.rng.normal(size=(5, case.k))
    right = np.zeros((e + Q, 5))
    for i, j in enumerate(level):
        if j >= 0:
            right[case.k * j : case.k * (j + 1), i] = values[i]
    rest = np.zeros((Q, 5))
    own = half_combinations(case.start, case.column, levels, entries, level, values, rest)
    half = np.linalg.solve(L, right)
    np.testing.assert_allclose(own, np.sum(half[:e] ** 2, axis=0), **CLOSE)
    np.testing.assert_allclose(np.linalg.solve(L[e:, e:], rest), half[e:], **CLOSE)


def test_lambda_of_the_rest(case: Case) -> None:
    """Every level's Lambda, and its transpose, on rows in another order than the users'."""
    order = case.rng.permutation(Q)
    position = np.argsort(order)
    block, offset, members = (
        np.empty(Q, np.int64),
        np.empty(Q, np.int64),
        np.zeros((Q, 2), np.int64),
    )
    for i, (first, levels, s) in enumerate(case._factors()):
        for column in range(first, first + levels * s):
            block[column], offset[column] = i, (column - first) % s
            base = column - offset[column]
            members[column, :s] = position[base : base + s]
    b, out = case.rng.normal(size=(Q, 2)), np.empty((Q, 2))
    whole = case.Lambda(case.lam, case.stack)[case.e :, case.e :]
    for transpose, matrix in ((True, whole.T), (False, whole)):
        taken = block[order], members[order], offset[order]
        scale_rest(*taken, case.sizes, case.stack, transpose, b[order], out)
        np.testing.assert_allclose(out, (matrix @ b)[order], **CLOSE)


def log_det(case: Case, lam: np.ndarray, stack: np.ndarray) -> float:
    return 0.5 * float(np.linalg.slogdet(case.M(lam, stack))[1])


def test_slopes_and_the_levels_own_inverses(case: Case) -> None:
    """d log|L_Z| by every entry of every Lambda against differences of the dense value."""
    _, levels, entries = case.factored()
    w = np.linalg.inv(case.S).ravel()
    own, rest = np.zeros_like(case.lam), np.zeros_like(case.stack)
    blocks = np.empty_like(levels)
    slope_border(
        case.zz, case.start, case.node, case.block, case.value, case.lam, case.stack, case.sizes,
        levels, entries, case.place, w, own, rest, blocks,
    )  # fmt: skip
    slope_rest(case.among, case.among_place, case.stack, case.sizes, w, rest)
    step = 1e-5
    for a in range(case.k):
        for b in range(case.k):
            move = np.zeros_like(case.lam)
            move[a, b] = step
            values = [log_det(case, case.lam + s * move, case.stack) for s in (1, -1)]
            assert own[a, b] == pytest.approx(
                (values[0] - values[1]) / (2 * step), rel=1e-6, abs=1e-6
            )
    for i, (_, s) in enumerate(REST):
        for a in range(s):
            for b in range(s):
                move = np.zeros_like(case.stack)
                move[i, a, b] = step
                values = [log_det(case, case.lam, case.stack + t * move) for t in (1, -1)]
                expected = (values[0] - values[1]) / (2 * step)
                assert rest[i, a, b] == pytest.approx(expected, rel=1e-6, abs=1e-6)
    inverse = np.linalg.inv(case.M(case.lam, case.stack))
    for j, block in enumerate(blocks):
        where = slice(case.k * j, case.k * (j + 1))
        np.testing.assert_allclose(block, inverse[where, where], **CLOSE)


def test_products_of_pairs_are_applied_both_ways() -> None:
    rng = np.random.default_rng(99)
    whole = rng.normal(size=(5, 4, 2, 3)) * (rng.random((5, 4)) < 0.5)[:, :, None, None]
    met = np.any(whole != 0, axis=(2, 3))
    rows, other = np.nonzero(met)
    start = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=5))]).astype(np.int64)
    x_a, x_b = rng.normal(size=(5, 2, 3)), rng.normal(size=(4, 3, 3))
    y_a, y_b = rng.normal(size=x_a.shape), rng.normal(size=x_b.shape)
    expected = (
        y_a + np.einsum("jgab,gbr->jar", whole, x_b),
        y_b + np.einsum("jgab,jar->gbr", whole, x_a),
    )
    apply_pairs(start, other, whole[met], x_a, x_b, y_a, y_b)
    np.testing.assert_allclose(y_a, expected[0], **CLOSE)
    np.testing.assert_allclose(y_b, expected[1], **CLOSE)


def test_keys_are_those_of_the_lower_triangle() -> None:
    """Two levels, three entries and none; the columns of one come in falling order."""
    start = np.array([0, 3, 3, 5])
    found = border_keys(start, np.array([0, 2, 5, 4, 1]), 6)
    pairs = [(0, 0), (0, 2), (0, 5), (2, 2), (2, 5), (5, 5), (4, 4), (1, 4), (1, 1)]
    np.testing.assert_array_equal(found, [column * 6 + row for column, row in pairs])

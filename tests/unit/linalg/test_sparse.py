"""The sparse Cholesky toolbox against dense numpy, over patterns of every kind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp

from bayeslmm.linalg.compiled import kernel
from bayeslmm.linalg.ordering import ordering
from bayeslmm.linalg.sparse import (
    factor,
    log_diagonal,
    scatter,
    selected_inverse,
    solve_lower,
    solve_upper,
)
from bayeslmm.linalg.symbolic import Symbolic, analyse, cost

Pairs = list[tuple[int, int]]


def lower(n: int, pairs: Pairs, seed: int = 0) -> sp.csc_array:
    """Lower triangle of a positive definite matrix with random entries at these pairs."""
    dense = np.zeros((n, n))
    rng = np.random.default_rng(seed)
    for i, j in pairs:
        dense[max(i, j), min(i, j)] = rng.standard_normal()
    dense -= np.diag(np.diag(dense))
    whole = dense + dense.T
    dense += np.diag(np.abs(whole).sum(axis=0) + rng.uniform(0.5, 2.0, n))
    return sp.csc_array(dense)


def grid(k: int) -> Pairs:
    across = [(r * k + c, r * k + c + 1) for r in range(k) for c in range(k - 1)]
    return across + [(r * k + c, (r + 1) * k + c) for r in range(k - 1) for c in range(k)]


def random_pairs(n: int, each: int, seed: int) -> Pairs:
    drawn = np.random.default_rng(seed).integers(0, n, (n * each, 2))
    return [(int(i), int(j)) for i, j in drawn]


def nested(outer: int, inner: int, deepest: int) -> Pairs:
    """Three levels: each level of a factor is joined to the levels that it lies within."""
    middle, pairs = outer, []
    bottom = outer + outer * inner
    for a in range(outer):
        for b in range(inner):
            m = middle + a * inner + b
            pairs.append((a, m))
            for c in range(deepest):
                s = bottom + (a * inner + b) * deepest + c
                pairs += [(a, s), (m, s)]
    return pairs


ARROW = [(0, i) for i in range(1, 60)]
TREE = [((i - 1) // 2, i) for i in range(1, 127)]
STAR_OF_STARS = [(0, i) for i in range(1, 13)] + [
    (a, 13 + 12 * (a - 1) + k) for a in range(1, 13) for k in range(12)
]
BLOCKS = [(5 * b + i, 5 * b + j) for b in range(12) for i in range(5) for j in range(i)]

CASES: dict[str, tuple[int, Pairs]] = {
    "empty": (0, []),
    "one": (1, []),
    "pair": (2, [(0, 1)]),
    "diagonal": (40, []),
    "dense-3": (3, [(i, j) for i in range(3) for j in range(i)]),
    "dense-90": (90, [(i, j) for i in range(90) for j in range(i)]),
    "arrow": (60, ARROW),
    "tree": (127, TREE),
    "stars": (157, STAR_OF_STARS),
    "nested": (4 + 20 + 100, nested(4, 5, 5)),
    "blocks": (60, BLOCKS),
    "band": (70, [(i, i + d) for i in range(66) for d in (1, 2, 4)]),
    "grid": (144, grid(12)),
    "random-1": (200, random_pairs(200, 1, 1)),
    "random-3": (200, random_pairs(200, 3, 2)),
    "random-9": (120, random_pairs(120, 9, 3)),
    "isolated": (150, random_pairs(80, 2, 4)),
    "one-dense-row": (200, random_pairs(200, 1, 5) + [(7, i) for i in range(200)]),
    "crossed": (60, [(i, 20 + int(j)) for i in range(20) for j in (np.arange(9) * 7 + i) % 40]),
}
TREES = ("diagonal", "arrow", "tree", "stars", "nested", "blocks")


@pytest.fixture(params=CASES, ids=list(CASES))
def matrix(request: pytest.FixtureRequest) -> sp.csc_array:
    return lower(*CASES[request.param])


def permuted(matrix: sp.csc_array, symbolic: Symbolic) -> np.ndarray:
    """The dense `P A P'`."""
    dense = matrix.toarray()
    whole = dense + np.tril(dense, -1).T
    return whole[np.ix_(symbolic.perm, symbolic.perm)]


def pattern(s: Symbolic) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return s.colptr, s.rows, s.panels


def factored(matrix: sp.csc_array, s: Symbolic, place: np.ndarray | None = None) -> np.ndarray:
    x = np.empty(s.nnz)
    scatter(s.place if place is None else place, matrix.data, x)
    assert factor(*pattern(s), x, *s.workspace()) == 0
    return x


def unpacked(x: np.ndarray, s: Symbolic) -> np.ndarray:
    return sp.csc_array((x, s.rows, s.colptr), shape=(s.size, s.size)).toarray()


def misfit(matrix: sp.csc_array, s: Symbolic, place: np.ndarray | None = None) -> float:
    """Largest error of `L L'` against `P A P'`."""
    dense = unpacked(factored(matrix, s, place), s)
    return float(np.abs(dense @ dense.T - permuted(matrix, s)).max(initial=0.0))


def test_factor_reproduces_the_permuted_matrix(matrix: sp.csc_array) -> None:
    assert misfit(matrix, analyse(matrix.indptr, matrix.indices)) < 1e-11


def test_a_wrong_place_is_seen() -> None:
    """The comparison above fails when two different entries are scattered to each other's place."""
    matrix = lower(*CASES["grid"])
    s = analyse(matrix.indptr, matrix.indices)
    columns = np.repeat(np.arange(s.size), np.diff(matrix.indptr))
    off = np.flatnonzero(matrix.indices != columns)[:2]
    wrong = s.place.copy()
    wrong[off] = wrong[off[::-1]]
    assert misfit(matrix, s) < 1e-11
    assert misfit(matrix, s, wrong) > 1e-3


def test_the_pattern_is_in_order(matrix: sp.csc_array) -> None:
    """Permutations are inverse; the diagonal is first, rows ascend, trees point upwards."""
    s = analyse(matrix.indptr, matrix.indices)
    np.testing.assert_array_equal(np.sort(s.perm), np.arange(s.size))
    np.testing.assert_array_equal(s.perm[s.inverse], np.arange(s.size))
    for j in range(s.size):
        rows = s.rows[s.colptr[j] : s.colptr[j + 1]]
        assert rows[0] == j
        assert np.all(np.diff(rows) > 0)
        assert s.parent[j] == (rows[1] if len(rows) > 1 else -1)
    assert s.panels[0] == 0 and s.panels[-1] == s.size
    assert len(np.unique(s.place)) == matrix.nnz


def test_cost_is_the_real_count(matrix: sp.csc_array) -> None:
    """Counted without a pattern, as many entries as playing the elimination makes."""
    s = analyse(matrix.indptr, matrix.indices)
    counts = eliminated(permuted(matrix, s) != 0)
    assert cost(matrix.indptr, matrix.indices, s.perm) == (counts.sum(), np.sum(counts**2.0))
    assert (s.nnz, s.flops) == (counts.sum(), np.sum(counts**2.0))
    np.testing.assert_array_equal(np.diff(s.colptr), counts)
    given = ordering(matrix.indptr, matrix.indices)
    assert cost(matrix.indptr, matrix.indices, given) == (s.nnz, s.flops)


def eliminated(entries: np.ndarray) -> np.ndarray:
    """Column counts of L by playing the elimination on a boolean matrix."""
    graph, counts = entries.copy(), np.zeros(len(entries), np.int64)
    for j in range(len(entries)):
        below = j + 1 + np.flatnonzero(graph[j + 1 :, j])
        counts[j] = 1 + len(below)
        graph[np.ix_(below, below)] = True
    return counts


@pytest.mark.parametrize("name", TREES)
def test_nested_designs_have_no_fill(name: str) -> None:
    matrix = lower(*CASES[name])
    assert analyse(matrix.indptr, matrix.indices).nnz == matrix.nnz


def test_a_large_nested_design_has_no_fill() -> None:
    """Outer levels with more than `10 sqrt(n)` inner ones, so that they count as dense."""
    outer, inner = 4, 2500
    n = outer + outer * inner
    row = np.arange(outer, n)
    entries = (np.ones(len(row)), (row, (row - outer) % outer))
    matrix = sp.csc_array(sp.coo_array(entries, shape=(n, n)))
    perm = ordering(matrix.indptr, matrix.indices)
    assert set(perm[-outer:]) == set(range(outer))
    assert cost(matrix.indptr, matrix.indices, perm)[0] == n + outer * inner


@pytest.mark.parametrize("seed", range(20))
def test_deep_nesting_has_no_fill(seed: int) -> None:
    """Random trees of any depth in which every node is joined to all that it lies within."""
    rng = np.random.default_rng(seed)
    above, pairs = [-1], []
    for i in range(1, 150):
        above.append(int(rng.integers(max(0, i - 20), i)))
        a = above[i]
        while a >= 0:
            pairs.append((a, i))
            a = above[a]
    shuffled = rng.permutation(150)
    matrix = lower(150, [(int(shuffled[i]), int(shuffled[j])) for i, j in pairs])
    assert analyse(matrix.indptr, matrix.indices).nnz == matrix.nnz


@pytest.mark.parametrize("seed", range(4))
def test_minimum_degree_is_near_the_exact_one(seed: int) -> None:
    """On grids and random graphs at most 1.25 times the fill of an exact minimum degree order."""
    pairs = grid(14) if seed == 0 else random_pairs(196, 2, seed)
    matrix = lower(196, pairs, seed)
    graph = matrix.toarray() != 0
    graph |= graph.T
    alive, total = np.ones(196, bool), 0
    for _ in range(196):
        degree = np.where(alive, (graph & alive).sum(axis=1), 10**6)
        j = int(degree.argmin())
        total += degree[j]
        around = np.flatnonzero(graph[j] & alive)
        graph[np.ix_(around, around)] = True
        alive[j] = False
    perm = ordering(matrix.indptr, matrix.indices)
    assert cost(matrix.indptr, matrix.indices, perm)[0] <= 1.25 * total


def test_ordering_takes_any_triangle() -> None:
    """Lower, upper and full patterns, sorted or not, are the same graph."""
    matrix = lower(*CASES["random-3"])
    whole = sp.csc_array(matrix + sp.tril(matrix, -1).T)
    upper = sp.csc_array(matrix.T)
    expected = cost(matrix.indptr, matrix.indices, ordering(matrix.indptr, matrix.indices))
    for other in (whole, upper):
        perm = ordering(other.indptr, other.indices)
        assert sorted(perm) == list(range(200))
        assert cost(matrix.indptr, matrix.indices, perm)[0] == pytest.approx(expected[0], rel=0.1)


@pytest.mark.parametrize("r", [1, 2, 7, 130])
def test_triangular_solves(matrix: sp.csc_array, r: int) -> None:
    s = analyse(matrix.indptr, matrix.indices)
    x = factored(matrix, s)
    dense = unpacked(x, s)
    b = np.random.default_rng(r).standard_normal((s.size, r))
    below, above = b.copy(), b.copy()
    solve_lower(*pattern(s), x, below)
    solve_upper(*pattern(s), x, above)
    np.testing.assert_allclose(dense @ below, b, atol=1e-11)
    np.testing.assert_allclose(dense.T @ above, b, atol=1e-11)


def test_selected_inverse_and_log_determinant(matrix: sp.csc_array) -> None:
    s = analyse(matrix.indptr, matrix.indices)
    x = factored(matrix, s)
    z = np.full(s.nnz, np.nan)
    selected_inverse(*pattern(s), x, z, *s.workspace())
    dense = permuted(matrix, s)
    columns = np.repeat(np.arange(s.size), np.diff(s.colptr))
    np.testing.assert_allclose(z, np.linalg.inv(dense)[s.rows, columns], atol=1e-12, rtol=1e-10)
    np.testing.assert_allclose(
        2 * log_diagonal(s.colptr, x), np.linalg.slogdet(dense)[1], rtol=1e-12
    )


@pytest.mark.parametrize("value", [-1.0, 0.0, np.nan, np.inf])
def test_a_bad_pivot_is_reported(value: float) -> None:
    """The column returned is the first whose leading minor isn't positive (permuted, from 1)."""
    matrix = lower(*CASES["grid"])
    s = analyse(matrix.indptr, matrix.indices)
    x = np.empty(s.nnz)
    scatter(s.place, matrix.data, x)
    x[s.colptr[100]] = value
    dense = permuted(matrix, s)
    dense[100, 100] = value
    np.linalg.cholesky(dense[:100, :100])
    assert factor(*pattern(s), x, *s.workspace()) == 101


def test_a_given_order_is_kept_up_to_postorder() -> None:
    """The fill is that of the order handed in: an arrow pointing the wrong way fills entirely."""
    matrix = lower(60, ARROW)
    s = analyse(matrix.indptr, matrix.indices, np.arange(60))
    assert s.nnz == 60 * 61 // 2
    assert misfit(matrix, s) < 1e-11


@pytest.mark.parametrize(
    ("indptr", "indices", "perm", "words"),
    [
        ([0, 1], [3], [0], "row indices"),
        ([0, 1], [-1], [0], "row indices"),
        ([0, 2], [0], [0], "indptr"),
        ([0, 2, 1], [0], [0, 1], "indptr"),
        ([], [], [], "indptr"),
        ([0, 1, 2], [0, 1], [0], "permutation"),
        ([0, 1, 2], [0, 1], [1, 1], "permutation"),
    ],
)
def test_refusals(indptr: list[int], indices: list[int], perm: list[int], words: str) -> None:
    """Indices out of bounds never reach a kernel."""
    for function in (analyse, cost):
        with pytest.raises(ValueError, match=words):
            function(indptr, indices, perm)
    if words != "permutation":
        with pytest.raises(ValueError, match=words):
            ordering(indptr, indices)


def test_threads_with_their_own_arrays_get_the_same_numbers() -> None:
    """Values of each thread are bitwise those of a single one."""
    matrix = lower(*CASES["random-3"])
    s = analyse(matrix.indptr, matrix.indices)
    scaled = [matrix * scale for scale in np.linspace(1.0, 3.0, 16)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda each: factored(each, s), scaled))
    for each, x in zip(scaled, together, strict=True):
        np.testing.assert_array_equal(x, factored(each, s))


@kernel
def _quadratic(colptr, rows, panels, x, links, spare, b):  # type: ignore[no-untyped-def]
    factor(colptr, rows, panels, x, links, spare)
    solve_lower(colptr, rows, panels, x, b)
    return np.sum(b * b)


def test_kernels_call_kernels() -> None:
    """`b'A⁻¹b` by one compiled function of plain arrays."""
    matrix = lower(*CASES["nested"])
    s = analyse(matrix.indptr, matrix.indices)
    x, b = np.empty(s.nnz), np.random.default_rng(1).standard_normal((s.size, 1))
    scatter(s.place, matrix.data, x)
    expected = (b.T @ np.linalg.solve(permuted(matrix, s), b)).item()
    assert _quadratic(*pattern(s), x, *s.workspace(), b) == pytest.approx(expected, rel=1e-12)

"""Estimable functions: hand calculations on two-way tables, exact row reduction, and rank."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from bayeslmm.design import aliasing, estimable_basis, is_estimable, why_not
from bayeslmm.design.estimability import combination_text

# Rows of each cell of an unbalanced table of 2 x 3; the cell (2, 3) is empty.
COUNTS = np.array([[2, 1, 1], [1, 2, 0]])
MAIN = ["mu", "a1", "a2", "b1", "b2", "b3"]
CELLS = ["ab11", "ab12", "ab13", "ab21", "ab22", "ab23"]


def table(counts: np.ndarray, *, interaction: bool) -> np.ndarray:
    """The overparametrised X: a column for the mean, every level and, if asked, every cell."""
    i, j = (np.repeat(part.ravel(), counts.ravel()) for part in np.indices(counts.shape))
    parts = [np.ones((len(i), 1)), np.eye(2)[i], np.eye(3)[j]]
    if interaction:
        parts.append(np.eye(6)[3 * i + j])
    return np.column_stack(parts)


def weights(names: list[str], given: dict[str, float]) -> np.ndarray:
    return np.array([given.get(name, 0.0) for name in names])


# In a connected table without interaction, mu + a_i + b_j and all its differences are estimable:
# the weights of a and those of b each sum to that of mu (Searle, 1971, sec. 7.1).
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"a1": 1, "a2": -1}, True),
        ({"b1": 1, "b3": -1}, True),
        ({"b1": 1, "b2": 1, "b3": -2}, True),
        ({"mu": 1, "a2": 1, "b3": 1}, True),  # the mean of the empty cell: the others tell it
        ({"mu": 1, "a1": 0.5, "a2": 0.5, "b1": 1 / 3, "b2": 1 / 3, "b3": 1 / 3}, True),
        ({"mu": 1}, False),
        ({"a1": 1}, False),
        ({"a1": 1, "a2": 1}, False),
        ({"mu": 1, "a1": 1}, False),
        ({"a1": 1, "a2": -1, "b1": 0.01}, False),
    ],
)
def test_two_way_without_interaction(given: dict[str, float], expected: bool) -> None:
    found = aliasing(table(COUNTS, interaction=False), MAIN)
    assert found.rank == 4
    assert is_estimable(found, MAIN, weights(MAIN, given)) is expected


# With interaction only the means of filled cells, and their combinations, are estimable.
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"mu": 1, "a1": 1, "b3": 1, "ab13": 1}, True),
        ({"mu": 1, "a2": 1, "b3": 1, "ab23": 1}, False),
        ({"a1": 1, "a2": -1}, False),
        ({"a1": 1, "a2": -1, "ab11": 1, "ab21": -1}, True),
        ({"a1": 2, "a2": -2, "ab11": 1, "ab21": -1, "ab12": 1, "ab22": -1}, True),
        ({"a1": 1, "a2": -1, "ab13": 1, "ab23": -1}, False),
        ({"ab11": 1, "ab12": -1, "ab21": -1, "ab22": 1}, True),
        ({"ab11": 1, "ab13": -1, "ab21": -1, "ab23": 1}, False),
        ({"b1": 1, "b3": -1, "ab11": 1, "ab13": -1}, True),
    ],
)
def test_two_way_with_interaction(given: dict[str, float], expected: bool) -> None:
    names = MAIN + CELLS
    found = aliasing(table(COUNTS, interaction=True), names)
    assert found.rank == 5  # the filled cells
    assert is_estimable(found, names, weights(names, given)) is expected


def test_a_disconnected_table_tells_no_difference_across_its_parts() -> None:
    # levels a1 with b1 and b2; a2 with b3 alone
    found = aliasing(table(np.array([[2, 1, 0], [0, 0, 2]]), interaction=False), MAIN)
    assert found.rank == 3
    assert is_estimable(found, MAIN, weights(MAIN, {"b1": 1, "b2": -1}))
    assert not is_estimable(found, MAIN, weights(MAIN, {"b1": 1, "b3": -1}))
    assert not is_estimable(found, MAIN, weights(MAIN, {"a1": 1, "a2": -1}))
    assert is_estimable(found, MAIN, weights(MAIN, {"a1": 1, "a2": -1, "b1": 1, "b3": -1}))


def reduced(X: np.ndarray) -> np.ndarray:
    """The reduced row echelon form in exact fractions."""
    rows = [[Fraction(int(v)) for v in row] for row in X]
    done = 0
    for c in range(X.shape[1]):
        pivot = next((r for r in range(done, len(rows)) if rows[r][c] != 0), None)
        if pivot is None:
            continue
        rows[done], rows[pivot] = rows[pivot], rows[done]
        rows[done] = [v / rows[done][c] for v in rows[done]]
        for r in range(len(rows)):
            if r != done and rows[r][c] != 0:
                rows[r] = [v - rows[r][c] * w for v, w in zip(rows[r], rows[done], strict=True)]
        done += 1
    return np.array([[float(v) for v in row] for row in rows[:done]])


@pytest.mark.parametrize("seed", range(6))
def test_the_basis_is_the_reduced_row_echelon_form(seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = rng.integers(-3, 4, (12, 4)), rng.integers(-2, 3, (4, 7))
    X = (left @ right).astype(float)
    names = list("abcdefg")
    expected = reduced(X)
    np.testing.assert_allclose(estimable_basis(aliasing(X, names), names), expected, atol=1e-11)


@pytest.mark.parametrize("seed", range(4))
def test_units_of_columns_and_size_of_the_function_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(15, 3)) @ rng.normal(size=(3, 6))
    names = list("abcdef")
    units = 10.0 ** rng.integers(-9, 10, 6)
    found = aliasing(X * units, names)
    assert found.rank == 3
    inside = (X.T @ rng.normal(size=15)) * units
    outside = inside + 1e-3 * np.linalg.norm(inside / units) * np.eye(6)[5] * units
    for size in (1e-12, 1.0, 1e12):
        assert is_estimable(found, names, size * inside)
        assert not is_estimable(found, names, size * outside)


@pytest.mark.parametrize("seed", range(4))
def test_estimable_means_the_same_for_every_least_squares_solution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = table(COUNTS, interaction=True), rng.normal(size=COUNTS.sum())
    names = MAIN + CELLS
    found = aliasing(X, names)
    inverse = np.linalg.pinv(X)
    other = inverse @ y + (np.eye(len(names)) - inverse @ X) @ rng.normal(size=len(names))
    kept = np.zeros(len(names))
    kept[list(found.kept)] = np.linalg.lstsq(X[:, found.kept], y, rcond=None)[0]
    for row in estimable_basis(found, names):
        assert row @ other == pytest.approx(row @ kept)
    for name in names:
        c = weights(names, {name: 1})
        assert np.isclose(c @ other, c @ kept) == is_estimable(found, names, c)


def test_the_reason_names_columns_and_weights() -> None:
    names = ["Intercept", "a", "b", "zero"]
    a = np.array([0.0, 1, 0, 1, 1])
    X = np.column_stack([np.ones(5), a, 2 - 3 * a, 0 * a])
    found = aliasing(X, names)
    assert why_not(found, names, weights(names, {"a": 1, "b": -3})) is None
    said = why_not(found, names, weights(names, {"a": 1, "b": 1}))
    assert said is not None
    assert "'b' equals 2 Intercept - 3 a" in said
    assert "2 w[Intercept] - 3 w[a] = -3, got 1" in said
    said = why_not(found, names, weights(names, {"zero": 2.5}))
    assert said is not None and "'zero' is zero in all rows" in said and "got 2.5" in said


def test_full_rank_and_no_columns() -> None:
    X = np.random.default_rng(3).normal(size=(6, 2))
    found = aliasing(X, ["a", "b"])
    np.testing.assert_array_equal(estimable_basis(found, ["a", "b"]), np.eye(2))
    assert is_estimable(found, ["a", "b"], np.array([0.3, -7e9]))
    assert estimable_basis(aliasing(np.empty((4, 0)), []), []).shape == (0, 0)


def test_combinations_are_written_as_people_do() -> None:
    assert combination_text({"a": 1.0, "b": -1.0, "c": 0.5}) == "a - b + 0.5 c"
    assert combination_text({"a": -2.0}) == "-2 a"
    assert combination_text({"a": -1.0, "b": 1.0}) == "-a + b"
    assert combination_text({}) == "0"

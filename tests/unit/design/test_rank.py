"""Aliased columns: found in order, whatever their units, with the combination that they are."""

from __future__ import annotations

import numpy as np
import pytest

from bayeslmm.design import aliasing

RNG = np.random.default_rng(11)
A, B, C = RNG.normal(size=(3, 20))
ONE = np.ones(20)

CASES = [
    ("independent", {"1": ONE, "a": A, "b": B}, {}),
    ("copy", {"a": A, "b": B, "c": A}, {"c": {"a": 1.0}}),
    ("sum", {"1": ONE, "a": A, "b": 2 - 3 * A}, {"b": {"1": 2.0, "a": -3.0}}),
    ("zero", {"a": A, "z": 0 * A, "b": B}, {"z": {}}),
    ("constant", {"1": ONE, "five": 5 * ONE}, {"five": {"1": 5.0}}),
    (
        "two",
        {"a": A, "b": B, "s": A + B, "d": A - B, "c": C},
        {"s": {"a": 1.0, "b": 1.0}, "d": {"a": 1.0, "b": -1.0}},
    ),
]


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e9])
@pytest.mark.parametrize(("columns", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_aliased_columns(
    columns: dict[str, np.ndarray], expected: dict[str, dict[str, float]], scale: float
) -> None:
    names = list(columns)
    found = aliasing(np.column_stack(list(columns.values())) * scale, names)
    assert found.aliased.keys() == expected.keys()
    for name, combination in expected.items():
        assert found.aliased[name] == pytest.approx(combination)
    assert [names[i] for i in found.kept] == [n for n in names if n not in expected]
    assert found.rank == len(names) - len(expected)


def test_units_of_single_columns_do_not_matter() -> None:
    X = np.column_stack([ONE, A * 1e-8, B * 1e8, A * 1e8])
    found = aliasing(X, ["1", "a", "b", "big"])
    assert found.kept == (0, 1, 2)
    assert found.aliased == {"big": {"a": pytest.approx(1e16)}}


def test_tolerance_is_that_of_lm() -> None:
    for size, kept in [(1e-5, 2), (1e-9, 1)]:
        X = np.column_stack([ONE, ONE + size * (A - A.mean())])
        assert aliasing(X, ["1", "near"]).rank == kept


def test_more_columns_than_rows() -> None:
    X = RNG.normal(size=(3, 5))
    found = aliasing(X, list("abcde"))
    assert found.kept == (0, 1, 2)
    for name, column in zip("de", X.T[3:], strict=True):
        weights = [found.aliased[name][k] for k in "abc"]
        np.testing.assert_allclose(X[:, :3] @ weights, column)


def test_no_columns() -> None:
    assert aliasing(np.empty((4, 0)), []).kept == ()


@pytest.mark.parametrize("n", [4_096, 4_097, 20_001])
def test_long_designs_are_read_in_stretches(n: int) -> None:
    rng = np.random.default_rng(12)
    a, b = rng.normal(size=(2, n))
    one = np.ones(n)
    columns = [one, 1e8 * a, 0 * a, 1e-8 * b, 3 - 2 * a, one + 1e-9 * b, one + 1e-5 * b]
    found = aliasing(np.column_stack([*columns, a * b]), list("1azbsnmp"))
    assert found.kept == (0, 1, 3, 7)
    assert found.aliased.keys() == set("zsnm")
    # rounding grows with the number of rows, by far less than 1e-9 here
    assert found.aliased["s"] == pytest.approx({"1": 3.0, "a": -2e-8}, rel=1e-9)
    assert found.aliased["m"] == pytest.approx({"1": 1.0, "b": 1e3}, rel=1e-9)

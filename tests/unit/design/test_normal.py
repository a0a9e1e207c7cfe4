"""Columns in normal form: distinct numbers without sorting, and a table of their own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayeslmm.design import learn
from bayeslmm.design.columns import normalise
from bayeslmm.design.normal import distinct
from bayeslmm.formula import parse

RNG = np.random.default_rng(29)

NUMBERS = {
    "a small range": RNG.integers(-5, 6, 2_000),
    "a wide range": RNG.integers(-(10**15), 10**15, 2_000),
    "the widest range": np.array([-(2**63), 2**63 - 1, 0, -(2**63)] * 500),
    "at the limit": np.array([2**63 - 1, 2**63 - 3] * 3),
    "few": np.array([10**12, 3, 10**12]),
    "floats": RNG.integers(0, 50, 2_000) / 3,
    "zeros of both signs": np.array([0.0, -0.0, 1.5] * 500),
    "small": np.array([2, 1, 2], dtype=np.int8),
}


@pytest.mark.parametrize("values", NUMBERS.values(), ids=NUMBERS)
def test_distinct_is_numpys_unique(values: np.ndarray) -> None:
    found, codes = distinct(values)
    expected, inverse = np.unique(values, return_inverse=True)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(codes, inverse)
    assert codes.dtype == np.intp


@pytest.mark.parametrize("dtype", [object, "str", "string", "string[python]"])
def test_levels_of_text_are_in_the_order_of_their_characters(dtype: object) -> None:
    texts = ["b", "a10", "ä", "a2", "B", "b", "Z"]
    column = normalise(pd.Series(texts, dtype=dtype), "g")
    levels, codes = column.coded
    assert levels.tolist() == sorted(set(texts))
    assert levels[codes].tolist() == texts


def test_a_design_keeps_its_numbers_when_the_table_changes() -> None:
    data = pd.DataFrame({"y": [1.0, 2.0, 4.0], "x": [1, 2, 5], "g": [7, 8, 7]})
    arrays = {name: data[name].to_numpy().copy() for name in data}
    design = learn(parse("y ~ x + (1 | g)"), arrays)
    for values in arrays.values():
        values[:] = 0
    assert design.y.tolist() == [1.0, 2.0, 4.0]
    assert design.X[:, 1].tolist() == [1.0, 2.0, 5.0]
    pd.testing.assert_frame_equal(design.frame, data)


def test_the_table_is_made_once_and_only_when_asked_for() -> None:
    data = {"y": [1.0, 2.0, 4.0], "x": [True, False, True], "g": ["b", "a", "b"]}
    design = learn(parse("y ~ x + (1 | g)"), data)
    assert "frame" not in vars(design)
    assert design.frame is design.frame
    assert design.frame["g"].tolist() == data["g"]
    assert design.frame["x"].tolist() == data["x"]


def test_terms_of_one_text_share_their_columns() -> None:
    data = {"y": [1.0, 2.0, 4.0], "x": [1.0, 3.0, 2.0], "g": ["b", "a", "b"], "h": [1, 1, 2]}
    design = learn(parse("y ~ x + (x | g) + (1 | h)"), data)
    assert design.blocks[0].values is design.X
    assert design.blocks[1].values.shape == (3, 1)

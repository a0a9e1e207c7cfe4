"""Which level a value is: by value, and between text and numbers by how both are written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from bayeslmm.design import learn
from bayeslmm.design.columns import normalise
from bayeslmm.design.levels import codes_of
from bayeslmm.errors import LevelError
from bayeslmm.formula import parse


def codes(new: Any, learnt: list[Any]) -> list[int]:
    column = pd.Series(new, name="g")
    if column.dtype == object or isinstance(column.iloc[0], str):
        column = column.astype("category")
    return codes_of(normalise(column, "g"), np.array(learnt)).tolist()


@pytest.mark.parametrize(
    ("new", "learnt", "expected"),
    [
        ([308, 309, 310], ["310", "308"], [1, -1, 0]),
        ([308.0, 0.5], ["308", "0.5"], [0, 1]),
        ([308.0], ["308.0"], [0]),
        (["308", "309"], [307, 308], [1, -1]),
        (["0.5", "1"], [0.5, 1.0], [0, 1]),
        ([2**53 + 1], [str(2**53), str(2**53 + 1)], [1]),
        ([1, 7], ["a", "b", "nan", "1_0"], [-1, -1]),
        (["a", "b"], [1, 2], [-1, -1]),
        ([12], ["1_2"], [-1]),
        (["7", "007"], ["007", "7"], [1, 0]),
    ],
)
def test_text_and_numbers_match_as_they_are_written(
    new: list[Any], learnt: list[Any], expected: list[int]
) -> None:
    assert codes(new, learnt) == expected


@pytest.mark.parametrize(
    ("new", "learnt", "words"),
    [
        ([1, 7], ["1", "007"], "numbers in the new rows and were text.*7, in row 1.*'007'"),
        ([7], ["7", "007"], "7, in row 0, may or may not be '7' or '007'.*Give the column as"),
        ([308], ["308.0"], "'308.0'"),
        (["308.0"], [308], "text in the new rows and were numbers.*'308.0'.* 308"),
        (["1e3"], [1000], "1000"),
        ([float(2**53)], [str(2**53)], "may or may not"),
    ],
)
def test_alike_is_not_the_same(new: list[Any], learnt: list[Any], words: str) -> None:
    with pytest.raises(LevelError, match=words):
        codes(new, learnt)


def test_levels_of_another_type_through_a_design() -> None:
    """Grouping factors, combinations and fixed columns; an unseen one names the mismatch."""
    frame = pd.DataFrame(
        {
            "y": [1.0, 2.0, 4.0, 3.0, 6.0, 5.0],
            "f": list("121212"),
            "g": ["308", "309", "310"] * 2,
            "h": [1, 1, 1, 2, 2, 2],
        }
    )
    design = learn(parse("y ~ f + (1 | g) + (1 | h:g)"), frame)
    other = frame.astype({"f": int, "g": float}).assign(h=frame["h"].astype(str))
    rows = design.apply(other.drop(columns="y"))
    np.testing.assert_array_equal(rows.X, design.X)
    for block, own in zip(rows.blocks, design.blocks, strict=True):
        np.testing.assert_array_equal(block.codes, own.codes)
    with pytest.raises(LevelError, match=r"'7' of 'g'.*a number, and the model's levels are text"):
        design.apply(other.assign(g=7))

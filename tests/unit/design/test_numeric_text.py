"""A numeric column that was read as text: seen, with the values at fault and the remedy."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.design.numeric_text import numeric_text
from bayeslmm.errors import BayeslmmWarning, DataError, DataWarning

RNG = np.random.default_rng(1)
N = 60
X = RNG.normal(size=N).round(2)
BASE = pd.DataFrame({"y": X + RNG.normal(size=N), "g": np.tile(list("abcdef"), N // 6), "x": X})
CLEAN = list(map(str, X))
POINTS = [*CLEAN[:-2], ".", "."]
NA = [*CLEAN[:-1], "NA"]
COMMAS = [text.replace(".", ",") for text in CLEAN]
DIRTY = [*CLEAN[:-1], "1.3 kg"]


def with_text(values: list[str]) -> pd.DataFrame:
    return BASE.assign(x=values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (POINTS, "because of '.'"),
        (NA, "because of 'NA'"),
        (COMMAS, "decimal commas"),
        (DIRTY, "because of '1.3 kg'"),
        (CLEAN, "although all of them are numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore::bayeslmm.errors.BayeslmmWarning")
def test_the_values_at_fault_and_the_remedy(values: list[str], words: str) -> None:
    data = with_text(values)
    text = next(note for note in bl.Model("y ~ x + (1 | g)", data).notes if "is text" in note)
    assert words in text
    remedy = text.partition("write ")[2].partition(";")[0]
    exec(remedy, {"data": data, "pd": pd})  # what a user would type
    assert data["x"].dtype == float
    found = pd.to_numeric(pd.Series(values).str.replace(",", "."), errors="coerce")
    np.testing.assert_allclose(data["x"], found)


def test_it_is_a_warning() -> None:
    with pytest.warns(DataWarning, match="'x' is text, because of 'NA'"):
        bl.Model("y ~ x", with_text([*map(str, range(3)), "NA"] * 15))


@pytest.mark.parametrize(
    ("formula", "values"),
    [
        ("y ~ 1 + (1 | x)", CLEAN),  # numbered levels of a grouping factor
        ("y ~ C(x)", CLEAN),  # asked for
        ("y ~ x", [str(i % 4) for i in range(N)]),  # a few codes
        ("y ~ x", [f"dose{i % 12}" for i in range(N)]),
        ("y ~ x", [["low", "high"][i % 2] for i in range(N)]),
        ("y ~ x", pd.Categorical([str(i % 30) for i in range(N)])),
    ],
)
def test_what_is_meant_as_a_factor_is_left_alone(formula: str, values: list[str]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", BayeslmmWarning)
        bl.Model(formula, with_text(values))
    assert not [w for w in caught if "is text" in str(w.message)]


def test_a_number_that_is_needed_names_what_is_none() -> None:
    with pytest.raises(DataError) as caught:
        bl.Model("y ~ log(x)", with_text(POINTS))
    assert "'.' is not a number" in str(caught.value)
    assert "errors='coerce'" in str(caught.value)


def test_what_counts_as_a_number() -> None:
    found = numeric_text(["1", "-2.5e3", " 3 ", "1,5", "1_000", "1,2,3", "NaN", "x"])
    assert (found.n_numbers, found.commas) == (4, True)
    assert found.others == ("1_000", "1,2,3", "NaN", "x")

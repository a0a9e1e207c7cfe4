"""Every kind of table and column type comes in as the same design."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from bayeslmm.design import Design, learn
from bayeslmm.errors import ColumnError, DataError, DataWarning, FormulaError
from bayeslmm.formula import parse

FORMULA = parse("y ~ x*f + t + (x | g) + (1 | g:f)")
PLAIN: dict[str, list[Any]] = {
    "y": [1.5, 2.0, 4.0, 3.0, 6.0, 5.0],
    "x": [1, 2, 3, 4, 5, 6],
    "f": ["b", "a", "b", "a", "b", "a"],
    "t": [True, False, True, True, False, False],
    "g": ["s2", "s10", "s2", "s10", "s1", "s1"],
}
BASE = pd.DataFrame(PLAIN)

TABLES = {
    "numpy": pd.DataFrame(
        {k: np.array(v, dtype=object if k in "fg" else None) for k, v in PLAIN.items()}
    ),
    "float32": BASE.astype({"x": "float32", "y": "float32"}),
    "unsigned": BASE.astype({"x": "uint8"}),
    "objects": BASE.astype(object),
    "decimals": BASE.assign(x=[Decimal(v) for v in PLAIN["x"]]),
    "nullable": BASE.convert_dtypes(),
    "arrow": BASE.convert_dtypes(dtype_backend="pyarrow"),
    "string": BASE.astype({"f": "string", "g": "string[pyarrow]"}),
    "categorical": BASE.astype({"f": "category", "g": pd.CategoricalDtype(["s1", "s10", "s2"])}),
    "arrow dictionary": BASE.assign(
        f=pd.array(PLAIN["f"], dtype=pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())))
    ).astype({"f": pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))}),
    "sparse": BASE.astype({"x": pd.SparseDtype("float64", 0.0)}),
    "pyarrow": pa.table(PLAIN),
    "polars": pl.DataFrame(PLAIN),
    "polars categorical": pl.DataFrame(PLAIN).with_columns(pl.col("f", "g").cast(pl.Categorical)),
    "polars enum": pl.DataFrame(PLAIN).with_columns(pl.col("f").cast(pl.Enum(["a", "b"]))),
    "dict of lists": PLAIN,
    "dict of arrays": {k: np.array(v) for k, v in PLAIN.items()},
    "dict of series": {k: pl.Series(v) if k == "f" else pd.Series(v) for k, v in PLAIN.items()},
}
# a dictionary keeps its own order of levels, by appearance here
FIRST_SEEN = {"arrow dictionary"}


def assert_same(a: Design, b: Design) -> None:
    assert a.coefs == b.coefs
    np.testing.assert_array_equal(a.X, b.X)
    np.testing.assert_array_equal(a.y, b.y)
    np.testing.assert_array_equal(a.offset, b.offset)
    assert a.extras.keys() == b.extras.keys()
    for mine, other in zip(a.blocks, b.blocks, strict=True):
        assert (mine.group, mine.coefs, mine.parts) == (other.group, other.coefs, other.parts)
        assert mine.levels.tolist() == other.levels.tolist()
        np.testing.assert_array_equal(mine.codes, other.codes)
        np.testing.assert_array_equal(mine.values, other.values)


@pytest.mark.parametrize("name", [name for name in TABLES if name not in FIRST_SEEN])
def test_every_table_gives_one_design(name: str) -> None:
    design = learn(FORMULA, TABLES[name])
    assert_same(design, learn(FORMULA, BASE))
    assert design.coefs == ("Intercept", "x", "f[b]", "t[True]", "x:f[b]")
    assert design.blocks[0].levels.tolist() == ["s1", "s10", "s2"]


@pytest.mark.parametrize("name", TABLES)
def test_learning_again_from_the_frame_changes_nothing(name: str) -> None:
    design = learn(FORMULA, TABLES[name], extras={"weights": "x", "offset": np.arange(6.0)})
    again = learn(FORMULA, design.frame, extras=design.inputs)
    assert_same(design, again)
    pd.testing.assert_frame_equal(design.frame, again.frame)


@pytest.mark.parametrize("name", TABLES)
def test_training_rows_seen_as_new_rows(name: str) -> None:
    design = learn(FORMULA, TABLES[name])
    rows = design.apply(TABLES[name])
    np.testing.assert_array_equal(rows.X, design.X)
    for new, old in zip(rows.blocks, design.blocks, strict=True):
        np.testing.assert_array_equal(new.codes, old.codes)


def test_dictionary_keeps_its_order() -> None:
    table = pa.table(PLAIN | {"f": pa.array(PLAIN["f"]).dictionary_encode()})
    for data in (TABLES["arrow dictionary"], table):
        assert "f[a]" in learn(FORMULA, data).coefs


def test_categories_keep_their_order_and_unused_ones_go() -> None:
    kind = pd.CategoricalDtype(["c", "b", "z", "a"])
    frame = BASE.astype({"f": kind})
    with pytest.warns(DataWarning, match=r"f: 2 level\(s\) without rows were dropped \(c, z\)"):
        design = learn(parse("y ~ f + (1 | f)"), frame)
    assert design.coefs == ("Intercept", "f[a]")
    assert design.blocks[0].levels.tolist() == ["b", "a"]
    assert design.frame["f"].cat.categories.tolist() == ["b", "a"]
    assert len(design.notes) == 1


def test_levels_of_numbers_are_numbers_in_order() -> None:
    frame = BASE.assign(g=[10.0, 9.0, 10.0, 9.0, 100.0, 100.0], k=[0.5, 1, 0.5, 1, 2, 2])
    design = learn(parse("y ~ 1 + (1 | g) + (1 | k) + (1 | t)"), frame)
    g, k, t = design.blocks
    assert g.levels.tolist() == [9, 10, 100] and g.levels.dtype.kind == "i"
    assert k.levels.tolist() == [0.5, 1.0, 2.0]
    assert t.levels.tolist() == ["False", "True"]


def test_large_identifiers_stay_apart() -> None:
    ids = pd.array([2**60, 2**60 + 1, None, 2**60, 2**60 + 1, 2**60], dtype="Int64")
    with pytest.warns(DataWarning, match="1 of 6 rows"):
        design = learn(parse("y ~ 1 + (1 | g)"), BASE.assign(g=ids))
    assert design.blocks[0].levels.tolist() == [2**60, 2**60 + 1]


def test_intervals_become_text() -> None:
    frame = BASE.assign(band=pd.cut(BASE["x"], [0, 3, 6]).cat.as_unordered())
    assert learn(parse("y ~ band"), frame).coefs == ("Intercept", "band[(3, 6]]")


def test_row_labels_are_kept() -> None:
    design = learn(FORMULA, BASE.set_axis(list("pqrstu")))
    assert design.index.tolist() == list("pqrstu")
    assert learn(FORMULA, pl.DataFrame(PLAIN)).index.tolist() == list(range(6))


COLUMNS: list[tuple[str, Any, str]] = [
    ("mixed", ["a", 1, "b", 2, "c", 3], "mixes types"),
    ("times of day", [dt.time(8)] * 6, "holds times"),
    ("arrow times of day", pd.array([dt.time(8)] * 6, dtype="time64[us][pyarrow]"), "holds times"),
    (
        "zones",
        pd.Series(
            [dt.datetime(2020, 1, 1), *[dt.datetime(2020, 1, 1, tzinfo=dt.UTC)] * 5], dtype=object
        ),
        "with and without a time zone",
    ),
    ("complex", [1j] * 6, "complex"),
    ("bytes", [b"a"] * 6, "can't be used"),
    ("lists", [[1]] * 6, "can't be used"),
    ("infinite", [1.0, np.inf, 2, 3, -np.inf, 4], "2 infinite value(s), the first in row 1"),
    ("mixed levels", pd.Categorical(["a", 1, "a", 1, "a", 1]), "mix types"),
]


@pytest.mark.parametrize(("values", "words"), [c[1:] for c in COLUMNS], ids=[c[0] for c in COLUMNS])
def test_column_that_cannot_be_used(values: Any, words: str) -> None:
    with pytest.raises(DataError) as caught:
        learn(parse("y ~ x"), BASE.assign(x=values))
    assert words in str(caught.value) and "'x'" in str(caught.value)


@pytest.mark.parametrize(
    ("formula", "data", "error", "words"),
    [
        ("y ~ z1", BASE.assign(z2=1), ColumnError, "Did you mean 'z2'"),
        ("Y ~ x", BASE, ColumnError, "Did you mean 'y'"),
        ("y ~ x.values", BASE, FormulaError, "attributes of 'x'"),
        ("y ~ x", BASE.iloc[:0], DataError, "no rows"),
        ("y ~ x", pd.concat([BASE, BASE], axis=1), DataError, "2 columns named 'y'"),
        ("y ~ x", BASE.T.set_index([["a"] * 5], append=True).T, DataError, "several levels"),
        ("y ~ x", BASE["x"], DataError, "to_frame()"),
        ("y ~ x", pl.DataFrame(PLAIN).lazy(), DataError, "collect()"),
        ("y ~ x", [1, 2], DataError, "are not a table"),
        ("y ~ x", None, DataError, "are not a table"),
        ("y ~ x", "data.csv", DataError, "are not a table"),
        ("y ~ x", {"y": [1, 2], "x": [1, 2, 3]}, DataError, "y: 2, x: 3"),
        ("y ~ x", {"y": [1, 2], "x": 3}, DataError, "is not a sequence"),
        ("y ~ x", {"y": [1, 2], "x": np.eye(2)}, DataError, "2 dimensions"),
        ("f ~ x", BASE, DataError, "The response 'f' must be numeric"),
        ("log(f) ~ x", BASE, DataError, "The response 'f' must be numeric"),
        ("poly(y, 2) ~ x", BASE, FormulaError, "several columns"),
    ],
)
def test_table_that_cannot_be_used(
    formula: str, data: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        learn(parse(formula), data)
    assert words in str(caught.value)


def test_columns_that_are_not_needed_may_be_anything() -> None:
    odd = BASE.assign(odd=pd.date_range("2020", periods=6))
    odd = pd.concat([odd, odd[["odd"]]], axis=1)
    assert_same(learn(FORMULA, odd), learn(FORMULA, BASE))


def test_truth_values_can_be_a_response() -> None:
    assert learn(parse("t ~ x"), BASE).y.tolist() == [1, 0, 1, 1, 0, 0]
    assert learn(parse("log(y) ~ x"), BASE).y == pytest.approx(np.log(PLAIN["y"]))


@pytest.mark.parametrize("values", [pd.date_range("2020", periods=6), [dt.date(2020, 1, 1)] * 6])
def test_times_as_a_grouping_factor_are_to_be_text(values: Any) -> None:
    with pytest.raises(DataError, match="holds times") as caught:
        learn(parse("y ~ 1 + (1 | x)"), BASE.assign(x=values))
    assert "data['x'] = data['x'].astype(str)" in str(caught.value)
    assert "number" not in str(caught.value)
    text = BASE.assign(x=pd.Series(values).astype(str))
    assert learn(parse("y ~ 1 + (1 | x)"), text).blocks[0].levels[0] == "2020-01-01"


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("y ~ log(f)", "data['f'] = data['f'].astype(float)"),
        ("f ~ x", "data['f'] = data['f'].astype(float)"),
        ("y ~ odd", "data['odd'] = pd.to_numeric(data['odd']), or data['odd'].astype(str)"),
    ],
)
def test_hints_carry_the_columns_name(formula: str, words: str) -> None:
    with pytest.raises(DataError) as caught:
        learn(parse(formula), BASE.assign(odd=["a", 1, "b", 2, "c", 3]))
    assert words in str(caught.value)


def test_hint_for_a_named_extra_carries_the_columns_name() -> None:
    with pytest.raises(DataError, match=r"weights must be.*data\['f'\]\.astype\(float\)"):
        learn(parse("y ~ x"), BASE, extras={"weights": "f"})

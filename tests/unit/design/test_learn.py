"""What a design learns: blocks, extras, missing rows; and how new rows go through it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from bayeslmm.design import Design, Part, learn
from bayeslmm.errors import (
    BayeslmmError,
    ColumnError,
    DataError,
    DataWarning,
    FormulaError,
    LevelError,
    ModelError,
)
from bayeslmm.formula import parse

FRAME = pd.DataFrame(
    {
        "y": [1.0, 2.0, 4.0, 3.0, 6.0, 5.0, 7.5, 8.0],
        "x": [1.0, 2.5, 3.0, 4.0, 5.5, 6.0, 7.0, 9.0],
        "f": list("bababaab"),
        "h": list("uuvvwwuv"),
        "g": [3, 1, 3, 1, 2, 2, 1, 3],
        "c": list("qpppqqpq"),
    }
)


def block_of(text: str, frame: pd.DataFrame = FRAME) -> Any:
    (block,) = learn(parse(f"y ~ x + {text}"), frame).blocks
    return block


@pytest.mark.parametrize(
    ("text", "coefs", "parts"),
    [
        ("(1 | g)", ("Intercept",), (Part("us", (0,)),)),
        ("(x | g)", ("Intercept", "x"), (Part("us", (0, 1)),)),
        ("(x || g)", ("Intercept", "x"), (Part("diag", (0, 1)),)),
        ("id(x | g)", ("Intercept", "x"), (Part("id", (0, 1)),)),
        ("(1 | g) + (0 + x | g)", ("Intercept", "x"), (Part("us", (0,)), Part("us", (1,)))),
        ("(h | g)", ("Intercept", "h[v]", "h[w]"), (Part("us", (0, 1, 2)),)),
        ("(0 + h | g)", ("h[u]", "h[v]", "h[w]"), (Part("us", (0, 1, 2)),)),
        ("(h || g)", ("Intercept", "h[v]", "h[w]"), (Part("diag", (0, 1, 2)),)),
        (
            "(f + x || g) + (0 + I(x**2) | g)",
            ("Intercept", "f[b]", "x", "I(x**2)"),
            (Part("diag", (0, 1, 2)), Part("us", (3,))),
        ),
        ("(x:f | g)", ("Intercept", "x:f[a]", "x:f[b]"), (Part("us", (0, 1, 2)),)),
    ],
)
def test_terms_on_one_factor_make_one_block(
    text: str, coefs: tuple[str, ...], parts: tuple[Part, ...]
) -> None:
    block = block_of(text)
    assert (block.group, block.coefs, block.parts) == ("g", coefs, parts)
    assert block.levels.tolist() == [1, 2, 3]
    assert block.codes.tolist() == [2, 0, 2, 0, 1, 1, 0, 2]
    assert block.values.shape == (8, len(coefs))
    assert (block.n_levels, block.n_coefs) == (3, len(coefs))


def test_values_of_a_block() -> None:
    block = block_of("(x + f | g)")
    expected = np.column_stack([np.ones(8), FRAME["x"], FRAME["f"] == "b"])
    np.testing.assert_array_equal(block.values, expected)


def test_nested_factors_are_the_combinations_that_occur() -> None:
    design = learn(parse("y ~ 1 + (1 | g/c)"), FRAME)
    outer, inner = design.blocks
    assert (outer.group, inner.group) == ("g", "g:c")
    assert inner.levels.tolist() == ["1:p", "2:q", "3:p", "3:q"]
    assert [inner.levels[code] for code in inner.codes] == [
        f"{g}:{c}" for g, c in zip(FRAME["g"], FRAME["c"], strict=True)
    ]
    three = learn(parse("y ~ 1 + (1 | f:g:c)"), FRAME).blocks[0]
    assert [three.levels[code] for code in three.codes] == [
        f"{f}:{g}:{c}" for f, g, c in zip(FRAME["f"], FRAME["g"], FRAME["c"], strict=True)
    ]
    assert three.levels.tolist() == sorted(three.levels.tolist())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(1 | g) + (x | g)", "Write (1 | g) + (0 + x | g)"),
        ("(x | g) + (0 + x | g)", "contain x"),
        ("(1 | g:c) + (1 | c:g)", "'g:c' contain Intercept"),
        ("(1 | g) + (1 | g)", "Intercept"),
    ],
)
def test_coefficient_in_two_terms_is_refused(text: str, words: str) -> None:
    with pytest.raises(FormulaError) as caught:
        block_of(text)
    assert words in str(caught.value)


def test_labels_that_would_collide() -> None:
    frame = FRAME.assign(f=["a:b"] + ["a"] * 7, h=["c"] + ["b:c"] * 7)
    with pytest.raises(DataError, match="same label"):
        block_of("(1 | f:h)", frame)


# Missing rows


def test_missing_rows_are_dropped_counted_and_said() -> None:
    frame = FRAME.assign(unused=np.nan)
    frame.loc[1, "x"] = np.nan
    frame.loc[[1, 4], "f"] = None
    weights = np.array([1.0, 2, 3, 4, 5, 6, 7, np.nan])
    text = r"3 of 8 rows have missing values \(x: 1, f: 2, weights: 1\) and were dropped"
    with pytest.warns(DataWarning, match=text):
        design = learn(parse("y ~ x + f + (1 | g)"), frame, extras={"weights": weights})
    assert design.notes[0].startswith("3 of 8 rows")
    assert design.index.tolist() == [0, 2, 3, 5, 6]
    assert design.extras["weights"].tolist() == [1, 3, 4, 6, 7]
    assert len(design.frame) == design.n == 5
    again = learn(design.formula, design.frame, extras=design.inputs)
    np.testing.assert_array_equal(again.X, design.X)
    assert again.index.tolist() == design.index.tolist()


def test_transforms_learn_from_the_rows_that_are_kept() -> None:
    frame = FRAME.assign(z=[np.nan] * 2 + [1.0] * 6)
    with pytest.warns(DataWarning, match="2 of 8"):
        design = learn(parse("y ~ center(x) + z"), frame)
    assert design.X[:, 1].sum() == pytest.approx(0)


@pytest.mark.parametrize(
    ("column", "missing", "words"),
    [
        (np.where(FRAME["x"] > 2, FRAME["x"], np.nan), "error", "x: 1), the first is row 0"),
        (np.full(8, np.nan), "drop", "No row is complete"),
        (np.full(8, None), "drop", "No row is complete"),
    ],
)
def test_missing_values_that_cannot_be_dropped(column: Any, missing: str, words: str) -> None:
    with pytest.raises(DataError) as caught:
        learn(parse("y ~ x"), FRAME.assign(x=column), missing=missing)
    assert words in str(caught.value)


def test_missing_has_two_choices() -> None:
    with pytest.raises(ModelError, match=r"missing=.* Got: 'x'\. Allowed: drop, error\."):
        learn(parse("y ~ x"), FRAME, missing="x")


# Extras


def test_extras_by_name_and_as_arrays() -> None:
    design = learn(
        parse("y ~ 1 + offset(log(x)) + offset(y)"),
        FRAME,
        extras={"offset": "g", "trials": FRAME["g"].to_numpy(), "weights": list(range(8))},
    )
    np.testing.assert_allclose(design.offset, np.log(FRAME["x"]) + FRAME["y"] + FRAME["g"])
    assert design.extras.keys() == {"trials", "weights"}
    assert design.extras["trials"].dtype == np.float64
    assert design.inputs["offset"].tolist() == FRAME["g"].tolist()
    again = learn(design.formula, design.frame, extras=design.inputs)
    np.testing.assert_array_equal(again.offset, design.offset)


def test_a_missing_extra_drops_its_row() -> None:
    weights = FRAME["x"].copy()
    weights.iloc[0] = np.nan
    with pytest.warns(DataWarning, match="weights: 1"):
        design = learn(parse("y ~ x"), FRAME, extras={"weights": weights})
    assert design.extras["weights"].tolist() == FRAME["x"].tolist()[1:]


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ([1, 2, 3], DataError, "weights has 3 values for 8 rows"),
        (np.eye(8), DataError, "2 dimensions"),
        ("nope", ColumnError, "no column 'nope'"),
        ("f", DataError, "weights must be numeric"),
        (["a"] * 8, DataError, "weights must be numeric"),
        ([np.inf] * 8, DataError, "infinite"),
        (3.0, DataError, "0 dimensions"),
    ],
)
def test_extras_that_cannot_be_used(value: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        learn(parse("y ~ x"), FRAME, extras={"weights": value})
    assert words in str(caught.value)


# New rows

TRANSFORMS = [
    "poly(x, 3)",
    "poly(x, 2, raw=True)",
    "bs(x, df=5)",
    "bs(x, knots=[4], degree=2, include_intercept=True)",
    "cr(x, df=4)",
    "cr(x, knots=[3, 5], center=False)",
    "center(x)",
    "scale(x)",
    "scale(x, center=False)",
    "I(center(x)**2)",
    "log1p(scale(x) + 5)",
    "x*f*h",
    "C(f, contr.sum):x",
    "C(h, contr.helmert)*C(g, contr.poly)",
    "C(g, contr.diff) + C(h, contr.treatment('w'))",
    "0 + f:h + x",
]


@pytest.mark.parametrize("right", TRANSFORMS)
def test_rows_seen_alone_are_as_in_training(right: str) -> None:
    design = learn(parse(f"y ~ {right} + ({right} | g)"), FRAME)
    for row in range(8):
        new = design.apply(FRAME.drop(columns="y").iloc[[row]])
        np.testing.assert_allclose(new.X, design.X[[row]], atol=1e-12)
        np.testing.assert_allclose(new.blocks[0].values, design.blocks[0].values[[row]], atol=1e-12)
        assert new.index.tolist() == [row]


@pytest.mark.parametrize("right", TRANSFORMS)
def test_permuted_rows_give_a_permuted_design(right: str) -> None:
    order = np.random.default_rng(5).permutation(8)
    formula = parse(f"y ~ {right} + ({right} | g/c)")
    straight, permuted = learn(formula, FRAME), learn(formula, FRAME.iloc[order])
    assert straight.coefs == permuted.coefs
    np.testing.assert_allclose(permuted.X, straight.X[order], atol=1e-12)
    for a, b in zip(permuted.blocks, straight.blocks, strict=True):
        assert a.levels.tolist() == b.levels.tolist()
        np.testing.assert_array_equal(a.codes, b.codes[order])
        np.testing.assert_allclose(a.values, b.values[order], atol=1e-12)


def test_applying_leaves_the_design_as_it_was() -> None:
    design = learn(parse("y ~ poly(x, 2) + scale(x) + bs(x, df=4)"), FRAME)
    before = design.apply(FRAME).X
    design.apply(FRAME.assign(x=FRAME["x"] / 2 + 2))
    np.testing.assert_array_equal(design.apply(FRAME).X, before)


def test_spline_outside_its_range_warns() -> None:
    design = learn(parse("y ~ bs(x, degree=1)"), FRAME)
    with pytest.warns(DataWarning, match="2 of 3 rows are outside the boundary knots 1 and 9"):
        rows = design.apply({"x": [0.0, 5.0, 17.0]})
    np.testing.assert_allclose(rows.X[:, 1], [-1 / 8, 0.5, 2.0])


@pytest.fixture
def design() -> Design:
    return learn(parse("y ~ x + f + (x | g) + (1 | g:c)"), FRAME)


def test_new_levels_are_coded(design: Design) -> None:
    new = pd.DataFrame({"x": [1, 2, 3], "f": list("aab"), "g": [1, 9, 1], "c": list("pqq")})
    rows = design.apply(new, new_levels="code")
    assert rows.blocks[0].codes.tolist() == [0, -1, 0]
    assert rows.blocks[1].codes.tolist() == [0, -1, -1]
    assert rows.blocks[0].levels.tolist() == [1, 2, 3]


def test_levels_match_by_value(design: Design) -> None:
    new = {"x": [1, 2], "f": ["a", "b"], "g": [3.0, 1.0], "c": ["p", "p"]}
    assert design.apply(new).blocks[0].codes.tolist() == [2, 0]
    as_levels = new | {"g": pd.Categorical([3, 1], categories=[3, 1, 7])}
    assert design.apply(as_levels).blocks[0].codes.tolist() == [2, 0]


def test_only_the_groups_asked_for(design: Design) -> None:
    new = {"x": [1, 2], "f": ["a", "b"], "g": [3, 1]}
    assert design.apply(new, groups=[]).blocks == ()
    assert [b.group for b in design.apply(new, groups=["g"]).blocks] == ["g"]
    with pytest.raises(DataError, match="Unknown grouping factor 'G'"):
        design.apply(new, groups=["G"])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"g": [1, 9]}, LevelError, "level '9' of 'g', in row 1, was not in the data"),
        ({"c": ["p", "z"]}, LevelError, "level 'z' of 'c', in row 1"),
        ({"c": ["p", "q"]}, LevelError, "combination '1:q' of 'g:c', in row 1"),
        ({"f": ["a", "z"]}, LevelError, "level 'z' of 'f', in row 1"),
        ({"f": [1, 2]}, LevelError, "level '1' of 'f' (and 1 more"),
        ({"x": [1, np.nan]}, DataError, "'x' is missing in 1 of 2 new rows, the first is row 1"),
        ({"f": ["a", None]}, DataError, "'f' is missing"),
        ({"x": [1, np.inf]}, DataError, "infinite"),
        ({"x": ["1", "2"]}, DataError, "'x' must be numeric"),
    ],
)
def test_new_rows_that_cannot_be_used(
    design: Design, change: dict[str, Any], error: type[Exception], words: str
) -> None:
    new: dict[str, Any] = {"x": [1, 2], "f": ["a", "b"], "g": [1, 1], "c": ["p", "p"]}
    with pytest.raises(error) as caught:
        design.apply(new | change)
    assert words in str(caught.value)


def test_new_rows_without_a_column(design: Design) -> None:
    with pytest.raises(ColumnError, match="no column 'g'"):
        design.apply({"x": [1.0], "f": ["a"], "c": ["p"]})
    with pytest.raises(DataError, match="error, code"):
        design.apply(FRAME, new_levels="zero")  # type: ignore[arg-type]


def test_unseen_level_of_a_fixed_column_is_never_coded(design: Design) -> None:
    new = {"x": [1], "f": ["z"], "g": [1], "c": ["p"]}
    with pytest.raises(LevelError, match="'z' of 'f'"):
        design.apply(new, new_levels="code")


def test_offsets_and_extras_of_new_rows() -> None:
    formula = parse("y ~ 1 + offset(2*x)")
    design = learn(formula, FRAME, extras={"offset": "g", "weights": "x"})
    rows = design.apply(FRAME.iloc[:2])
    np.testing.assert_allclose(rows.offset, [2 + 3, 5 + 1])
    assert rows.extras["weights"].tolist() == [1.0, 2.5]
    given = design.apply({"x": [1.0]}, extras={"offset": [7.0]})
    assert given.offset.tolist() == [9.0]
    with pytest.raises(ColumnError, match=r"no column 'g', which is the model's offset"):
        design.apply({"x": [1.0]})


def test_an_offset_that_was_an_array_is_zero_for_new_rows_and_said() -> None:
    design = learn(parse("y ~ 1 + x"), FRAME, extras={"offset": FRAME["g"].to_numpy()})
    with pytest.warns(DataWarning, match="zero is used.*extras") as said:
        assert design.apply({"x": [1.0]}).offset.tolist() == [0.0]
    assert said[0].filename == __file__


def test_one_sided_formula_has_no_design() -> None:
    with pytest.raises(BayeslmmError, match="no response"):
        learn(parse("~ x", one_sided=True), FRAME)


def test_sizes_and_shortcuts(design: Design) -> None:
    assert (design.n, design.p) == (8, 3)
    assert design.X is design.rows.X and design.blocks is design.rows.blocks
    assert design.offset.tolist() == [0.0] * 8
    assert design.has_intercept and not learn(parse("y ~ 0 + x"), FRAME).has_intercept
    empty = learn(parse("y ~ 0 + (1 | g)"), FRAME)
    assert empty.X.shape == (8, 0) and empty.coefs == ()

"""Formulas that are broken, hostile or too large: each with the words that a user needs."""

from __future__ import annotations

import time

import pytest

from bayeslmm.errors import FormulaError
from bayeslmm.formula import parse

BROKEN = [
    # the shape of a formula
    ("", "is empty"),
    ("   ", "is empty"),
    ("y", "no '~'"),
    ("y = x", "no '~'"),
    ("`a~b`", "no '~'"),
    ("~ x", "no response"),
    ("1 ~ x", "response names no column"),
    ("y ~", "right side of '~'"),
    ("y ~ x ~ z", "second '~'"),
    ("(y ~ x)", "inside parentheses"),
    ("y ~ x +", "ends where a term"),
    ("y ~ :x", "':' occurs where a term"),
    ("y ~ x z", "operator is missing before 'z'"),
    ("y ~ (x", "never closed"),
    ("y ~ x)", "never opened"),
    ("y) ~ x", "never opened"),
    ("y ~ ()", "a term is expected"),
    ("y ~ `x", "backtick is never closed"),
    ("y ~ ``", "nothing between the backticks"),
    ("y ~ 2x", "followed by a name"),
    ("y ~ 2*x", "2 isn't a term"),
    ("y ~ x:1", "0 and 1 can only be"),
    ("y ~ True", "True is not a column"),
    ("y ~ x == 2", "'==' is not allowed here"),
    ("y ~ x > 2", "I(x > 3)"),
    ("y ~ a - z", "no term z to remove"),
    ("y ~ a^b", "whole number"),
    ("y ~ a^0", "whole number"),
    ("y ~ x; z", "';' isn't part of a formula"),
    ("y ~ x\u200b", "U+200B"),
    ("y ~ x\\n", "isn't part of a formula"),
    ("y ~ x %in% g", "write a:b"),
    ("y ~ .", "Write the columns out"),
    ("y ~ x$z", "'$'"),
    ("y ~ 1e999", "too large"),
    # random terms
    ("y ~ x | g", "Write (x | g)"),
    ("y ~ ( | g)", "left side of the bar"),
    ("y ~ (0 | g)", "has no coefficient"),
    ("y ~ (x - x - 1 | g)", "has no coefficient"),
    ("y ~ (1 | )", "right side of the bar"),
    ("y ~ (1 ||)", "right side of the bar"),
    ("y ~ (1 | 2)", "number can't be a grouping factor"),
    ("y ~ (1 | log(g))", "grouping factor can't be a function"),
    ("y ~ (1 | a + b)", "(1 | a) + (1 | b)"),
    ("y ~ (1 | a * b)", "can't join grouping factors"),
    ("y ~ (1 | (a/b):c)", "':' joins single factors"),
    ("y ~ (1 | p | g)", "one bar"),
    ("y ~ (1 | g):x", "can only be added"),
    ("y ~ x - (1 | g)", "can't be removed"),
    ("y ~ ((1 | g) | h)", "inside a random term"),
    ("y ~ (offset(x) | h)", "inside a random term"),
    ("y ~ us(x)", "us(x | g)"),
    ("y ~ us(x || g)", "both give a structure"),
    # functions and their settings
    ("y ~ lgo(x)", "Did you mean 'log'"),
    ("y ~ ns(x, 3)", "cr(x, df=4)"),
    ("cbind(a, b) ~ x", "trials="),
    ("y | trials(n) ~ x", "trials="),
    ("y ~ I(x^2)", "x**2"),
    ("y ~ log(x^2 + 1)", "x**2"),
    ("y ~ I(a:b)", "':' is not available inside"),
    ("y ~ log()", "log() is empty"),
    ("y ~ log(2)", "names no column"),
    ("y ~ offset(3)", "names no column"),
    ("y ~ offset(x):z", "Offsets can only be added"),
    ("offset(y) ~ x", "right side of '~'"),
    ("y ~ log(poly(x, 2))", "several columns"),
    ("y ~ C(log(x))", "C() takes a column"),
    ("y ~ C(x, Sum)", "Did you mean 'contr.sum'"),
    ("y ~ C(x, contr.sums)", "Did you mean 'contr.sum'"),
    ("y ~ C(x, levels=[1])", "no setting 'levels'"),
    ("y ~ poly(x, z)", "whole number"),
    ("y ~ poly(x, 2.5)", "whole number"),
    ("y ~ poly(x, 2, True, 4)", "too many values"),
    ("y ~ poly(x, degre=2)", "Did you mean 'degree'"),
    ("y ~ poly(x, 2, degree=2)", "given twice"),
    ("y ~ poly(x, degree=2, True)", "without a name"),
    ("y ~ poly(x,", "ends where degree"),
    ("y ~ bs(x, df='4')", "whole number"),
    ("y ~ bs(x, knots=[1", "list of numbers"),
    # code
    ("y ~ x.__class__", "two underscores"),
    ("y ~ x.__class__.__mro__", "two underscores"),
    ("y ~ __import__('os').system('ls')", "two underscores"),
    ("y ~ log(x).real", "operator is missing"),
    ("y ~ log(x)(x)", "operator is missing"),
    ("y ~ log(x.mean())", "x.mean() is not available"),
    ("y ~ np.log(x)", "Write log(x)"),
    ("y ~ eval(x)", "eval() is not available"),
    ("y ~ getattr(x, 'y')", "getattr() is not available"),
    ("y ~ hashed(x, levels=2)", "hashed() is not available"),
    ("y ~ lambda x: x", "Python code"),
    ("y ~ (lambda: 1)()", "Python code"),
    ("y ~ {x.sum()}", "Python code"),
    ("y ~ x[0]", "Subscripts"),
    ("y ~ log(x[0])", "Subscripts"),
    ("y ~ I([x for x in y])", "Subscripts"),
    ("y ~ I(x if x else 0)", "Python code"),
    ("y ~ I(x := 2)", "is not available inside"),
    ("y ~ f'{x}'", "quotes is not allowed here"),
    ("y ~ 'x'", "quotes is not allowed here"),
    ("y ~ I(half == 'late')", "only numbers can be compared"),
    ("y ~ I('late' != half)", "only numbers can be compared"),
    ("y ~ x + y", "The response y is on the right"),
    ("y ~ y:x", "The response y is on the right"),
    ("log(y) ~ x + log(y)", "The response log(y) is on the right"),
    ("y ~ I(y) + x", "The response y is on the right"),
    ("y ~ x + (y | g)", "Got: (1 + y | g)"),
    ("y ~ x + (1 | y)", "Got: (1 | y)"),
    ("y ~ I('x' * 9)", "quotes is not allowed here"),
    ("y ~ log(x, **k)", "too many values"),
    ("y ~ x @ z", "Python code"),
    ("y ~ C(x, contr.treatment(open('f')))", "a level"),
    ("y ~ C(x, contr.__class__)", "two underscores"),
    ("y ~ C(x, contr.custom([1]))", "Unknown contrast"),
    ("__y__ ~ x", "two underscores"),
]

NAMES = [f"x{i}" for i in range(3000)]
HUGE = [
    "y ~ " + "(" * 5000 + "x" + ")" * 5000,
    "y ~ " + "log(" * 5000 + "x" + ")" * 5000,
    "y ~ I(" + "+".join(["x"] * 5000) + ")",
    "y ~ I(x" + "**2" * 5000 + ")",
    "y ~ I(" + "-(" * 5000 + "x" + ")" * 5001,
    "y ~ " + "+".join(NAMES),
    "y ~ " + "*".join(NAMES),
    "y ~ " + ":".join(NAMES),
    "y ~ (" + "+".join(NAMES[:40]) + ")^30",
    "y ~ (" * 5000,
    "y ~ (1 | " + "/".join(NAMES) + ")",
    "y ~ (1 | " + ":".join(NAMES) + ")",
    "y ~ (1 | " + "(" * 5000 + "g",
    "y ~ " + "x" * 60_000,
]


@pytest.mark.parametrize(("text", "words"), BROKEN)
def test_broken_formula_is_explained(text: str, words: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", HUGE, ids=range(len(HUGE)))
def test_huge_formula_is_refused_quickly(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(FormulaError):
        parse(text)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("value", [None, 5, b"y ~ x", ["y ~ x"]])
def test_only_text_is_a_formula(value: object) -> None:
    with pytest.raises(FormulaError, match="A formula must be a text"):
        parse(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "column"),
    [("y ~ x + y", 8), ("y ~ lgo(x)", 4), ("y ~ x + z w", 10), ("y ~\tI(x^2)", 7)],
)
def test_caret_points_at_the_character(text: str, column: int) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    shown, caret = str(caught.value).splitlines()[-2:]
    assert shown == "    " + text.replace("\t", " ")
    assert caret == "    " + " " * column + "^"


def test_caret_points_into_a_long_formula() -> None:
    text = "y ~ " + " + ".join(f"x{i}" for i in range(200)) + " + lgo(x) + z"
    with pytest.raises(FormulaError) as caught:
        parse(text)
    shown, caret = str(caught.value).splitlines()[-2:]
    assert len(shown) < 90
    assert shown[caret.index("^") :].startswith("lgo(x)")


def test_two_sides_where_one_is_wanted() -> None:
    with pytest.raises(FormulaError, match="has no response"):
        parse("y ~ x", one_sided=True)

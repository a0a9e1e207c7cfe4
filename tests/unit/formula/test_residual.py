"""What `residual=` may say, and what it may not: nothing in it can run."""

from __future__ import annotations

import time

import pytest

from bayeslmm.errors import BayeslmmError, FormulaError, ModelError
from bayeslmm.formula import parse_residual
from bayeslmm.formula.residual import RESIDUALS

GOOD = {
    "ar1(time | Subject)": "ar1(time | Subject)",
    "ar1(0 + time | Subject)": "ar1(time | Subject)",
    "ar1(1 + time | Subject)": "ar1(time | Subject)",
    "ar1(1|g)": "ar1(1 | g)",
    "ar1(0 | g)": "ar1(1 | g)",
    "ar1(1 | 1)": "ar1(1 | 1)",
    "car1(time|1)": "car1(time)",
    "exp(x+y | a:b, nugget=True)": "exp(x + y | a:b, nugget=True)",
    "exp(x + y)": "exp(x + y)",
    "us(`two words` | `the group`)": "us(`two words` | `the group`)",
    "fa(o | g, 2)": "fa(o | g, k=2)",
    "fa(o | g, k = 2, hom=False)": "fa(o | g, k=2, hom=False)",
    "diag(Sex)+varpower( x )": "diag(Sex) + varpower(x)",
    "varexp(x) +\n ar1(t|g)": "varexp(x) + ar1(t | g)",
    "cs(o + o | g)": "cs(o | g)",
}


@pytest.mark.parametrize(("text", "shown"), GOOD.items())
def test_what_is_read_is_shown_and_read_again(text, shown):
    terms = parse_residual(text)
    again = " + ".join(map(str, terms))
    assert again == shown
    assert parse_residual(again) == terms


@pytest.mark.parametrize("name", RESIDUALS)
def test_every_structure_is_read(name):
    plain = name in ("diag", "varpower", "varexp")
    (term,) = parse_residual(f"{name}(x)" if plain else f"{name}(x | g)")
    assert (term.structure, term.columns) == (name, ("x",))
    assert term.factors == (() if plain else ("g",))
    assert term.options == ()


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", ModelError, "empty"),
        ("  \n", ModelError, "empty"),
        ("ar(t | g)", ModelError, "Did you mean 'ar1'"),
        ("foo(t | g)", ModelError, "Unknown residual structure"),
        ("id(t | g)", ModelError, "Unknown residual structure"),
        ("us(t | g, hom=True)", FormulaError, "no setting 'hom'"),
        ("diag(s, hom=True)", FormulaError, "no setting 'hom'"),
        ("cs(t | g, nugget=True)", FormulaError, "no setting 'nugget'"),
        ("exp(t | g, k=1)", FormulaError, "no setting 'k'"),
        ("ar1(t | g, hom=1)", FormulaError, "True or False"),
        ("ar1(t | g, hom=yes)", FormulaError, "a constant"),
        ("ar1(t | g, hom=True, hom=True)", FormulaError, "twice"),
        ("fa(t | g, k=1.5)", FormulaError, "a whole number"),
        ("fa(t | g, k=t)", FormulaError, "a constant"),
        ("ar1(t | g/h)", ModelError, "one factor"),
        ("ar1(t | g + h)", FormulaError, "can't join"),
        ("ar1(t | log(g))", FormulaError, "can't be a function"),
        ("ar1(log(t) | g)", FormulaError, r"'\('"),
        ("ar1(t:x | g)", FormulaError, "':'"),
        ("ar1(t*x | g)", FormulaError, r"'\*'"),
        ("ar1(2 | g)", FormulaError, "2"),
        ("ar1(t || g)", FormulaError, r"'\|\|'"),
        ("ar1(t | 2)", FormulaError, "number"),
        ("ar1(t | )", FormulaError, "right side of the bar"),
        ("ar1( | g)", FormulaError, "a column is expected"),
        ("ar1()", FormulaError, "a column is expected"),
        ("diag(1)", FormulaError, "expected"),
        ("ar1(t | g", FormulaError, "never closed"),
        ("ar1(t | g))", FormulaError, "is closed where"),
        ("ar1 t | g", FormulaError, "missing before"),
        ("t | g", FormulaError, "missing before"),
        ("ar1(t | g) - diag(s)", FormulaError, "'-'"),
        ("ar1(t | g) * diag(s)", FormulaError, r"'\*'"),
        ("ar1(t | g) diag(s)", FormulaError, "missing"),
        ("ar1(t | g) +", FormulaError, "ends|missing|expected"),
        ("y ~ ar1(t | g)", FormulaError, "missing|~"),
        ("us[t]", FormulaError, "missing before"),
        ("5", FormulaError, "missing|expected"),
        ("(ar1(t | g))", FormulaError, "missing|expected"),
    ],
)
def test_what_is_wrong_is_said(text, error, words):
    with pytest.raises(error, match=words):
        parse_residual(text)


HOSTILE = [
    "__import__('os').system('touch {path}')",
    "ar1(__import__('os').system('touch {path}') | g)",
    "ar1(t | __import__('os'))",
    "ar1(t | g, hom=__import__('os').system('touch {path}'))",
    "ar1(t | g, hom=[x for x in ().__class__.__bases__])",
    "ar1(t.__class__ | g)",
    "exp(eval('1') | g)",
    "exec('1')",
    "(lambda: 1)()",
    "ar1(t | g); import os",
    "ar1(t | g)\nimport os",
    "us(t[0] | g)",
    "{{x.sum()}}",
    "ar1(@t | g)",
    "f'{{t}}'",
    "ar1(t := 2 | g)",
    "fa(t | g, k=10**9)",
    "fa(t | g, k=2*3)",
    "fa(t | g, k='2')",
    "diag(open('{path}', 'w'))",
    "ar1('t' | g)",
    "diag(x if y else z)",
    "diag(await x)",
    "\0",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_runs(text, tmp_path):
    path = tmp_path / "touched"
    with pytest.raises(BayeslmmError):
        parse_residual(text.format(path=path))
    assert not path.exists()


@pytest.mark.parametrize(
    "text",
    [
        "ar1(" * 20_000,
        "diag(" + "(" * 20_000,
        "ar1(t | g" + ", hom=True" * 20_000,
        "exp(" + "x + " * 20_000,
        "x" * 200_000,
        "ar1(t | " + "a:" * 20_000 + "b",
    ],
)
def test_texts_that_are_too_large_end_soon(text):
    begun = time.perf_counter()
    with pytest.raises(BayeslmmError):
        parse_residual(text)
    assert time.perf_counter() - begun < 2

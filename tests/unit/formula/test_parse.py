"""What formulas mean: texts against the terms that lme4's notation says they stand for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bayeslmm.errors import FormulaError
from bayeslmm.formula import Formula, RandomTerm, parse, tree_of, trees_of
from bayeslmm.formula.syntax import show

FIXED = [
    ("y ~ 1", "1"),
    ("y ~ 0", "0"),
    ("y ~ x", "1 + x"),
    ("y ~ x - 1", "0 + x"),
    ("y ~ 0 + x", "0 + x"),
    ("y ~ -1 + x", "0 + x"),
    ("y ~ x + 0", "0 + x"),
    ("y ~ 0 + x + 1", "1 + x"),
    ("y ~ +x", "1 + x"),
    ("y~x+x", "1 + x"),
    ("y ~ a:b + b:a", "1 + a:b"),
    ("y ~ a:b + c", "1 + c + a:b"),
    ("y ~ a*b", "1 + a + b + a:b"),
    ("y ~ a*b - a", "1 + b + a:b"),
    ("y ~ a*b*c - a:b:c", "1 + a + b + c + a:b + a:c + b:c"),
    ("y ~ (a + b)^2", "1 + a + b + a:b"),
    ("y ~ (a + b + c)**2", "1 + a + b + c + a:b + a:c + b:c"),
    ("y ~ (a + b)^9", "1 + a + b + a:b"),
    ("y ~ a/b", "1 + a + a:b"),
    ("y ~ a/b/c", "1 + a + a:b + a:b:c"),
    ("y ~ (a + b)/c", "1 + a + b + a:b:c"),
    ("y ~ a/(b + c)", "1 + a + a:b + a:c"),
    ("y ~ (a + b):c", "1 + a:c + b:c"),
    ("y ~ a:a", "1 + a"),
    ("y ~ a + (b - 1)", "0 + a + b"),
    ("y ~ I(x**2) + I( (x+1)*z )", "1 + I(x**2) + I((x + 1) * z)"),
    ("y ~ I(-x**2) + I((-x)**2)", "1 + I(-x**2) + I((-x)**2)"),
    ("y ~ I(x**2**3) + I((x**2)**3)", "1 + I(x**2**3) + I((x**2)**3)"),
    ("y ~ I(x - (z - 1)) + I(x - z - 1)", "1 + I(x - (z - 1)) + I(x - z - 1)"),
    ("y ~ I(x/(z*2)) + I(-(-x))", "1 + I(x / (z * 2)) + I(x)"),
    ("y ~ I((x - 3)*(x > 3))", "1 + I((x - 3) * (x > 3))"),
    ("y ~ poly(x,2) + poly(x, degree=2, raw=TRUE)", "1 + poly(x, 2) + poly(x, degree=2, raw=True)"),
    ("y ~ bs(x, knots=c(1, 2.5))", "1 + bs(x, knots=[1, 2.5])"),
    ("y ~ bs(x, knots=(1,))", "1 + bs(x, knots=[1])"),
    ("y ~ cr(log(x), df=4)", "1 + cr(log(x), df=4)"),
    ("y ~ scale(x, TRUE, scale=False)", "1 + scale(x, True, scale=False)"),
    ("y ~ C(f, contr.treatment('b'))", '1 + C(f, contr.treatment("b"))'),
    ("y ~ C(f, contr.treatment(base=2))", "1 + C(f, contr.treatment(base=2))"),
    ("y ~ C(f, contrasts=contr.sum())", "1 + C(f, contrasts=contr.sum)"),
    ("y ~ log(`a b`) + `a b` + `x`", "1 + log(`a b`) + `a b` + x"),
    ("y ~ Sepal.Length + .hidden + grün", "1 + Sepal.Length + .hidden + grün"),
    ("y ~ `__class__`", "1 + `__class__`"),
    ("y ~ x +\n   z\t", "1 + x + z"),
    ("y ~ log + log(log)", "1 + log + log(log)"),
]

RANDOM = [
    ("(1 | g)", ["(1 | g)"]),
    ("(x | g)", ["(1 + x | g)"]),
    ("(0 + x | g)", ["(0 + x | g)"]),
    ("(x - 1 | g)", ["(0 + x | g)"]),
    ("(x || g)", ["(1 + x || g)"]),
    ("(1 | a/b)", ["(1 | a)", "(1 | a:b)"]),
    ("(x | a/b/c)", ["(1 + x | a)", "(1 + x | a:b)", "(1 + x | a:b:c)"]),
    ("(1 | a/(b/c))", ["(1 | a)", "(1 | a:b)", "(1 | a:b:c)"]),
    ("(1 | (a:b)/c)", ["(1 | a:b)", "(1 | a:b:c)"]),
    ("(1 | a:b)", ["(1 | a:b)"]),
    ("(1 | a:b) + (0 + x | b:a)", ["(1 | a:b)", "(0 + x | a:b)"]),
    ("((1 | g) + (0 + x | g))", ["(1 | g)", "(0 + x | g)"]),
    ("(x*z | g)", ["(1 + x + z + x:z | g)"]),
    ("(poly(x, 2) + I(z**2) | g)", ["(1 + poly(x, 2) + I(z**2) | g)"]),
    ("(1 | `my g`)", ["(1 | `my g`)"]),
    ("us(x | g)", ["(1 + x | g)"]),
    ("diag(x | g)", ["(1 + x || g)"]),
    ("id(0 + x | g)", ["id(0 + x | g)"]),
]


@pytest.mark.parametrize(("text", "canonical"), FIXED)
def test_fixed_terms_mean_what_r_says(text: str, canonical: str) -> None:
    assert parse(text).fixed == canonical


@pytest.mark.parametrize(("text", "canonical"), RANDOM)
def test_random_terms_mean_what_lme4_says(text: str, canonical: list[str]) -> None:
    formula = parse(f"y ~ x + {text}")
    assert formula.fixed == "1 + x"
    assert [str(term) for term in formula.random] == canonical


@pytest.mark.parametrize(
    "text", [t for t, _ in FIXED] + [f"log(y) ~ {t} + offset(log(n)) + z" for t, _ in RANDOM]
)
def test_printed_formula_reads_back(text: str) -> None:
    formula = parse(text)
    assert replace(parse(str(formula)), text=text) == formula
    assert str(parse(str(formula))) == str(formula)


def test_all_parts_of_a_formula() -> None:
    text = "log(y / w) ~ b:a + c + offset(log(n)) + (x | s/t) + offset(m)"
    assert parse(text) == Formula(
        text=text,
        response="log(y / w)",
        fixed="1 + c + b:a",
        random=(RandomTerm("1 + x", ("s",)), RandomTerm("1 + x", ("s", "t"))),
        offsets=("log(n)", "m"),
        variables=("y", "w", "c", "b", "a", "n", "m", "x", "s", "t"),
    )
    assert parse(text).groups == ("s", "s:t")


def test_functions_and_levels_are_no_variables() -> None:
    formula = parse("y ~ C(f, contr.treatment('log')) + bs(x, df=4, include_intercept=True)")
    assert formula.variables == ("y", "f", "x")


def test_one_sided() -> None:
    formula = parse("~ x + (1 | g)", one_sided=True)
    assert (formula.response, formula.fixed, formula.variables) == ("", "1 + x", ("x", "g"))
    assert replace(parse(str(formula), one_sided=True), text=formula.text) == formula


def test_trees_give_back_the_text() -> None:
    intercept, trees = trees_of("0 + a:log(b) + c")
    assert not intercept
    assert [[show(node) for node in tree] for tree in trees] == [["c"], ["a", "log(b)"]]
    assert show(tree_of("log(y) * 2")) == "log(y) * 2"


@pytest.mark.parametrize("text", ["log(y) ~ y", "I(y - x) ~ x", "y ~ offset(y) + x"])
def test_the_responses_columns_may_stand_on_the_right(text: str) -> None:
    assert "y" in parse(text).variables


def test_a_text_is_read_once() -> None:
    assert parse("y ~ x + (x | g)") is parse("y ~ x + (x | g)")
    assert parse("~ x", one_sided=True).response == ""
    for _ in range(2):
        with pytest.raises(FormulaError, match="no response"):
            parse("~ x")

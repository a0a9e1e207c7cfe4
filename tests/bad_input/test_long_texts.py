"""Short and long texts that would take for ever: refused early, in few words."""

from __future__ import annotations

import pytest

import bayeslmm as bl
from bayeslmm.errors import BayeslmmError, DataError, FormulaError, PriorError
from bayeslmm.formula import parse
from bayeslmm.formula.residual import parse_residual
from bayeslmm.priors.registry import parse_prior
from tests.bad_input.cases import changed, model, table

CROSSED = "*".join("abcdefghi")  # 511 terms
MANY = "+".join(f"x{i}" for i in range(900))
TEXTS = {
    "nested groups": f"y ~ (1 | {'/'.join(['g'] * 20_000)})",
    "nested factors": "y ~ " + "/".join(f"g{i}" for i in range(8_000)),
    "one factor nested in itself": f"y ~ {'/'.join(['g'] * 20_000)}",
    "power of crossed factors": f"y ~ ({CROSSED})^20",
    "power of powers": f"y ~ {'(' * 30}{CROSSED}{')^20' * 30}",
    "product of crossed factors": f"y ~ {'*'.join([f'({CROSSED})'] * 2_000)}",
    "square of many": f"y ~ ({MANY})^2",
    "taken away one by one": f"y ~ {MANY}{'+x0-x0' * 3_000}",
    "random terms": "y ~ " + "+".join(f"(1|g{i})" for i in range(4_000)),
    "one random term many times": "y ~ " + "+".join(["(1|g)"] * 7_000),
    "offsets": "y ~ " + "+".join(["offset(x)"] * 4_500),
    "operators in nested functions": f"y ~ I({'+'.join(['I(' + '+'.join(['x'] * 90) + ')'] * 90)})",
    "nested functions": f"y ~ {'I(' * 5_000}x{')' * 5_000}",
    "parentheses": f"y ~ {'(' * 20_000}x{')' * 20_000}",
    "powers": f"y ~ I({'x**' * 5_000}x)",
    "a long number": "y ~ 1" + "0" * 40_000,
    "a long function": f"y ~ {'a' * 40_000}()",
    "a long text": "y ~ " + "x + " * 50_000 + "x",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_formula_is_bounded(text: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize(
    "text",
    [
        f"us(x | {'g/' * 20_000}g)",
        "ar1" * 10_000 + "(x | g)",
        f"fa(x | g, k={'9' * 1_000})",
        "ar1(x | g)" * 9_000,
    ],
)
def test_a_residual_is_bounded(text: str) -> None:
    with pytest.raises(BayeslmmError) as caught:
        parse_residual(text)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize(
    "text",
    [
        f"normal({'9' * 400}, 1)",
        f"normal({'9' * 5_000}, 1)",
        f"normal(0, 1{'0' * 400})",
        f"normal({'-' * 50_000}1, 1)",
        f"normal({'(' * 5_000}1{')' * 5_000}, 1)",
        f"{'a' * 1_000_000}(1)",
        "normal(0, 1) " * 100_000,
        f"normal({'1, ' * 10_000}1)",
    ],
)
def test_a_prior_is_bounded(text: str) -> None:
    with pytest.raises(PriorError) as caught:
        parse_prior(text)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize(
    ("term", "words"),
    [
        ("bs(x, df=1e9)", "1 to 24"),
        ("bs(x, degree=1e6)", "0 to 20"),
        ("cr(x, df=1e8)", "1 to 24"),
        ("poly(x, 1e300)", "1 to 23"),
        (f"bs(x, knots=[{','.join(['1'] * 10_000)}])", "0 to 24"),
        ("bs(x, knots=[1e308])", "outside its boundary knots"),
        ("bs(x, df=5, lower_bound=3, upper_bound=-3)", "not in order"),
    ],
)
def test_columns_of_a_function_are_bounded_by_the_data(term: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        model(f"y ~ {term}")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("scores", ["1, 1, 1, 1", "1, 2", "1e300, 2, 3, -1e300"])
def test_scores_that_make_no_contrast(scores: str) -> None:
    with pytest.raises(FormulaError, match=r"contr\.poly"):
        model(f"y ~ C(h, contr.poly(scores=[{scores}]))")


def test_messages_about_large_inputs_are_short() -> None:
    wide = {"y": [1.0, 2.0]} | {f"column{i}": [1.0, 2.0] for i in range(3_000)}
    long = "z" * 40_000
    for call in (
        lambda: model(f"y ~ {long}"),
        lambda: model("y ~ nothing", wide),
        lambda: model(family=long),
        lambda: model(priors={long: "normal(0, 1)"}),
        lambda: model(priors={"beta": [1.0] * 100_000}),
        lambda: model(data=changed(y=[long] * 24)),
        lambda: model("y ~ C(h, contr.treatment('" + long + "'))"),
        lambda: bl.Model("y ~ x", table(), missing=long),
    ):
        with pytest.raises(BayeslmmError) as caught:
            call()
        assert len(str(caught.value)) < 1_500

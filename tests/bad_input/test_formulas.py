"""Formulas that can't be read, or that try to run code."""

from __future__ import annotations

from pathlib import Path

import pytest

from bayeslmm.errors import ColumnError, FormulaError
from tests.bad_input.cases import Bad, bad, check, model

CASES = [
    bad("empty formula", FormulaError, "empty")(lambda _: model(" ")),
    bad("formula that is no text", FormulaError, "text")(lambda _: model(5)),
    bad("no tilde", FormulaError, "'~'")(lambda _: model("y")),
    bad("no response", FormulaError, "response")(lambda _: model("~ x")),
    bad("open parenthesis", FormulaError, "never closed")(lambda _: model("y ~ x + (1 | g")),
    bad("bare bar", FormulaError, "(x | g)")(lambda _: model("y ~ x | g")),
    bad("nothing right of the bar", FormulaError, "bar")(lambda _: model("y ~ (1 | )")),
    bad("two grouping factors", FormulaError, "(1 | a) + (1 | b)")(
        lambda _: model("y ~ (1 | g + h)")
    ),
    bad("power inside a function", FormulaError, "^", "x**2")(lambda _: model("y ~ I(x^2)")),
    bad("comparison", FormulaError, "Comparisons", "I(x > 3)")(lambda _: model("y ~ x > 2")),
    bad("attribute access", FormulaError, "x.mean")(lambda _: model("y ~ x.mean()")),
    bad("attribute of a module", FormulaError, "log(x)")(lambda _: model("y ~ np.log(x)")),
    bad("dunder attribute", FormulaError, "two underscores")(lambda _: model("y ~ x.__class__")),
    bad("dunder name", FormulaError, "two underscores")(lambda _: model("y ~ __builtins__")),
    bad("import", FormulaError, "underscores")(
        lambda _: model("y ~ __import__('os').system('true')")
    ),
    bad("lambda", FormulaError, "Python code")(lambda _: model("y ~ (lambda: 1)()")),
    bad("lambda in a function", FormulaError, "can't")(lambda _: model("y ~ I((lambda: x)())")),
    bad("eval", FormulaError, "eval()")(lambda _: model("y ~ eval(x)")),
    bad("open", FormulaError, "open()")(lambda _: model("y ~ open(x)")),
    bad("getattr", FormulaError, "getattr()")(lambda _: model("y ~ getattr(x, 'T')")),
    bad("string trick", FormulaError, "quotes")(lambda _: model("y ~ I('x' * 999999999)")),
    bad("f-string", FormulaError, "quotes")(lambda _: model("y ~ I(f'{x}')")),
    bad("formatted braces", FormulaError, "Python code")(lambda _: model("y ~ {x.sum()}")),
    bad("subscript", FormulaError, "Subscripts")(lambda _: model("y ~ x[0]")),
    bad("walrus", FormulaError, "is not available inside")(lambda _: model("y ~ I(x := 2)")),
    bad("second statement", FormulaError, "';'")(lambda _: model("y ~ x; import os")),
    bad("code as a response", FormulaError, "eval()")(lambda _: model("eval(y) ~ x")),
    bad("code as a grouping factor", FormulaError, "can't be a function")(
        lambda _: model("y ~ (1 | eval(g))")
    ),
    bad("code in backticks", ColumnError, "no column")(lambda _: model("y ~ `__import__('os')`")),
    bad("unknown function", FormulaError, "Did you mean 'log'?")(lambda _: model("y ~ lgo(x)")),
]


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_a_mistake_is_named_with_words_that_help(case: Bad, tmp_path: Path) -> None:
    check(case, tmp_path)

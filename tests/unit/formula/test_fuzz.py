"""Random token soup: either a FormulaError, or a formula that prints and reads back."""

from __future__ import annotations

import random
from dataclasses import replace

from bayeslmm.errors import FormulaError
from bayeslmm.formula import parse

PIECES = [
    "y",
    "x",
    "g",
    "`a",
    "b`",
    "~",
    "+",
    "-",
    "*",
    "/",
    ":",
    "^",
    "**",
    "|",
    "||",
    "(",
    ")",
    ",",
    "=",
    "0",
    "1",
    "2.5",
    "log(",
    "I(",
    "poly(",
    "C(",
    "bs(",
    "offset(",
    "us(",
    "id(",
    "contr.sum",
    "contr.treatment",
    "'a'",
    "[",
    "]",
    "True",
    "degree",
    "df",
    "knots",
    "c(",
    "<",
    "==",
    ".",
    "%",
    "{",
    "\\",
    "é",
    "🙂",
    "\x00",
    "__x",
    "1e3",
]


def test_any_tokens_are_read_or_explained() -> None:
    draw = random.Random(1)
    read = 0
    for _ in range(20_000):
        start = "y ~ x + " if draw.random() < 0.8 else ""
        text = start + " ".join(draw.choice(PIECES) for _ in range(draw.randint(1, 7)))
        try:
            formula = parse(text)
        except FormulaError:
            continue
        assert replace(parse(str(formula)), text=text) == formula
        read += 1
    assert read > 300

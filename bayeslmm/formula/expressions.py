"""Reads what stands inside functions, and the response: arithmetic over columns."""

from __future__ import annotations

from bayeslmm.errors import FormulaError
from bayeslmm.formula.functions import FUNCTIONS, Signature
from bayeslmm.formula.lexer import Token
from bayeslmm.formula.reader import MAX_OPERATORS, Reader
from bayeslmm.formula.settings import read_options
from bayeslmm.formula.syntax import (
    COMPARING,
    CONSTANTS,
    POW,
    POWER,
    UNARY,
    Binary,
    Call,
    Column,
    Node,
    Number,
    Unary,
    columns_in,
    show,
)
from bayeslmm.synonyms import elsewhere


def read_expression(reader: Reader, power: int = 0, used: list[int] | None = None) -> Node:
    """Read operators that bind more tightly than `power`, and what they join.

    `used` counts the operators and functions of one factor: the tree is as deep as they are many,
    and everything that walks it later has to get to the bottom.
    """
    counter = [0] if used is None else used
    left = _read_operand(reader, counter)
    while True:
        token = reader.token
        if token.is_op("**"):
            if power > POW:
                return left
            _count(reader, counter)
            reader.take()
            with reader.deeper(token.at):
                left = Binary("**", left, read_expression(reader, UNARY, counter))
            continue
        _refuse(reader, token)
        strength = POWER.get(token.text, 0) if token.kind == "op" else 0
        if strength <= power:
            return left
        _count(reader, counter)
        reader.take()
        if strength == COMPARING:
            _refuse_text(reader, reader.token)
        left = Binary(token.text, left, read_expression(reader, strength, counter))


def read_call(reader: Reader, used: list[int] | None = None) -> Call:
    """Read a function of the whitelist: its argument, then its settings."""
    counter = [0] if used is None else used
    name, opening = reader.take(), reader.token
    signature = FUNCTIONS.get(name.text)
    if signature is None:
        raise reader.unknown_function(name)
    reader.take()
    with reader.deeper(opening.at):
        if reader.token.is_op(")"):
            raise reader.source.error(opening.at, f"{name.text}() is empty", hint="Name a column")
        start = reader.token
        _count(reader, counter)
        argument = read_expression(reader, 0, counter)
        _check_argument(reader, name.text, signature, argument, start)
        options = read_options(reader, name.text, signature.options)
        reader.close(opening)
    return Call(name.text, argument, options, name.at)


def _read_operand(reader: Reader, counter: list[int]) -> Node:
    token = reader.token
    if token.is_op("+", "-"):
        negative = False
        while sign := reader.take_op("+", "-"):
            negative ^= sign.text == "-"
        operand = read_expression(reader, UNARY, counter)
        return _negated(operand) if negative else operand
    if token.is_op("("):
        reader.take()
        with reader.deeper(token.at):
            inner = read_expression(reader, 0, counter)
            reader.close(token)
        return inner
    if token.kind == "name" and reader.following.is_op("("):
        call = read_call(reader, counter)
        if FUNCTIONS[call.function].whole_factor:
            raise reader.source.error(
                token.at,
                f"{call.function}() has several columns",
                allowed="only as a whole term, not inside another function or expression",
            )
        return call
    return _read_leaf(reader)


def _read_leaf(reader: Reader) -> Node:
    token = reader.token
    if token.kind == "number":
        reader.take()
        return Number(token.text, token.at)
    if token.kind in ("name", "quoted"):
        return read_column(reader)
    _refuse(reader, token)
    if POWER.get(reader.following.text) == COMPARING:
        _refuse_text(reader, token)
    raise reader.unexpected("a column or a number")


def read_column(reader: Reader) -> Column:
    """Read a column's name, bare or between backticks."""
    token = reader.take()
    if token.kind == "quoted":
        return Column(token.text[1:-1], token.at)
    if token.text == "lambda":
        raise reader.source.error(
            token.at,
            "Python code can't be used in a formula",
            hint="If there is a column of that name, write it between backticks: `lambda`",
        )
    if token.text in CONSTANTS:
        raise reader.source.error(
            token.at,
            f"{token.text} is not a column",
            hint=f"If there is a column of that name, write `{token.text}`",
        )
    return Column(token.text, token.at)


def _negated(node: Node) -> Node:
    return node.operand if isinstance(node, Unary) else Unary(node)


def _count(reader: Reader, counter: list[int]) -> None:
    counter[0] += 1
    if counter[0] > MAX_OPERATORS:
        raise reader.source.error(
            reader.token.at,
            "The expression is too long",
            allowed=f"{MAX_OPERATORS} operators and functions at most",
            hint="Put the values in a column of the table",
        )


def _refuse(reader: Reader, token: Token) -> None:
    """Raise for the operators of the other language: they mean something else here."""
    if token.is_op("^"):
        raise reader.source.error(
            token.at, "'^' is not available inside a function", hint="A power is written x**2"
        )
    if token.is_op(":"):
        raise reader.source.error(
            token.at,
            "':' is not available inside a function",
            hint="A product is written a * b, and an interaction outside: log(a):b",
        )
    if token.is_op("|", "||"):
        raise reader.source.error(
            token.at,
            f"{token.text!r} is not available here",
            hint=elsewhere(reader.following.text, "function")
            or "A random term is (x | g) on the right of ~",
        )


def _refuse_text(reader: Reader, token: Token) -> None:
    """Raise for a comparison with text."""
    if token.kind == "string":
        raise reader.source.error(
            token.at,
            "Text in quotes is not allowed here: only numbers can be compared",
            got=token.text,
            hint="A text column's levels get columns of their own without I(); for one level, "
            f"make the column in the table first: data['new'] = data['column'] == {token.text}",
        )


def _check_argument(
    reader: Reader, name: str, signature: Signature, argument: Node, start: Token
) -> None:
    problem: FormulaError | None = None
    if not any(True for _ in columns_in(argument)):
        problem = reader.source.error(
            start.at, f"{name}({show(argument)}) names no column", hint="Name one"
        )
    elif signature.of_column and not isinstance(argument, Column):
        problem = reader.source.error(
            start.at,
            f"{name}() takes a column",
            got=show(argument),
            hint="Make the column in the table first",
        )
    if problem is not None:
        raise problem

"""The syntax tree of a factor: what may stand between the operators of a formula.

The node types are the whitelist. What has no node here (attributes, subscripts, lambdas,
calls of anything but the named functions) can't be written, so that no formula runs code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_BARE = re.compile(r"(?:[^\W\d]|\.(?=[^\W\d]))[\w.]*")
CONSTANTS = {"True": True, "TRUE": True, "False": False, "FALSE": False}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table, by its own name (without backticks)."""

    name: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A number, kept as it was written."""

    text: str
    at: int = field(default=0, compare=False)

    @property
    def value(self) -> float:
        """The number as a float."""
        return float(self.text)


@dataclass(frozen=True, slots=True)
class Unary:
    """A minus sign before an expression."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic inside a function; `op` is one of ``+ - * / ** < <= > >= == !=``."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Contrast:
    """A coding of a categorical column, ``contr.treatment("A")``."""

    kind: str
    options: tuple[Option, ...] = ()


Literal = float | bool | str | tuple[float, ...] | Contrast


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a function, ``df=4``; `positional` when it was given without its name."""

    name: str
    value: Literal
    positional: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One of the known functions, of an expression, with its settings."""

    function: str
    argument: Node
    options: tuple[Option, ...] = ()
    at: int = field(default=0, compare=False)


Node = Column | Number | Unary | Binary | Call

# How tightly operators bind inside a function, as in Python
POWER = {"<": 1, "<=": 1, ">": 1, ">=": 1, "==": 1, "!=": 1, "+": 2, "-": 2, "*": 3, "/": 3}
COMPARING, UNARY, POW = 1, 4, 5


def quoted(name: str) -> str:
    """A column's name as it stands in a formula: between backticks where it must."""
    plain = (
        _BARE.fullmatch(name)
        and name not in (*CONSTANTS, "lambda")
        and not any(piece.startswith("__") for piece in name.split("."))
    )
    return name if plain else f"`{name}`"


def show(node: Node, outer: int = 0) -> str:
    """A node as canonical text, with the parentheses that it needs inside power `outer`."""
    match node:
        case Column(name):
            return quoted(name)
        case Number(text):
            return text
        case Call(function, argument, options):
            return f"{function}({', '.join([show(argument), *map(show_option, options)])})"
        case Unary(operand):
            text, power = f"-{show(operand, UNARY)}", UNARY
        case Binary("**", left, right):
            text, power = f"{show(left, POW + 1)}**{show(right, UNARY)}", POW
        case Binary(op, left, right):
            power = POWER[op]
            text = f"{show(left, power + (power == 1))} {op} {show(right, power + 1)}"
    return f"({text})" if power < outer else text


def show_option(option: Option) -> str:
    """A setting as it stands in a formula."""
    value = show_literal(option.value)
    return value if option.positional else f"{option.name}={value}"


def show_literal(value: Literal) -> str:
    """A setting's value as text."""
    match value:
        case bool():
            return str(value)
        case str():
            return f"'{value}'" if '"' in value else f'"{value}"'
        case tuple():
            return f"[{', '.join(map(show_literal, value))}]"
        case Contrast(kind, options):
            inside = ", ".join(map(show_option, options))
            return f"contr.{kind}({inside})" if options else f"contr.{kind}"
        case _:
            # repr(1e22) is 1e+22; int() of it would print 23 digits
            whole = value == int(value) and abs(value) < 1e15
            return str(int(value)) if whole else repr(value)


def columns_in(node: Node) -> Iterator[str]:
    """The columns that a node names, in the order of the text."""
    match node:
        case Column(name):
            yield name
        case Unary(operand):
            yield from columns_in(operand)
        case Binary(_, left, right):
            yield from columns_in(left)
            yield from columns_in(right)
        case Call(_, argument, _):
            yield from columns_in(argument)
        case _:
            return

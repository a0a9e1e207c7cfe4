"""Formula text to tokens. Only the characters of the formula language come through."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from bayeslmm.errors import FormulaError
from bayeslmm.formula.source import MAX_LENGTH, Source

Kind = Literal["name", "quoted", "number", "string", "op", "end"]

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<name>(?:[^\W\d]|\.(?=[^\W\d]))[\w.]*)
  | (?P<quoted>`[^`]+`)
  | (?P<string>"[^"\\]*"|'[^'\\]*')
  | (?P<op>\*\*|\|\||==|!=|<=|>=|[-~+*/:^|(),=<>\[\]])
    """,
    re.VERBOSE,
)

_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")  # NUL, and halves of surrogate pairs

_WHY_NOT: dict[str, tuple[str, str]] = {
    "`": ("A backtick is never closed", "Write the column's name between two backticks"),
    "'": ("A quote is never closed, or holds a backslash", "Write contr.treatment('level')"),
    '"': ("A quote is never closed, or holds a backslash", 'Write contr.treatment("level")'),
    "{": ("Python code can't be used in a formula", "Put the values in a column of the table"),
    "}": ("Python code can't be used in a formula", "Put the values in a column of the table"),
    "%": ("Operators between percent signs are not available", "For a %in% b write a:b"),
    ".": ("'.' for all other columns is not available", "Write the columns out"),
    "$": ("'$' is not available", "Write the column's name alone"),
    "@": ("Python code can't be used in a formula", "Put the values in a column of the table"),
}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text: what it is, what it says, and where it starts."""

    kind: Kind
    text: str
    at: int

    def is_op(self, *ops: str) -> bool:
        """Whether this is one of the operators `ops`."""
        return self.kind == "op" and self.text in ops


def tokens_of(text: str) -> tuple[Token, ...]:
    """Split `text` into tokens; the last has kind ``"end"``.

    Raises
    ------
    FormulaError
        Where a character isn't part of the formula language.
    """
    source = Source(text)
    odd = _UNWRITABLE.search(text)
    if odd is not None:
        raise source.error(
            odd.start(),
            f"The character U+{ord(odd.group()):04X} can't be written to a file",
            hint="Rename the column",
        )
    if len(text) > MAX_LENGTH:
        raise FormulaError(
            f"The formula has {len(text):,} characters", allowed=f"{MAX_LENGTH:,} at most"
        )
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        token = _token_at(source, at)
        if token.kind != "end":
            tokens.append(token)
        at = token.at + len(token.text)
    return (*tokens, Token("end", "", len(text.rstrip())))


def _token_at(source: Source, at: int) -> Token:
    match = _TOKEN.match(source.text, at)
    if match is None:
        raise _unreadable(source, at)
    text = match.group()
    match match.lastgroup:
        case "space":
            return Token("end", text, at)
        case "number":
            _check_number(source, match)
            return Token("number", text, at)
        case "name":
            if any(piece.startswith("__") for piece in text.split(".")):
                raise source.error(
                    at,
                    "Names that start with two underscores can't be used in a formula",
                    got=text,
                    hint="If it is a column, write it between backticks",
                )
            return Token("name", text, at)
        case "quoted":
            return Token("quoted", text, at)
        case "string":
            return Token("string", text, at)
        case _:
            return Token("op", text, at)


def _check_number(source: Source, match: re.Match[str]) -> None:
    following = source.text[match.end() : match.end() + 1]
    if following and (following.isalnum() or following in "_.`"):
        raise source.error(
            match.start(),
            "A number is followed by a name without an operator",
            hint="If it is a column whose name starts with a digit, write it between backticks",
        )
    if not math.isfinite(float(match.group())):
        raise source.error(match.start(), "A number is too large")


def _unreadable(source: Source, at: int) -> FormulaError:
    char = source.text[at]
    what, hint = _WHY_NOT.get(char, ("", ""))
    if char == "`" and source.text.count("`") % 2 == 0:
        what, hint = "There is nothing between the backticks", "Write a column's name there"
    if not what:
        shown = repr(char) if char.isprintable() else f"U+{ord(char):04X}"
        what, hint = f"The character {shown} isn't part of a formula", ""
    return source.error(at, what, hint=hint or None)

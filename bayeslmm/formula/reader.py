"""A cursor over the tokens of a formula, shared by the readers of its two languages."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from contextlib import contextmanager

from bayeslmm.errors import FormulaError, nearest, shorter
from bayeslmm.formula.functions import FUNCTIONS, STRUCTURES
from bayeslmm.formula.lexer import Token, tokens_of
from bayeslmm.formula.source import Source
from bayeslmm.synonyms import elsewhere

MAX_DEPTH = 40
MAX_OPERATORS = 100


class Reader:
    """Where the reading has come to; it only moves forward."""

    __slots__ = ("_at", "_depth", "_tokens", "source")

    def __init__(self, text: str) -> None:
        self.source = Source(text)
        self._tokens = tokens_of(text)
        self._at = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._at]

    @property
    def following(self) -> Token:
        """The token after the next."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Step over the next token."""
        token = self.token
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def take_op(self, *ops: str) -> Token | None:
        """Step over the next token if it is one of `ops`."""
        return self.take() if self.token.is_op(*ops) else None

    def first_inside(self) -> Token:
        """The first token inside the parentheses that open after the next token."""
        return self._tokens[min(self._at + 2, len(self._tokens) - 1)]

    def has_op(self, op: str) -> bool:
        """Whether `op` stands anywhere in the text."""
        return any(token.is_op(op) for token in self._tokens)

    def covariance_inside(self) -> bool:
        """Whether a covariance stands in the parentheses that open after the next token, not the
        argument of a function of its name: with a bar, a setting, or ``0 +`` at its start."""
        depth, inside = 0, self._tokens[self._at + 1 :]
        if len(inside) > 2 and inside[1].text == "0" and inside[2].is_op("+"):
            return True
        for token in inside:
            depth += token.is_op("(") - token.is_op(")")
            if depth <= 0:
                return False
            if depth == 1 and token.is_op("|", "||", "="):
                return True
        return False

    @contextmanager
    def deeper(self, at: int) -> Iterator[None]:
        """One more level of parentheses, up to a limit."""
        if self._depth >= MAX_DEPTH:
            raise self.source.error(
                at, "Parentheses are nested too deeply", allowed=f"{MAX_DEPTH} levels"
            )
        self._depth += 1
        yield
        self._depth -= 1

    def close(self, opening: Token) -> None:
        """Step over the parenthesis that closes `opening`."""
        if self.take_op(")"):
            return
        if self.token.kind == "end":
            raise self.source.error(
                opening.at, "A parenthesis is never closed", hint="Write ) where it ends"
            )
        raise self.unexpected()

    def unexpected(self, wanted: str = "an operator or the end") -> FormulaError:
        """The error for the next token, where `wanted` should stand."""
        token = self.token
        error = self.source.error
        if token.kind == "end":
            return error(token.at, f"The formula ends where {wanted} is expected")
        if token.is_op(")"):
            if wanted == "an operator or the end":
                return error(token.at, "A parenthesis is closed that was never opened")
            return error(token.at, f"A parenthesis is closed where {wanted} is expected")
        if token.is_op("[", "]"):
            return error(
                token.at,
                "Subscripts and lists are not allowed here",
                hint="Put the values in a column of the table",
            )
        if token.is_op("~") and self._depth:
            return error(token.at, "'~' is not allowed inside parentheses")
        if token.is_op("~"):
            return error(token.at, "There is a second '~'", allowed="one: response ~ terms")
        if token.is_op("=", "=="):
            return error(
                token.at, f"{token.text!r} is not allowed here", hint="Write ~ for 'is modelled by'"
            )
        if token.is_op("<", "<=", ">", ">=", "!="):
            return error(token.at, "Comparisons need I()", hint="Write I(x > 3)")
        if token.kind == "string":
            return error(
                token.at,
                "Text in quotes is not allowed here",
                allowed="as a base level, C(x, contr.treatment('a'))",
                hint="A column's name goes between backticks",
            )
        if token.kind in ("name", "quoted", "number") or token.is_op("("):
            return self._two_in_a_row(token)
        return error(token.at, f"{token.text!r} occurs where {wanted} is expected")

    def _two_in_a_row(self, token: Token) -> FormulaError:
        before = self._tokens[self._at - 1] if self._at else token
        if keyword.iskeyword(before.text) or keyword.iskeyword(token.text):
            return self.source.error(token.at, "Python code can't be used in a formula")
        return self.source.error(
            token.at,
            f"An operator is missing before {token.text!r}",
            hint="Terms are joined by +; a column's name with spaces goes between backticks",
        )

    def unknown_function(self, name: Token) -> FormulaError:
        """The error for a function that a formula can't use."""
        known = list(dict.fromkeys([*FUNCTIONS, "offset", *STRUCTURES]))
        module, _, last = name.text.rpartition(".")
        if module in ("np", "numpy", "math") and last in FUNCTIONS:
            hint = f"Write {last}(x)"
        else:
            hint = elsewhere(name.text, "function") or nearest(name.text, known, "structure")
            column = self.first_inside()
            if hint.startswith("Write") and column.kind in ("name", "quoted"):
                hint = hint.replace("(x", f"({shorter(column.text, 60)}")
        return self.source.error(
            name.at,
            f"The function {shorter(name.text, 60)}() is not available in a formula",
            hint=hint,
        )

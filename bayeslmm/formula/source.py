"""The text of a formula, and errors that point into it."""

from __future__ import annotations

from dataclasses import dataclass, field

from bayeslmm.errors import FormulaError

MAX_LENGTH = 50_000
MAX_PRODUCTS = 50_000
_WINDOW = 72


class Budget:
    """How many products of terms one formula may still form."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_PRODUCTS


@dataclass(frozen=True, slots=True)
class Source:
    """A formula's text; every part that finds something wrong points into it."""

    text: str
    budget: Budget = field(default_factory=Budget, compare=False)

    def spend(self, products: int, at: int) -> None:
        """Count products of terms: a short text can stand for very many."""
        self.budget.left -= products
        if self.budget.left < 0:
            raise self.error(
                at,
                "The formula multiplies out to too many terms",
                allowed=f"{MAX_PRODUCTS:,} products at most",
            )

    def error(
        self,
        at: int,
        what: str,
        *,
        got: object = None,
        allowed: object = None,
        hint: str | None = None,
    ) -> FormulaError:
        """Make the error for what is wrong at character `at`: words, text and a caret."""
        error = FormulaError(what, got=got, allowed=allowed, hint=hint)
        error.args = (f"{error}\n{self._picture(at)}",)
        return error

    def _picture(self, at: int) -> str:
        """The line of the text around `at`, and a caret below that character."""
        flat = "".join(c if c.isprintable() else " " for c in self.text)
        start = max(0, at - _WINDOW // 2) if len(flat) > _WINDOW else 0
        before, after = ("…" if start else ""), ("…" if len(flat) > start + _WINDOW else "")
        caret = " " * (at - start + len(before)) + "^"
        return f"    {before}{flat[start : start + _WINDOW]}{after}\n    {caret}"

"""What a formula says, as frozen values: text only, nothing evaluated."""

from __future__ import annotations

from dataclasses import dataclass

from bayeslmm.formula.syntax import Option, quoted, show_option


@dataclass(frozen=True, slots=True)
class RandomTerm:
    """One random term, `(lhs | group)`.

    Attributes
    ----------
    lhs : str
        The coefficients that vary, as a fixed-effects right-hand side in canonical form,
        intercept always said: ``"1"``, ``"1 + Days"``, ``"0 + Machine"``.
    factors : tuple of str
        The columns whose combination is the grouping factor: ``("batch", "cask")`` for
        ``batch:cask``; empty where all rows share one realisation, ``gau(row + col)``.
    structure : str
        Name of the covariance structure of the coefficients: ``"us"`` for ``|``, ``"diag"``
        for ``||``.
    options : tuple of Option
        The structure's settings, ``hom=False``.
    """

    lhs: str
    factors: tuple[str, ...]
    structure: str = "us"
    options: tuple[Option, ...] = ()

    @property
    def group(self) -> str:
        """The grouping factor's name: ``batch:cask``; without one, ``gau(row + col)``."""
        if not self.factors:
            return f"{self.structure}({self.lhs.removeprefix('0 + ')})"
        return ":".join(self.factors)

    def __str__(self) -> str:
        if not self.factors:
            said = "".join(f", {show_option(option)}" for option in self.options)
            return f"{self.structure}({self.lhs}{said})"
        bar = "||" if self.structure == "diag" else "|"
        said = "".join(f", {show_option(option)}" for option in self.options)
        inside = f"({self.lhs} {bar} {':'.join(map(quoted, self.factors))}{said})"
        return inside if self.structure in ("us", "diag") else f"{self.structure}{inside}"


@dataclass(frozen=True, slots=True)
class Formula:
    """A parsed random-coefficient specification; `str(formula)` prints back what was read.

    Attributes
    ----------
    text : str
        The user's own text.
    response : str
        The response as an expression, ``"Reaction"`` or ``"log(Reaction)"``; empty in
        a one-sided formula.
    fixed : str
        Right-hand side of the fixed effects, canonical, intercept always said
        (``"1 + Days"``, ``"0 + Machine"``).
    random : tuple of RandomTerm
        Random terms in the order of the text; nested ones (``a/b``) already expanded.
    offsets : tuple of str
        The insides of ``offset(...)``.
    variables : tuple of str
        Every column that the formula names, in order of appearance in its canonical text.
    """

    text: str
    response: str
    fixed: str
    random: tuple[RandomTerm, ...] = ()
    offsets: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the grouping factors, each once, in order of appearance."""
        return tuple(dict.fromkeys(term.group for term in self.random))

    def __str__(self) -> str:
        parts = [self.fixed, *(f"offset({o})" for o in self.offsets), *map(str, self.random)]
        return f"{self.response} ~ {' + '.join(parts)}".lstrip()

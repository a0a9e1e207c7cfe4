"""Reads what `residual=` says: ``ar1(time | Subject) + diag(Sex)``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from bayeslmm.errors import ModelError, nearest, shorter
from bayeslmm.formula.expressions import read_column
from bayeslmm.formula.functions import STRUCTURES, Kind
from bayeslmm.formula.grammar import read_groups
from bayeslmm.formula.reader import Reader
from bayeslmm.formula.settings import read_options
from bayeslmm.formula.syntax import Option, quoted, show_option
from bayeslmm.synonyms import elsewhere

_VARIANCES: dict[str, dict[str, Kind]] = {"varpower": {}, "varexp": {}}
RESIDUALS = {name: known for name, known in STRUCTURES.items() if name != "id"}
RESIDUALS |= {"diag": {}, **_VARIANCES}
_EXAMPLE = "Write it as in ar1(time | Subject), us(age | Subject) or diag(Sex)"


@dataclass(frozen=True, slots=True)
class ResidualTerm:
    """One structure of the residuals, `ar1(time | Subject)`.

    Attributes
    ----------
    structure : str
    columns : tuple of str
        What stands on the left of the bar: occasions, strata, times or coordinates.
    factors : tuple of str
        The columns whose combination groups the rows; empty where all rows are one group.
    options : tuple of Option
    """

    structure: str
    columns: tuple[str, ...]
    factors: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()

    @property
    def group(self) -> str:
        """The grouping factor's name."""
        return ":".join(self.factors)

    def __str__(self) -> str:
        left = " + ".join(map(quoted, self.columns)) or "1"
        bar = f" | {':'.join(map(quoted, self.factors))}" if self.factors else ""
        bar = bar or ("" if self.columns else " | 1")
        said = "".join(f", {show_option(option)}" for option in self.options)
        return f"{self.structure}({left}{bar}{said})"


@lru_cache(64)
def parse_residual(text: str) -> tuple[ResidualTerm, ...]:
    """Read the residuals' structures, joined by ``+``.

    Raises
    ------
    FormulaError
        Where the text can't be read.
    ModelError
        For an unknown structure, or two correlations.
    """
    if not text.strip():
        raise ModelError("residual= is empty", hint=_EXAMPLE)
    reader = Reader(text)
    out = [_read_term(reader)]
    while reader.take_op("+"):
        out.append(_read_term(reader))
    if reader.token.kind != "end":
        raise reader.unexpected("'+' or the end")
    return tuple(out)


def _read_term(reader: Reader) -> ResidualTerm:
    name = reader.token
    if name.kind != "name" or not reader.following.is_op("("):
        raise reader.unexpected("a structure")
    if name.text not in RESIDUALS:
        raise ModelError(
            f"Unknown residual structure {shorter(name.text, 60)}()",
            hint=elsewhere("fitted", "column")
            if reader.first_inside().text == "fitted"
            else nearest(name.text, RESIDUALS, "residual"),
        )
    reader.take()
    opening = reader.take()
    with reader.deeper(opening.at):
        columns = _read_columns(reader)
        groups: list[tuple[str, ...]] = [()]
        if reader.take_op("|"):
            groups = _read_group(reader)
        options = read_options(reader, name.text, RESIDUALS[name.text])
        reader.close(opening)
    if len(groups) != 1:
        raise ModelError(
            "Residuals are grouped by one factor",
            got="/".join(map(":".join, groups)),
            hint="Write the innermost one as a:b",
        )
    named = tuple(replace(option, positional=False) for option in options)
    return ResidualTerm(name.text, columns, groups[0], named)


def _read_columns(reader: Reader) -> tuple[str, ...]:
    """Columns joined by ``+``; ``0 +`` or ``1 +`` before them says nothing here."""
    if reader.token.kind == "number" and reader.token.text in ("0", "1"):
        reader.take()
        if reader.take_op("+") is None:
            if reader.token.is_op("|"):
                return ()
            raise reader.unexpected("'+' or '|'")
    out = [_read_name(reader)]
    while reader.take_op("+"):
        out.append(_read_name(reader))
    return tuple(dict.fromkeys(out))


def _read_name(reader: Reader) -> str:
    if reader.token.kind not in ("name", "quoted"):
        raise reader.unexpected("a column")
    return read_column(reader).name


def _read_group(reader: Reader) -> list[tuple[str, ...]]:
    if reader.token.kind == "number" and reader.token.text == "1":
        reader.take()
        return [()]
    return read_groups(reader)

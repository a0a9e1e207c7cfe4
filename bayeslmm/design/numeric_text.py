"""Text that shows numbers: a numeric column that some of its values made text of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bayeslmm.design.normal import Columns
from bayeslmm.errors import listed
from bayeslmm.formula import ORDERED, POINTS, Formula, trees_of
from bayeslmm.formula.syntax import Column

_MISSING = frozenset(
    {"", ".", "..", "-", "--", "?", "*", "na", "n/a", "#n/a", "nan", "null", "none", "missing"}
)
_SHARE, _SEVERAL, _MANY = 0.8, 10, 20


@dataclass(frozen=True, slots=True)
class NumericText:
    """What the levels of a text column show.

    Attributes
    ----------
    n_levels, n_numbers : int
        Levels in all, and those that are numbers.
    others : tuple of str
        The rest.
    commas : bool
        Whether some of the numbers have decimal commas.
    """

    n_levels: int
    n_numbers: int
    others: tuple[str, ...]
    commas: bool

    @property
    def suspicious(self) -> bool:
        """Whether the column was probably meant to be numeric."""
        if self.n_numbers < 2:
            return False
        if self.others and all(text.strip().lower() in _MISSING for text in self.others):
            return True
        if not self.others and not self.commas:
            return self.n_levels >= _MANY
        return self.n_levels >= _SEVERAL and self.n_numbers >= _SHARE * self.n_levels

    def remedy(self, name: str) -> str:
        """The pandas line that makes numbers of it."""
        column = f"data[{name!r}]"
        if self.commas:
            points = f"{column}.str.replace(',', '.')"
            if not self.others:
                return f"{column} = {points}.astype(float)"
            return f"{column} = pd.to_numeric({points}, errors='coerce')"
        if self.others:
            return f"{column} = pd.to_numeric({column}, errors='coerce')"
        return f"{column} = {column}.astype(float)"


def numeric_text(levels: Sequence[object]) -> NumericText:
    """What levels of text show; anything but text is no number here."""
    others: list[str] = []
    commas = False
    for level in levels:
        text = level if isinstance(level, str) else ""
        if _is_number(text):
            continue
        if text.count(",") == 1 and _is_number(text.replace(",", ".")):
            commas = True
        else:
            others.append(text)
    return NumericText(len(levels), len(levels) - len(others), tuple(others), commas)


def _is_number(text: str) -> bool:
    if "_" in text or text.strip().lower() in _MISSING:  # Python would read 1_2 as 12
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True


def warnings_of(formula: Formula, columns: Columns) -> list[str]:
    """A sentence for each column of mostly numeric text that the formula takes for a factor.

    Grouping factors may well be numbered, and C() asks for a factor.
    """
    out = []
    for name in _bare_columns(formula):
        column = columns[name]
        if not column.is_text or column.labels is None:
            continue
        found = numeric_text(column.labels)
        if not found.suspicious:
            continue
        if found.others:
            why = f"because of {listed(map(repr, found.others), 100)}"
        elif found.commas:
            why = "because of its decimal commas"
        else:
            why = "although all of them are numbers"
        out.append(
            f"The column {name!r} is text, {why}: it is used as a factor of {found.n_levels} "
            f"levels. If it is numeric, write {found.remedy(name)}; if it is a factor, write "
            f"C({name})."
        )
    return out


def _bare_columns(formula: Formula) -> list[str]:
    # occasions and points are read from their text anyway
    free = [term.lhs for term in formula.random if term.structure not in (*ORDERED, *POINTS)]
    texts = [formula.fixed, *free]
    factors = [factor for text in texts for term in trees_of(text)[1] for factor in term]
    return list(dict.fromkeys(node.name for node in factors if isinstance(node, Column)))

"""Random terms to blocks: all terms on one grouping factor make one block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bayeslmm.design.coding import LearntTerms
from bayeslmm.design.groups import Codes, LearntGroup, learn_group
from bayeslmm.design.normal import Columns
from bayeslmm.design.types import Floats, Part, RandomBlock
from bayeslmm.errors import FormulaError
from bayeslmm.formula import RandomTerm

Values = Callable[[LearntTerms], Floats]  # the columns of terms for some rows, made once


@dataclass(frozen=True, slots=True, eq=False)
class LearntBlock:
    """All random terms on one factor, with what they learnt."""

    name: str
    group: LearntGroup
    terms: tuple[LearntTerms, ...]
    parts: tuple[Part, ...]

    def block(self, codes: Codes, values: Values) -> RandomBlock:
        """The block for rows of these levels."""
        made = [values(term) for term in self.terms]
        return RandomBlock(
            group=self.name,
            levels=self.group.levels,
            codes=codes,
            values=made[0] if len(made) == 1 else np.hstack(made),
            coefs=tuple(name for term in self.terms for name in term.names),
            parts=self.parts,
        )


def learn_block(
    terms: Sequence[RandomTerm], columns: Columns, learnt_from: Callable[[str], LearntTerms]
) -> tuple[LearntBlock, Codes]:
    """Merge the random terms on one factor; also the level of each row.

    `learnt_from` gives what a left-hand side learnt from these rows.

    Raises
    ------
    FormulaError
        If two of them give one coefficient an effect.
    """
    learnt = tuple(learnt_from(term.lhs) for term in terms)
    _require_distinct(terms, learnt)
    parts: list[Part] = []
    start = 0
    for term, made in zip(terms, learnt, strict=True):
        end = start + len(made.names)
        parts.append(Part(term.structure, tuple(range(start, end))))
        start = end
    group, codes = learn_group(terms[0].factors, columns)
    return LearntBlock(terms[0].group, group, learnt, tuple(parts)), codes


def _require_distinct(terms: Sequence[RandomTerm], learnt: Sequence[LearntTerms]) -> None:
    counts = Counter(name for columns in learnt for name in columns.names)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        group = terms[0].group
        hint = "Each coefficient varies in one term: leave it out of the others, with 0 +"
        if twice == ["Intercept"]:
            hint = f"Write (1 | {group}) + (0 + x | {group}); (x | {group}) holds the intercept"
        raise FormulaError(
            f"Several random terms on {group!r} hold {', '.join(twice)}; only their sum could be "
            "told from the data",
            got=" + ".join(map(str, terms)),
            hint=hint,
        )

"""Random terms to blocks: all terms on one grouping factor make one block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayeslmm.design.coding import LearntTerms, learn_terms
from bayeslmm.design.groups import LearntGroup, learn_group
from bayeslmm.design.transforms import States
from bayeslmm.design.types import Part, RandomBlock
from bayeslmm.errors import FormulaError
from bayeslmm.formula import RandomTerm


@dataclass(frozen=True, slots=True, eq=False)
class LearntBlock:
    """All random terms on one factor, with what they learnt."""

    name: str
    group: LearntGroup
    terms: tuple[LearntTerms, ...]
    parts: tuple[Part, ...]

    def block(self, frame: pd.DataFrame, states: States, *, new_levels: str) -> RandomBlock:
        """The block for the rows of `frame` (normal columns)."""
        return RandomBlock(
            group=self.name,
            levels=self.group.levels,
            codes=self.group.codes(frame, new_levels=new_levels),
            values=np.hstack([term.columns(frame, states) for term in self.terms]),
            coefs=tuple(name for term in self.terms for name in term.names),
            parts=self.parts,
        )


def learn_block(terms: Sequence[RandomTerm], frame: pd.DataFrame, states: States) -> LearntBlock:
    """Merge the random terms on one factor.

    Raises
    ------
    FormulaError
        If two of them give one coefficient an effect.
    """
    learnt = tuple(learn_terms(term.lhs, frame, states) for term in terms)
    _require_distinct(terms, learnt)
    parts: list[Part] = []
    start = 0
    for term, columns in zip(terms, learnt, strict=True):
        end = start + len(columns.names)
        parts.append(Part(term.structure, tuple(range(start, end))))
        start = end
    group = learn_group(terms[0].factors, frame)
    return LearntBlock(terms[0].group, group, learnt, tuple(parts))


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

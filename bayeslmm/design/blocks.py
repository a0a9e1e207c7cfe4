"""Random terms to blocks: all terms on one grouping factor make one block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.design.axes import Kind
from bayeslmm.design.coding import LearntTerms
from bayeslmm.design.groups import Codes, LearntGroup, group_of_levels, learn_group
from bayeslmm.design.normal import Columns
from bayeslmm.design.places import LearntPlaces, learn_places, placed_columns
from bayeslmm.design.types import Floats, Further, Part, RandomBlock
from bayeslmm.errors import FormulaError
from bayeslmm.formula import ORDERED, POINTS, RandomTerm
from bayeslmm.memory import check_random_block

Learnt = LearntTerms | LearntPlaces
Values = Callable[[Learnt], Floats]  # the columns of terms for some rows, made once


@dataclass(frozen=True, slots=True, eq=False)
class LearntBlock:
    """All random terms on one factor, with what they learnt."""

    name: str
    group: LearntGroup
    terms: tuple[Learnt, ...]
    parts: tuple[Part, ...]

    def block(self, codes: Codes, values: Values, new_places: Columns | None = None) -> RandomBlock:
        """The block for rows of these levels; `new_places`: the rows, where places may be new."""
        names = tuple(name for term in self.terms for name in term.names)
        check_random_block(self.name, len(codes), len(self.group.levels), len(names))
        further = []
        if new_places is not None:
            placed = [(i, t) for i, t in enumerate(self.terms) if isinstance(t, LearntPlaces)]
            further = [Further(i, *found) for i, t in placed if (found := t.further(new_places))]
        made = [values(term) for term in self.terms]
        return RandomBlock(
            group=self.name,
            levels=self.group.levels,
            codes=codes,
            values=made[0] if len(made) == 1 else np.hstack(made),
            coefs=names,
            parts=self.parts,
            further=tuple(further),
        )


def learn_block(
    terms: Sequence[RandomTerm],
    columns: Columns,
    learnt_from: Callable[[str], LearntTerms],
    levels: NDArray[Any] | None = None,
) -> tuple[LearntBlock, Codes]:
    """Merge the random terms on one factor; also the level of each row.

    `learnt_from` gives what a left-hand side learnt from these rows.

    Raises
    ------
    FormulaError
        If two of them give one coefficient an effect.
    """
    learnt = tuple(_learn(term, columns, learnt_from) for term in terms)
    _require_distinct(terms, learnt)
    parts: list[Part] = []
    start = 0
    for term, made in zip(terms, learnt, strict=True):
        end = start + len(made.names)
        parts.append(_part(term, made, tuple(range(start, end))))
        start = end
    if levels is None:
        group, codes = learn_group(terms[0].factors, columns)
    else:
        group, codes = group_of_levels(terms[0].factors, columns, levels)
    return LearntBlock(terms[0].group, group, learnt, tuple(parts)), codes


def _learn(term: RandomTerm, columns: Columns, learnt_from: Callable[[str], LearntTerms]) -> Learnt:
    if term.structure in ORDERED + POINTS:
        kind: Kind = "order" if term.structure in ORDERED else "points"
        return learn_places(placed_columns(term), columns, kind=kind)
    return learnt_from(term.lhs)


def _part(term: RandomTerm, made: Learnt, columns: tuple[int, ...]) -> Part:
    options = tuple((o.name, o.value) for o in term.options if isinstance(o.value, bool | float))
    at: tuple[tuple[float, ...], ...] = ()
    if isinstance(made, LearntPlaces):
        at = tuple(tuple(point) for point in made.at.tolist())
    return Part(term.structure, columns, options, at)


def _require_distinct(terms: Sequence[RandomTerm], learnt: Sequence[Learnt]) -> None:
    counts = Counter(name for columns in learnt for name in columns.names)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        group = terms[0].group
        hint = "Keep the coefficient in one term and leave it out of the others by 0 +"
        if twice == ["Intercept"]:
            hint = f"Write (1 | {group}) + (0 + x | {group}); (x | {group}) contains the intercept"
        raise FormulaError(
            f"Several random terms on {group!r} contain {', '.join(twice)}; only the sum of "
            "their effects is identified",
            got=" + ".join(map(str, terms)),
            hint=hint,
        )

"""Terms to columns: which factors get dummies, which contrasts, and what columns are called.

The rule is R's (Chambers and Hastie, 1992, Statistical Models in S, p. 38; `TermCode` and
`modelmatrix` in R's `model.c`): a categorical factor of a term is coded by contrasts if what is
left of the term without it is part of a term before; else by dummies. Without an intercept, the
first categorical factor of the first term that has one is coded by dummies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayeslmm.design.contrasts import (
    POLYNOMIAL,
    TREATMENT,
    Coding,
    contrasts,
    dummies,
)
from bayeslmm.design.levels import codes_of, unseen
from bayeslmm.design.normal import Columns
from bayeslmm.design.transforms import States, evaluate
from bayeslmm.design.types import Floats
from bayeslmm.errors import FormulaError
from bayeslmm.formula import trees_of
from bayeslmm.formula.algebra import Term
from bayeslmm.formula.syntax import Call, Column, Contrast, Node, show
from bayeslmm.memory import check_coding


@dataclass(frozen=True, slots=True, eq=False)
class Numeric:
    """A factor whose columns are numbers."""

    node: Node
    names: tuple[str, ...]

    def values(self, columns: Columns, states: States) -> Floats:
        """Its values for the rows of `columns`, shape (n, k)."""
        values = evaluate(self.node, columns, states)
        return values[:, None] if values.ndim == 1 else values


@dataclass(frozen=True, slots=True, eq=False)
class Categorical:
    """A factor whose columns stand for levels."""

    column: str
    levels: np.ndarray
    coding: Coding
    names: tuple[str, ...]

    def values(self, columns: Columns, states: States) -> Floats:
        """Its values for the rows of `columns`, shape (n, k)."""
        codes = codes_of(columns[self.column], self.levels)
        if (codes < 0).any():
            hint = f"{self.column!r} has effects of the levels in the fitted data only"
            raise unseen(self.column, columns[self.column], codes, hint, self.levels)
        return self.coding.matrix[codes]


Factor = Numeric | Categorical


@dataclass(frozen=True, slots=True, eq=False)
class LearntTerms:
    """A right-hand side with all that it learnt; makes its columns for any rows.

    Attributes
    ----------
    intercept : bool
    terms : tuple of tuple of factors
    names : tuple of str, length p
        What the columns are called.
    """

    intercept: bool
    terms: tuple[tuple[Factor, ...], ...]
    names: tuple[str, ...]

    def values(self, columns: Columns, states: States) -> Floats:
        """Its columns for the rows of `columns`, shape (n, p)."""
        cache: dict[int, Floats] = {}
        out = np.empty((len(columns), len(self.names)))
        end = 0
        if self.intercept:
            out[:, 0] = 1.0
            end = 1
        for term in self.terms:
            for factor in term:
                if id(factor) not in cache:
                    cache[id(factor)] = factor.values(columns, states)
            part = _product([cache[id(factor)] for factor in term])
            start, end = end, end + part.shape[1]
            out[:, start:end] = part
        return out


def learn_terms(text: str, columns: Columns, states: States) -> LearntTerms:
    """Learn a right-hand side from the rows of `columns`.

    Raises
    ------
    FormulaError
        If two terms make columns of one name.
    DataError
        If a column can't serve as what the formula takes it for.
    """
    intercept, trees = trees_of(text)
    full = _dummy_coded(intercept, trees, columns)
    cache: dict[tuple[Node, bool], Factor] = {}
    terms: list[tuple[Factor, ...]] = []
    for place, tree in enumerate(trees):
        for node in tree:
            key = (node, (place, node) in full)
            if key not in cache:
                cache[key] = _learn_factor(node, key[1], columns, states)
        terms.append(tuple(cache[node, (place, node) in full] for node in tree))
    names = (["Intercept"] if intercept else []) + [n for term in terms for n in _names(term)]
    _require_distinct(names, text)
    return LearntTerms(intercept, tuple(terms), tuple(names))


def ordered_columns(text: str, columns: Columns) -> list[str]:
    """Ordered categoricals that a right-hand side codes by polynomial contrasts."""
    intercept, trees = trees_of(text)
    full = _dummy_coded(intercept, trees, columns)
    found: list[str] = []
    for place, tree in enumerate(trees):
        for node in tree:
            contrast = _contrast_of(node, columns)
            said = isinstance(node, Call) and bool(node.options)
            if contrast == POLYNOMIAL and not said and (place, node) not in full:
                found.append(_column_of(node))
    return list(dict.fromkeys(found))


def _dummy_coded(intercept: bool, trees: Sequence[Term], columns: Columns) -> set[tuple[int, Node]]:
    """The categorical factors coded by dummies, each with the place of its term."""
    full: set[tuple[int, Node]] = set()
    first_without_intercept = not intercept
    for place, tree in enumerate(trees):
        before = [set(earlier) for earlier in trees[:place]]
        for node in tree:
            if not _is_categorical(node, columns):
                continue
            rest = set(tree) - {node}
            if first_without_intercept or (rest and not any(rest <= other for other in before)):
                full.add((place, node))
            first_without_intercept = False
    return full


def _learn_factor(node: Node, full: bool, columns: Columns, states: States) -> Factor:
    shown = node.name if isinstance(node, Column) else show(node)
    contrast = _contrast_of(node, columns)
    if contrast is None:
        values = evaluate(node, columns, states)
        names = [shown] if values.ndim == 1 else _numbered(shown, values.shape[1])
        return Numeric(node, tuple(names))
    column = _column_of(node)
    levels = columns[column].coded[0]
    check_coding(column, len(levels))
    coding = dummies(levels) if full else contrasts(levels, contrast, column)
    return Categorical(column, levels, coding, tuple(f"{shown}[{x}]" for x in coding.labels))


def _contrast_of(node: Node, columns: Columns) -> Contrast | None:
    """How a factor's levels are compared where they are; None for a number."""
    if not _is_categorical(node, columns):
        return None
    if isinstance(node, Call):
        for option in node.options:
            if isinstance(option.value, Contrast):
                return option.value
    return POLYNOMIAL if columns[_column_of(node)].ordered else TREATMENT


def _is_categorical(node: Node, columns: Columns) -> bool:
    match node:
        case Column(name):
            return columns[name].labels is not None
        case Call("C", _, _):
            return True
        case _:
            return False


def _column_of(node: Node) -> str:
    inner = node.argument if isinstance(node, Call) else node
    assert isinstance(inner, Column)  # the grammar lets C() have nothing else
    return inner.name


def _numbered(shown: str, count: int) -> list[str]:
    return [f"{shown}[{i + 1}]" for i in range(count)]


def _names(term: tuple[Factor, ...]) -> list[str]:
    """Names of a term's columns; as in R the first factor runs fastest."""
    names = [""]
    for i, factor in enumerate(term):
        names = [f"{a}:{b}" if i else b for b in factor.names for a in names]
    return names


def _product(parts: Sequence[Floats]) -> Floats:
    """Products of the columns of a term's factors, the first running fastest; shape (n, k)."""
    total = parts[0]
    for part in parts[1:]:
        total = (part[:, :, None] * total[:, None, :]).reshape(len(total), -1)
    return total


def _require_distinct(names: Sequence[str], text: str) -> None:
    counts = Counter(names)
    for name, count in counts.items():
        if count > 1:
            raise FormulaError(
                f"Two columns of the design would be called {name!r}",
                got=text,
                hint="Rename a column of the table",
            )

"""Learn a design: a formula meets a table for the first time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.design import numeric_text
from bayeslmm.design.blocks import Learnt, LearntBlock, learn_block
from bayeslmm.design.coding import LearntTerms, learn_terms, ordered_columns
from bayeslmm.design.columns import (
    first_row,
    input_numbers,
    missing_in,
    normal_columns,
    numbers,
)
from bayeslmm.design.design import Design, Schema, offset_of
from bayeslmm.design.extras import Extras, named_columns, read_extras
from bayeslmm.design.groups import Codes
from bayeslmm.design.normal import Columns, Normal
from bayeslmm.design.places import LearntPlaces, placed_columns
from bayeslmm.design.table import Taken, labels_of, take
from bayeslmm.design.transforms import State, evaluate
from bayeslmm.design.types import Floats, Rows
from bayeslmm.errors import DataError, DataWarning, ModelError, warn
from bayeslmm.formula import ORDERED, POINTS, Formula, RandomTerm, columns_of, tree_of
from bayeslmm.formula.syntax import Column, columns_in, show
from bayeslmm.memory import check_fixed_columns

Categories = Literal["none", "text", "all"]


def learn(
    formula: Formula,
    data: object,
    *,
    extras: Extras | None = None,
    missing: str = "drop",
    categories: Categories = "none",
    also: Collection[str] = (),
    beside: Collection[str] = (),
    grouping: Collection[str] = (),
    occasions: Collection[str] = (),
    levels: Mapping[str, NDArray[Any]] | None = None,
) -> Design:
    """Learn the design of a formula from a table.

    Parameters
    ----------
    formula : Formula
        Of two sides.
    data : table
        A pandas or polars DataFrame, a pyarrow Table, or a dict of columns.
    extras : dict of str to (str or array of shape (n,)), optional
        Row-wise inputs (``weights``, ``known_sd``, ``trials``, ``offset``), each as a column's
        name or as numbers. The offset is added to the formula's own.
    missing : {"drop", "error"}
        What to do with rows that have a missing value in any column or extra used.
    categories : {"none", "text", "all"}
        Whether the response is a number, may be text (then of categories), or is of categories
        whatever it holds.
    also : collection of str
        Further columns that have to be there, and without missing values in the rows used.
    beside : collection of str
        The same, and kept in the design's `columns`.
    grouping : collection of str
        Those of them that are grouping factors.
    occasions : collection of str
        Those of them whose order or distances count.
    levels : mapping of str to ndarray, optional
        All levels of a grouping factor of one column, in order, whatever the rows have.

    Returns
    -------
    Design

    Raises
    ------
    ColumnError
        If a column isn't there.
    DataError
        If the table, a column or an extra can't be used.
    ModelError
        If `missing` is neither of its choices.
    FormulaError
        If terms contradict each other or don't fit the data.

    Warns
    -----
    DataWarning
        For rows dropped, levels that no row has, times taken as days, and polynomial contrasts.
    """
    if missing not in ("drop", "error"):
        raise ModelError(
            "Unknown missing=, the treatment of rows with missing values",
            got=repr(missing),
            allowed="drop, error",
        )
    if not formula.response:
        raise DataError("The formula has no response", got=str(formula))
    raw = take(
        data, list(dict.fromkeys([*formula.variables, *named_columns(extras), *beside, *also]))
    )
    given = read_extras(extras, raw)
    gone, notes = _incomplete_rows(raw, given, missing)
    kept = dict.fromkeys([*formula.variables, *beside])
    used = Taken({name: raw.columns[name] for name in kept}, raw.index)
    if gone is not None:
        used, given = _without(gone, used, given)
    groups = [name for term in formula.random for name in term.factors]
    responses = columns_in(tree_of(formula.response))
    columns = normal_columns(used, [*groups, *grouping], not_times=list(responses))
    inputs = {key: input_numbers(key, column) for key, column in given.items()}
    sources = {key: value for key, value in (extras or {}).items() if isinstance(value, str)}
    notes += _unused(columns, _only_places(formula, occasions)) + _ordered(formula, columns)
    notes += columns.time_notes
    notes += numeric_text.warnings_of(formula, columns)
    design = _materialise(formula, columns, inputs, sources, notes, categories, levels or {})
    for note in notes:
        warn(note, DataWarning)
    return replace(design, notes=(*notes, *_of_places(design)))


def _materialise(
    formula: Formula,
    columns: Columns,
    inputs: dict[str, Floats],
    sources: Mapping[str, str],
    notes: Sequence[str],
    categories: Categories,
    levels: Mapping[str, NDArray[Any]],
) -> Design:
    states: dict[str, State] = {}

    @cache
    def learnt_from(text: str) -> LearntTerms:
        return learn_terms(text, columns, states)

    @cache
    def values(terms: Learnt) -> Floats:
        return terms.values(columns, states)

    y, found = _response(formula, columns, categories)
    fixed = learnt_from(formula.fixed)
    check_fixed_columns(len(columns), len(fixed.names))
    blocks = _learn_blocks(formula, columns, learnt_from, levels)
    rows = Rows(
        X=values(fixed),
        blocks=tuple(block.block(codes, values) for block, codes in blocks),
        offset=offset_of(formula, columns, states, inputs.get("offset")),
        extras={key: value for key, value in inputs.items() if key != "offset"},
        index=labels_of(columns.index),
    )
    schema = Schema(fixed, tuple(block for block, _ in blocks), states, sources)
    return Design(formula, rows, y, fixed.names, columns, tuple(notes), schema, inputs, found)


def _learn_blocks(
    formula: Formula,
    columns: Columns,
    learnt_from: Callable[[str], LearntTerms],
    levels: Mapping[str, NDArray[Any]],
) -> list[tuple[LearntBlock, Codes]]:
    by_group: dict[str, list[RandomTerm]] = {}
    for term in formula.random:
        by_group.setdefault(term.group, []).append(term)
    return [
        learn_block(terms, columns, learnt_from, levels.get(group))
        for group, terms in by_group.items()
    ]


def _response(
    formula: Formula, columns: Columns, categories: Categories
) -> tuple[Floats, tuple[Any, ...]]:
    """The response, shape (n,), and its categories where it has some: then their codes."""
    node = tree_of(formula.response)
    names = list(dict.fromkeys(columns_in(node)))
    if isinstance(node, Column) and _has_categories(columns[names[0]], categories):
        levels, codes = columns[names[0]].coded
        return codes.astype(np.float64), tuple(np.asarray(levels).tolist())
    for name in names:
        numbers(columns[name], f"The response {name!r}", name)
    values = evaluate(node, columns, {})
    if values.ndim != 1:
        raise DataError(f"The response {show(node)} has several columns", allowed="one column")
    return values, ()


def _has_categories(column: Normal, categories: Categories) -> bool:
    text = column.labels is not None and not column.is_truth
    return categories == "all" or (categories == "text" and text)


def _incomplete_rows(
    raw: Taken, given: Mapping[str, pd.Series[Any]], how: str
) -> tuple[NDArray[np.bool_] | None, list[str]]:
    """Which rows miss a value, None where none does; and what there is to say about them."""
    masks = {name: missing_in(column) for name, column in raw.columns.items()}
    masks |= {key: missing_in(column) for key, column in given.items() if column.name not in masks}
    gone = {name: mask for name, mask in masks.items() if mask.any()}
    if not gone:
        return None, []
    any_gone = np.logical_or.reduce(list(gone.values()))
    counts = ", ".join(f"{name}: {mask.sum()}" for name, mask in gone.items())
    text = f"{any_gone.sum()} of {len(raw)} rows have missing values ({counts})"
    if any_gone.all():
        raise DataError(f"No row is complete: {text}")
    if how == "error":
        first = first_row(raw.index, any_gone)
        raise DataError(
            f"{text}, the first is row {first}", hint="Leave them out by missing='drop'"
        )
    return any_gone, [f"{text} and were dropped."]


def _without(
    gone: NDArray[np.bool_], table: Taken, given: Mapping[str, pd.Series[Any]]
) -> tuple[Taken, dict[str, pd.Series[Any]]]:
    """The rows that miss nothing."""
    rows = np.flatnonzero(~gone)
    columns = {name: column.iloc[rows] for name, column in table.columns.items()}
    return Taken(columns, table.index.take(rows)), {
        key: column.iloc[rows] for key, column in given.items()
    }


def _only_places(formula: Formula, occasions: Collection[str]) -> set[str]:
    """Columns whose order or distances count, and whose levels get no coefficients as such."""
    placed = [term for term in formula.random if term.structure in ORDERED + POINTS]
    names = {name for term in placed for name in placed_columns(term)}
    others = tuple(term for term in formula.random if term not in placed)
    return (names | set(occasions)) - set(columns_of(replace(formula, random=others)))


def _of_places(design: Design) -> list[str]:
    """What order was taken of the occasions of random terms."""
    terms = [term for block in design.schema.blocks for term in block.terms]
    found = [note for t in terms if isinstance(t, LearntPlaces) for note in t.notes]
    return list(dict.fromkeys(found))


def _unused(columns: Columns, placed: set[str]) -> list[str]:
    notes = []
    for name, column in columns.of.items():
        unused = column.unused
        if unused and name not in placed:
            shown = ", ".join(unused[:5]) + (", …" if len(unused) > 5 else "")
            notes.append(f"{name}: {len(unused)} level(s) without rows were dropped ({shown}).")
    return notes


def _ordered(formula: Formula, columns: Columns) -> list[str]:
    if not any(column.ordered for column in columns.of.values()):
        return []
    coded = [term for term in formula.random if term.structure not in ORDERED + POINTS]
    texts = [formula.fixed, *(term.lhs for term in coded)]
    found = dict.fromkeys(name for text in texts for name in ordered_columns(text, columns))
    return [
        f"{name} is an ordered categorical: its coefficients are polynomial contrasts "
        f"({name}[.L], …), as in R; for differences from the first level write "
        f"C({name}, contr.treatment)."
        for name in found
    ]

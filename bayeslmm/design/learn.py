"""Learn a design: a formula meets a table for the first time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.design.blocks import LearntBlock, learn_block
from bayeslmm.design.coding import learn_terms, ordered_columns
from bayeslmm.design.columns import (
    first_row,
    input_numbers,
    missing_in,
    normal_frame,
    numbers,
    unused_levels,
)
from bayeslmm.design.design import Design, Schema, offset_of
from bayeslmm.design.extras import Extras, named_columns, read_extras
from bayeslmm.design.table import labels_of, take
from bayeslmm.design.transforms import State, evaluate
from bayeslmm.design.types import Floats, Rows
from bayeslmm.errors import DataError, DataWarning, ModelError, warn
from bayeslmm.formula import Formula, RandomTerm, tree_of
from bayeslmm.formula.syntax import columns_in, show


def learn(
    formula: Formula, data: object, *, extras: Extras | None = None, missing: str = "drop"
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
        What to do with rows that miss a value in any column or extra used.

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
        For rows dropped, levels that no row has, and polynomial contrasts.
    """
    if missing not in ("drop", "error"):
        raise ModelError(
            "missing= says what becomes of rows that miss a value",
            got=repr(missing),
            allowed="drop, error",
        )
    if not formula.response:
        raise DataError("The formula has no response", got=str(formula))
    raw = take(data, list(dict.fromkeys([*formula.variables, *named_columns(extras)])))
    given = read_extras(extras, raw)
    keep, notes = _complete_rows(raw, given, missing)
    before = raw.loc[keep, list(formula.variables)]
    frame = normal_frame(before, [name for term in formula.random for name in term.factors])
    inputs = {key: input_numbers(key, column[keep]) for key, column in given.items()}
    sources = {key: value for key, value in (extras or {}).items() if isinstance(value, str)}
    notes += _unused(before, frame) + _ordered(formula, frame)
    design = _materialise(formula, frame, inputs, sources, notes)
    for note in notes:
        warn(note, DataWarning)
    return design


def _materialise(
    formula: Formula,
    frame: pd.DataFrame,
    inputs: dict[str, Floats],
    sources: Mapping[str, str],
    notes: Sequence[str],
) -> Design:
    states: dict[str, State] = {}
    y = _response(formula, frame)
    fixed = learn_terms(formula.fixed, frame, states)
    blocks = _learn_blocks(formula, frame, states)
    rows = Rows(
        X=fixed.columns(frame, states),
        blocks=tuple(block.block(frame, states, new_levels="error") for block in blocks),
        offset=offset_of(formula, frame, states) + inputs.get("offset", 0.0),
        extras={key: values for key, values in inputs.items() if key != "offset"},
        index=labels_of(frame),
    )
    schema = Schema(fixed, blocks, states, sources)
    return Design(formula, rows, y, fixed.names, frame, tuple(notes), schema, inputs)


def _learn_blocks(
    formula: Formula, frame: pd.DataFrame, states: dict[str, State]
) -> tuple[LearntBlock, ...]:
    by_group: dict[str, list[RandomTerm]] = {}
    for term in formula.random:
        by_group.setdefault(term.group, []).append(term)
    return tuple(learn_block(terms, frame, states) for terms in by_group.values())


def _response(formula: Formula, frame: pd.DataFrame) -> Floats:
    node = tree_of(formula.response)
    for name in dict.fromkeys(columns_in(node)):
        numbers(frame[name], f"The response {name!r}", name)
    values = evaluate(node, frame, {})
    if values.ndim != 1:
        raise DataError(f"The response {show(node)} makes several columns")
    return values


def _complete_rows(
    raw: pd.DataFrame, given: Mapping[str, pd.Series[Any]], how: str
) -> tuple[NDArray[np.bool_], list[str]]:
    """Which rows have every value, and what there is to say about the others."""
    gone = {name: missing_in(raw[name]) for name in raw.columns}
    gone |= {key: missing_in(column) for key, column in given.items() if column.name not in gone}
    any_gone = np.zeros(len(raw), dtype=bool)
    for mask in gone.values():
        any_gone |= mask
    if not any_gone.any():
        return ~any_gone, []
    counts = ", ".join(f"{name}: {mask.sum()}" for name, mask in gone.items() if mask.any())
    text = f"{any_gone.sum()} of {len(raw)} rows miss a value ({counts})"
    if any_gone.all():
        raise DataError(f"No row has all its values; {text}")
    if how == "error":
        first = first_row(raw.index, any_gone)
        raise DataError(f"{text}, the first is row {first}", hint="missing='drop' leaves them out")
    return ~any_gone, [f"{text} and were dropped."]


def _unused(before: pd.DataFrame, frame: pd.DataFrame) -> list[str]:
    notes = []
    for name in frame.columns:
        unused = unused_levels(before[name], frame[name])
        if unused:
            shown = ", ".join(unused[:5]) + (", …" if len(unused) > 5 else "")
            notes.append(f"{name}: {len(unused)} level(s) that no row has were dropped ({shown}).")
    return notes


def _ordered(formula: Formula, frame: pd.DataFrame) -> list[str]:
    texts = [formula.fixed, *(term.lhs for term in formula.random)]
    found = dict.fromkeys(name for text in texts for name in ordered_columns(text, frame))
    return [
        f"{name} is an ordered categorical: its coefficients are polynomial contrasts "
        f"({name}[.L], …), as in R; for differences from the first level write "
        f"C({name}, contr.treatment)."
        for name in found
    ]

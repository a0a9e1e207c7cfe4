"""Deviances of many specifications of one response, laid out as a table with two margins."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayeslmm.compare.fits import HoldsModel
from bayeslmm.engines import choose
from bayeslmm.errors import (
    BayeslmmWarning,
    DataError,
    IdentifiabilityError,
    MethodError,
    ModelError,
)
from bayeslmm.model import Model

Key = tuple[str, str]
EXAMPLE = 'For example {("scalar", "equal"): model, ("scalar", "free"): other}'


@dataclass(frozen=True, slots=True)
class Cell:
    """A model in a table, with its published deviance where there is one.

    Attributes
    ----------
    model : Model
    printed : str, optional
        ``"307(3)"``: the deviance and the number of parameters.
    remark : str, optional
        A remark about the published value.
    """

    model: HoldsModel
    printed: str | None = None
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class DevianceTable:
    """The result of `deviance_table`; it prints as published tables do, with its notes.

    Attributes
    ----------
    table : DataFrame
        -2 log likelihood without n log 2 pi; ``-inf`` where it is unbounded, NaN where it is not
        available for another reason.
    parameters : DataFrame
        Number of parameters: rank of the fixed effects plus variance parameters.
    printed : DataFrame
        Both as text, ``"307(3)"``: the published value where it is known, else rounded.
    notes : tuple of str
        Differences from published values, remarks, and the notes of the fits.
    reasons : dict
        By (row, column), why a cell has no finite deviance.
    """

    table: pd.DataFrame
    parameters: pd.DataFrame
    printed: pd.DataFrame
    notes: tuple[str, ...]
    reasons: dict[Key, str]

    def __repr__(self) -> str:
        lines = [self.printed.to_string(), ""]
        return "\n".join(lines + [f"  {note}" for note in self.notes]).rstrip()


def deviance_table(
    cells: Mapping[Key, HoldsModel | Cell] | Mapping[str, Mapping[str, HoldsModel | Cell]],
) -> DevianceTable:
    """Fit specifications by maximum likelihood and lay out their deviances.

    Parameters
    ----------
    cells : mapping
        Models by (row, column), or a dict by row of dicts by column. A `Cell` adds the published
        value; `bayeslmm.load_cells` reads cells from a model file.

    Returns
    -------
    DevianceTable

    Raises
    ------
    DataError
        No cell, or a key that is not (row, column).
    ModelError
        An object that is not a model, or models of different rows.

    Notes
    -----
    The deviance is log|V| + (y - X b)' V^-1 (y - X b) at its minimum (de Leeuw, 2004, Mixed
    linear models): -2 log likelihood less n log 2 pi.
    """
    chosen = _by_key(cells)
    _require_one_response(chosen)
    rows, columns = (list(dict.fromkeys(key[i] for key in chosen)) for i in (0, 1))
    table = pd.DataFrame(np.nan, index=rows, columns=columns)
    parameters = pd.DataFrame(0, index=rows, columns=columns)
    printed = pd.DataFrame("", index=rows, columns=columns, dtype=object)
    notes: list[str] = []
    reasons: dict[Key, str] = {}
    for (row, column), cell in chosen.items():
        model = cell.model.resolved
        deviance, reason, said = _deviance(model)
        count = len(model.aliasing.kept) + model.n_variance_parameters
        table.loc[row, column] = deviance
        parameters.loc[row, column] = count
        computed = _text(deviance, count)
        printed.loc[row, column] = cell.printed or computed
        if reason is not None:
            reasons[row, column] = reason
        own = _notes(cell, deviance, count, computed)
        notes += [f"{row}, {column}: {note}" for note in (*own, *_some(reason), *said)]
    return DevianceTable(table, parameters, printed, tuple(notes), reasons)


def _deviance(model: Model) -> tuple[float, str | None, list[str]]:
    """The deviance without its constant, the reason if there is none, and the fit's notes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)  # they are the fit's notes
        try:
            engine, _ = choose(model, "ml")
            values = engine.fit(model, seed=None, draws=1, chains=1)
        except (IdentifiabilityError, MethodError) as error:
            endless = any(f.unbounded and "ml" in f.fatal for f in model.findings)
            return (-np.inf if endless else np.nan), str(error), []
    constant = model.n * np.log(2.0 * np.pi)
    return float(values.scalars["deviance"] - constant), None, list(values.notes)


def _text(deviance: float, count: int) -> str:
    if np.isnan(deviance):
        return "–"
    return f"−∞({count})" if np.isinf(deviance) else f"{deviance:.0f}({count})"


def _notes(cell: Cell, deviance: float, count: int, computed: str) -> list[str]:
    out = []
    if cell.printed is not None and cell.printed != computed:
        exact = "−∞" if np.isinf(deviance) else f"{deviance:.2f}"
        out.append(f"printed {cell.printed}, computed {exact}({count}).")
    return [*out, *_some(cell.remark)]


def _some(text: str | None) -> list[str]:
    return [] if text is None else [text]


def _by_key(cells: object) -> dict[Key, Cell]:
    if not isinstance(cells, Mapping) or not cells:
        raise DataError(
            "cells must be a non-empty dict of models", got=type(cells).__name__, hint=EXAMPLE
        )
    flat: dict[object, object] = {}
    for key, value in cells.items():
        inner = value.items() if isinstance(value, Mapping) else None
        flat |= {key: value} if inner is None else {(key, column): one for column, one in inner}
    out: dict[Key, Cell] = {}
    for key, value in flat.items():
        if not (isinstance(key, tuple) and len(key) == 2 and all(isinstance(k, str) for k in key)):
            raise DataError(
                "The key of a cell must be (row, column), both text", got=repr(key), hint=EXAMPLE
            )
        cell = value if isinstance(value, Cell) else None
        if cell is None:
            if not isinstance(value, HoldsModel):
                raise ModelError(f"Cell {key} is not a model", got=type(value).__name__)
            cell = Cell(value)
        out[key[0], key[1]] = cell
    return out


def _require_one_response(cells: Mapping[Key, Cell]) -> None:
    first, *others = cells
    y = cells[first].model.resolved.design.y
    for key in others:
        if not np.array_equal(cells[key].model.resolved.design.y, y):
            raise ModelError(f"Cells {first} and {key} have different responses or rows")

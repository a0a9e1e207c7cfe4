"""The learnt design: the numbers of the training rows, and the way there for new ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.design.blocks import Learnt, LearntBlock
from bayeslmm.design.centred import Centred, centre, identity
from bayeslmm.design.coding import LearntTerms
from bayeslmm.design.columns import first_row, input_numbers, missing_in, normal_columns
from bayeslmm.design.extras import Extras, named_columns, read_extras
from bayeslmm.design.normal import Columns
from bayeslmm.design.places import LearntPlaces
from bayeslmm.design.table import Taken, has_column, labels_of, take
from bayeslmm.design.transforms import State, evaluate
from bayeslmm.design.types import Floats, Part, RandomBlock, Rows
from bayeslmm.errors import ColumnError, DataError, DataWarning, nearest, warn
from bayeslmm.formula import Formula, columns_of, tree_of
from bayeslmm.formula.syntax import columns_in

NewLevels = Literal["error", "code"]


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """Everything learnt from the training rows.

    Attributes
    ----------
    fixed : LearntTerms
    blocks : tuple of LearntBlock
    states : mapping
        What each transform learnt: means, knots, polynomial coefficients.
    sources : mapping
        Extras that were given as a column's name.
    """

    fixed: LearntTerms
    blocks: tuple[LearntBlock, ...]
    states: Mapping[str, State]
    sources: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Design:
    """A formula seen through a table: numbers, names and what was learnt on the way.

    Attributes
    ----------
    formula : Formula
    rows : Rows
        The training rows.
    y : ndarray, shape (n,)
        The response.
    coefs : tuple of str, length p
        Names of the fixed columns.
    columns : Columns, n rows
        The formula's columns in normal form, for the rows that were kept.
    notes : tuple of str
        What was said on the way.
    schema : Schema
        What was learnt.
    inputs : dict of str to ndarray, each of shape (n,)
        All extras that were given, the offset too, for the rows that were kept.
    categories : tuple
        The response's categories in their order, where it has any: `y` holds their codes.
    kept : dict
        The centred forms, once they were asked for; the same for other responses of these rows.
    """

    formula: Formula
    rows: Rows
    y: Floats
    coefs: tuple[str, ...]
    columns: Columns
    notes: tuple[str, ...]
    schema: Schema
    inputs: Mapping[str, Floats] = field(default_factory=dict)
    categories: tuple[Any, ...] = ()
    kept: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """`columns` as a table of the levels that occur; learning from it with
        ``extras=design.inputs`` gives the same design again, unless levels that no row has count
        as steps between occasions."""
        return self.columns.frame()

    @property
    def centred(self) -> Centred:
        """The fixed columns with the numeric variables at their means."""
        if "fixed" not in self.kept:
            self.kept["fixed"] = self._centred()
        return self.kept["fixed"]

    def _centred(self) -> Centred:
        return centre(self.schema.fixed, self.columns, dict(self.schema.states), self.X)

    @property
    def centred_parts(self) -> tuple[tuple[Centred, ...], ...]:
        """The same for each part of each block; parts that aren't unstructured stay as they are."""
        if "parts" not in self.kept:
            self.kept["parts"] = self._centred_parts()
        return self.kept["parts"]

    def _centred_parts(self) -> tuple[tuple[Centred, ...], ...]:
        return tuple(
            tuple(
                self._centred_part(block, part, terms)
                for part, terms in zip(block.parts, learnt.terms, strict=True)
            )
            for block, learnt in zip(self.blocks, self.schema.blocks, strict=True)
        )

    def _centred_part(self, block: RandomBlock, part: Part, terms: Learnt) -> Centred:
        if part.structure != "us" or len(part.columns) < 2 or isinstance(terms, LearntPlaces):
            return identity(len(part.columns))
        if terms is self.schema.fixed:
            return self.centred
        values = block.values[:, list(part.columns)]
        return centre(terms, self.columns, dict(self.schema.states), values)

    @property
    def X(self) -> Floats:
        """Fixed-effects columns, shape (n, p)."""
        return self.rows.X

    @property
    def blocks(self) -> tuple[RandomBlock, ...]:
        """One block for each grouping factor."""
        return self.rows.blocks

    @property
    def offset(self) -> Floats:
        """Sum of all offsets, shape (n,)."""
        return self.rows.offset

    @property
    def extras(self) -> dict[str, Floats]:
        """Weights, known standard deviations and trials, each of shape (n,)."""
        return self.rows.extras

    @property
    def index(self) -> NDArray[Any]:
        """Labels of the rows, shape (n,)."""
        return self.rows.index

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.y)

    @property
    def p(self) -> int:
        """Number of fixed columns."""
        return len(self.coefs)

    @property
    def has_offset(self) -> bool:
        """Whether the formula has an offset, or one was given beside it."""
        return bool(self.formula.offsets) or "offset" in self.inputs

    @property
    def has_intercept(self) -> bool:
        """Whether the fixed part has a column of ones by its name."""
        return self.schema.fixed.intercept

    def apply(
        self,
        data: object,
        *,
        new_levels: NewLevels = "error",
        new_places: NewLevels = "error",
        groups: Collection[str] | None = None,
        extras: Extras | None = None,
    ) -> Rows:
        """See new rows through the learnt design.

        Parameters
        ----------
        data : table
            Needs no response.
        new_levels : {"error", "code"}
            What to do with a level of a grouping factor that wasn't learnt: refuse it, or give
            it the code -1.
        new_places : {"error", "code"}
            The same for places of covariance patterns: refuse them, or put them into
            `RandomBlock.further`.
        groups : collection of str, optional
            Grouping factors to make blocks for; all by default. The columns of the others
            needn't be there.
        extras : dict, optional
            As in `learn`. One that was learnt as a column's name is taken from `data`; the
            offset's column has to be there, and others where they are needed.

        Returns
        -------
        Rows

        Raises
        ------
        LevelError
            For a level that wasn't learnt. Levels match by value, and a number and a text where
            they are written the same (see `levels`).
        ColumnError
            If a column isn't there.
        DataError
            For missing or infinite values, and columns of another type than before.
        """
        if new_levels not in ("error", "code"):
            raise DataError("Unknown new_levels=", got=new_levels, allowed="error, code")
        learnt = self._chosen(groups)
        given = self._extras_of(data, extras)
        names = self._columns_for(learnt)
        raw = take(data, list(dict.fromkeys([*names, *named_columns(given)])))
        _require_complete(raw)
        grouping = [name for b in learnt for name in b.group.factors]
        columns = normal_columns(raw, grouping, origins=self.columns.origins)
        inputs = _numbers_of(read_extras(given, raw))
        states = dict(self.schema.states)

        further = columns if new_places == "code" else None

        @cache
        def values(terms: Learnt) -> Floats:
            if isinstance(terms, LearntPlaces):
                return terms.values(columns, states, new_places=further is not None)
            return terms.values(columns, states)

        return Rows(
            X=values(self.schema.fixed),
            blocks=tuple(
                b.block(b.group.codes(columns, new_levels=new_levels), values, further)
                for b in learnt
            ),
            offset=offset_of(self.formula, columns, states, inputs.pop("offset", None)),
            extras=inputs,
            index=labels_of(columns.index),
        )

    def response_of(self, data: object) -> Floats | None:
        """The response of new rows, shape (n,); None where the table lacks one of its columns.

        Raises
        ------
        DataError
            For missing values, and categories that weren't learnt.
        """
        node = tree_of(self.formula.response)
        names = list(dict.fromkeys(columns_in(node)))
        if not all(has_column(data, name) for name in names):
            return None
        raw = take(data, names)
        _require_complete(raw)
        columns = normal_columns(raw, (), not_times=names)
        if not self.categories:
            return evaluate(node, columns, {})
        levels, codes = columns[names[0]].coded
        known = {str(level): float(code) for code, level in enumerate(self.categories)}
        new = [level for level in np.asarray(levels).tolist() if str(level) not in known]
        if new:
            raise DataError(f"{new[0]!r} is not a category of {names[0]!r}", allowed=list(known))
        return np.array([known[str(level)] for level in np.asarray(levels).tolist()])[codes]

    def further(self, data: object, names: Collection[str], grouping: Collection[str]) -> Columns:
        """Columns of new rows beside the formula's, in normal form.

        Raises
        ------
        ColumnError
            If one isn't there.
        DataError
            For missing values.
        """
        raw = take(data, list(names))
        _require_complete(raw)
        return normal_columns(raw, list(grouping), origins=self.columns.origins)

    def _chosen(self, groups: Collection[str] | None) -> tuple[LearntBlock, ...]:
        known = {block.name: block for block in self.schema.blocks}
        wanted = known if groups is None else groups
        for name in wanted:
            if name not in known:
                raise DataError(f"Unknown grouping factor {name!r}", hint=nearest(name, known))
        return tuple(block for name, block in known.items() if name in wanted)

    def _columns_for(self, learnt: tuple[LearntBlock, ...]) -> list[str]:
        """The columns that the right-hand side needs for these blocks."""
        chosen = {block.name for block in learnt}
        random = tuple(term for term in self.formula.random if term.group in chosen)
        return list(columns_of(replace(self.formula, response="", random=random)))

    def _extras_of(self, data: object, extras: Extras | None) -> Extras:
        given = dict(extras or {})
        for key, column in self.schema.sources.items():
            if key not in given and has_column(data, column):
                given[key] = column
        if "offset" in self.inputs and "offset" not in given:
            self._without_offset()
        return given

    def _without_offset(self) -> None:
        column = self.schema.sources.get("offset")
        if column is not None:
            raise ColumnError(
                f"The new rows have no column {column!r}, which is the model's offset",
                hint="Add it, or give extras={'offset': ...}",
            )
        warn(
            "The model's offset was an array, and the new rows have no offset: zero is used. "
            "To give one, write extras={'offset': ...}.",
            DataWarning,
        )


def offset_of(
    formula: Formula, columns: Columns, states: dict[str, State], given: Floats | None
) -> Floats:
    """Sum of the formula's offsets and the one that was `given`, shape (n,)."""
    total = np.zeros(len(columns))
    for text in formula.offsets:
        total = total + evaluate(tree_of(text), columns, states)
    return total if given is None else total + given


def _numbers_of(extras: Mapping[str, pd.Series[Any]]) -> dict[str, Floats]:
    columns: dict[str, Floats] = {}
    for key, column in extras.items():
        gone = missing_in(column)
        if gone.any():
            raise DataError(
                f"{key} is missing in {gone.sum()} of {len(gone)} new rows, "
                f"the first is row {first_row(column.index, gone)}"
            )
        columns[key] = input_numbers(key, column)
    return columns


def _require_complete(table: Taken) -> None:
    for name, column in table.columns.items():
        gone = missing_in(column)
        if gone.any():
            raise DataError(
                f"The column {name!r} is missing in {gone.sum()} of {len(gone)} new rows, "
                f"the first is row {first_row(table.index, gone)}",
                hint=f"Leave them out: data.dropna(subset=[{name!r}])",
            )

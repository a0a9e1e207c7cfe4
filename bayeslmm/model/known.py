"""Matrices that are given with a model: a covariance of the rows, relationships of levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.covariance import Precision
from bayeslmm.design import Design
from bayeslmm.errors import DataError, ModelError
from bayeslmm.model.relationship import Relationship
from bayeslmm.model.types import Specification

Floats = NDArray[np.float64]
ROW = "residual"  # an input of ours: which row of the table each row of the design is


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is given as matrices.

    Attributes
    ----------
    residual : ndarray, shape (rows, rows), optional
        Covariance of the table's rows, up to sigma².
    relationships : mapping of str to Relationship
        By grouping factor.
    """

    residual: Floats | None = None
    relationships: Mapping[str, Relationship] = field(default_factory=dict)

    @property
    def levels(self) -> dict[str, NDArray[Any]]:
        """Levels that a factor has whatever the rows are."""
        return {g: r.levels for g, r in self.relationships.items() if r.levels is not None}

    def unlabelled(self, design: Design) -> list[str]:
        """A sentence for each relationship without level labels."""
        out = []
        for block in design.blocks:
            found = self.relationships.get(block.group)
            if found is not None and found.levels is None:
                more = ", …" if block.n_levels > 3 else ""
                shown = ", ".join(map(str, block.levels[:3])) + more
                out.append(
                    f"The relationship matrix of {block.group!r} has no level labels; its rows are "
                    f"matched to the factor's levels in their order ({shown}). To label them, give "
                    "a DataFrame, or bl.relationship(matrix, levels)."
                )
        return out

    def kin(self, design: Design) -> dict[str, Precision]:
        """The factors' precisions.

        Raises
        ------
        ModelError
            A factor that isn't there.
        DataError
            A matrix of another size than its factor.
        """
        groups = {b.group: b for b in design.blocks}
        for group, found in self.relationships.items():
            if group not in groups:
                raise ModelError(
                    f"relationship= has an unknown grouping factor {group!r}", allowed=list(groups)
                )
            if found.precision.size != groups[group].n_levels:
                raise DataError(
                    f"The relationship matrix of {group!r} has {found.precision.size} levels, and "
                    f"the factor has {groups[group].n_levels}",
                    hint="Give its levels: bl.relationship(matrix, levels), or a DataFrame",
                )
        return {group: found.precision for group, found in self.relationships.items()}

    def residual_of(self, design: Design) -> Floats | None:
        """The covariance of the design's rows, shape (n, n)."""
        if self.residual is None:
            return None
        kept = design.inputs[ROW].astype(np.intp)
        return np.asarray(self.residual[np.ix_(kept, kept)])


def _in_order(matrix: pd.DataFrame, index: pd.Index[Any]) -> pd.DataFrame:
    if matrix.index.equals(index) and matrix.columns.equals(index):
        return matrix
    labels = (matrix.index, matrix.columns)
    same = all(found.is_unique and set(found) == set(index) for found in labels)
    if not (same and index.is_unique):
        raise DataError(
            "The labels of the rows and columns of residual= are not those of the table's rows",
            hint="If they correspond by position, give an array: .to_numpy()",
        )
    return matrix.loc[index, index]


NOTHING = Known()


def check_residual(spec: Specification, known: Known) -> None:
    """Refuse residual structures beside what contradicts them."""
    if spec.residual is None and known.residual is None:
        return
    if spec.family != "gaussian":
        raise ModelError("residual= needs a Gaussian response", got=spec.family)
    if spec.link not in (None, "identity"):
        raise ModelError("residual= needs the identity link", got=spec.link)
    if "sigma" in spec.dpar:
        raise ModelError("residual= and a predictor of sigma can't be combined")


def square(value: Any, data: Any = None) -> Floats:
    """A matrix over the table's rows.

    Parameters
    ----------
    value : array or DataFrame
        A DataFrame is put in the order of the table's row labels, where `data` has some.
    data : table, optional

    Raises
    ------
    DataError
        It is none, or its labels are not those of the table.
    """
    if isinstance(value, pd.DataFrame) and isinstance(data, pd.DataFrame):
        value = _in_order(value, data.index)
    try:
        matrix = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(
            "residual= must be a text or a matrix of numbers", got=repr(value)
        ) from None
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise DataError(
            "A matrix residual= must have one row and one column for each row of the table",
            got=f"shape {matrix.shape}",
        )
    return matrix

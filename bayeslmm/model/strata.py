"""Residual standard deviations that differ: by the levels of a column, or with a covariate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import Parameter
from bayeslmm.design import Columns, Design
from bayeslmm.design.levels import label
from bayeslmm.errors import DataError, ModelError
from bayeslmm.formula import ResidualTerm
from bayeslmm.priors import Normal

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
VARIANCES = ("varpower", "varexp")


@dataclass(frozen=True, slots=True, eq=False)
class Strata:
    """Rows with a standard deviation of their own each.

    Attributes
    ----------
    name : str
        Of the column.
    labels : tuple of str
    levels : ndarray, shape (m,)
    codes : ndarray of intp, shape (n,)
    """

    name: str
    labels: tuple[str, ...]
    levels: NDArray[Any]
    codes: Ints


@dataclass(frozen=True, slots=True, eq=False)
class VarianceFunction:
    """A standard deviation that goes with a covariate: |x|^delta, or exp(delta x).

    Attributes
    ----------
    kind : {"varpower", "varexp"}
    name : str
        Of the column.
    base : ndarray, shape (n,)
        log|x|, or x: what delta multiplies in the log of the standard deviation.
    """

    kind: str
    name: str
    base: Floats

    @property
    def parameter(self) -> Parameter:
        spread = 1.0
        if self.kind == "varexp":
            sd = float(self.base.std())
            spread = float(f"{1.0 / sd:.4g}") if sd > 0 else 1.0
        return Parameter(f"{self.kind}({self.name})", -np.inf, np.inf, 0.0, Normal(0.0, spread))


def strata_of(term: ResidualTerm, columns: Columns) -> Strata:
    """Rows by the levels of a column, each level with a standard deviation.

    Raises
    ------
    ModelError
        Several columns.
    DataError
        More levels than half the rows.
    """
    if len(term.columns) != 1:
        raise ModelError(
            "diag() takes one column, as in diag(Sex)", got=str(term),
            hint="Combine several columns to one in the table first",
        )  # fmt: skip
    levels, codes = columns[term.columns[0]].coded
    if len(levels) > 0.5 * len(codes):
        raise DataError(
            f"{term.columns[0]!r} has {len(levels)} levels for {len(codes)} rows: one "
            "standard deviation per level is not identified",
            hint="For a covariate use varpower(x) or varexp(x)"
            if term.structure == "diag"
            else "For continuous times or coordinates use car1, exp, gau or matern",
        )
    return Strata(term.columns[0], tuple(map(label, levels.tolist())), levels, codes)


def in_order_of(strata: Strata, place: Ints) -> Strata:
    """The same strata in the order of the places that they are, shape (n,)."""
    order = np.argsort(place[np.unique(strata.codes, return_index=True)[1]])
    return Strata(
        strata.name,
        tuple(strata.labels[i] for i in order),
        strata.levels[order],
        np.argsort(order)[strata.codes],
    )


def variance_function(term: ResidualTerm, columns: Columns, design: Design) -> VarianceFunction:
    """A standard deviation that goes with a column.

    Raises
    ------
    ModelError
        Several columns, or a group.
    DataError
        Text, or a power of zero.
    """
    if len(term.columns) != 1 or term.factors:
        raise ModelError(f"{term.structure}() takes one column", got=str(term))
    name = term.columns[0]
    column = columns[name]
    if column.labels is not None:
        raise DataError(f"{term.structure}() takes numbers, and column {name!r} contains text")
    values = column.floats
    if term.structure == "varexp":
        return VarianceFunction(term.structure, name, values)
    if np.any(values == 0):
        row = design.index[int(np.argmax(values == 0))]
        raise DataError(
            f"varpower({name}) needs nonzero values, and {name!r} is zero in row {row}",
            hint=f"Use varexp({name}), which takes any numbers",
        )
    return VarianceFunction(term.structure, name, np.log(np.abs(values)))

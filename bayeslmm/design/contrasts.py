"""How the levels of a categorical become columns: dummies, or contrasts (formulaic's)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from formulaic.transforms.contrasts import (
    DiffContrasts,
    HelmertContrasts,
    PolyContrasts,
    SumContrasts,
    TreatmentContrasts,
)
from numpy.typing import NDArray

from bayeslmm.design.levels import label
from bayeslmm.design.types import Floats
from bayeslmm.errors import DataError, FormulaError, nearest
from bayeslmm.formula.syntax import Contrast

_KINDS = {
    "treatment": TreatmentContrasts,
    "sum": SumContrasts,
    "helmert": HelmertContrasts,
    "poly": PolyContrasts,
    "diff": DiffContrasts,
}
TREATMENT, POLYNOMIAL = Contrast("treatment"), Contrast("poly")


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """Columns made from the codes of a categorical.

    Attributes
    ----------
    matrix : ndarray, shape (J, k)
        The k values of each of the J levels.
    labels : tuple of str, length k
        What stands in the brackets of a coefficient, ``Sex[Male]``.
    """

    matrix: Floats
    labels: tuple[str, ...]


def dummies(levels: NDArray[Any]) -> Coding:
    """A column for each level."""
    return Coding(np.eye(len(levels)), tuple(map(label, levels)))


def contrasts(levels: NDArray[Any], contrast: Contrast, column: str) -> Coding:
    """One column fewer than levels, coded as `contrast` says.

    Raises
    ------
    DataError
        If there is one level only.
    FormulaError
        If the contrast doesn't fit the levels.
    """
    if len(levels) < 2:
        raise DataError(
            f"The column {column!r} has one level only, {label(levels[0])!r}; its effect can't "
            "be told from the intercept",
            hint="Leave it out",
        )
    options = {option.name: option.value for option in contrast.options}
    known = [level.item() if isinstance(level, np.generic) else level for level in levels]
    if "base" in options:
        options["base"] = _base(known, options["base"], column)
    try:
        coding = _KINDS[contrast.kind](**options)
        matrix = coding.get_coding_matrix(known, reduced_rank=True)
        names = coding.get_coding_column_names(known, reduced_rank=True)
    except ValueError as error:
        raise FormulaError(
            f"contr.{contrast.kind} doesn't fit {column!r} with {len(levels)} levels",
            got=str(error),
        ) from error
    return Coding(np.asarray(matrix, dtype=np.float64), tuple(map(label, names)))


def _base(levels: list[Any], base: Any, column: str) -> Any:
    for level in levels:
        # the formula can't tell the level 1 from the level "1"
        if level == base or label(level) == label(base):
            return level
    raise FormulaError(
        f"{label(base)!r} is not a level of {column!r}",
        hint=nearest(label(base), map(label, levels)),
    )

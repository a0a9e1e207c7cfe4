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
from bayeslmm.errors import DataError, FormulaError, nearest, shorter
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
            f"The column {column!r} has one level only, {shorter(label(levels[0]), 80)!r}, and its "
            "effect can't be distinguished from the intercept",
            hint="Leave it out of the formula",
        )
    options = {option.name: option.value for option in contrast.options}
    known = [level.item() if isinstance(level, np.generic) else level for level in levels]
    if "base" in options:
        options["base"] = _base(known, options["base"], column)
    scores = options.get("scores")
    if isinstance(scores, tuple) and not len(set(scores)) == len(scores) == len(known):
        raise FormulaError(
            f"contr.poly of {column!r} takes a score for each of its {len(known)} levels, all "
            "different",
            got=shorter(", ".join(f"{score:g}" for score in scores), 100),
        )
    try:
        with np.errstate(all="ignore"):
            coding = _KINDS[contrast.kind](**options)
            matrix = np.asarray(coding.get_coding_matrix(known, reduced_rank=True), dtype=float)
        names = coding.get_coding_column_names(known, reduced_rank=True)
    except (ValueError, np.linalg.LinAlgError) as error:
        raise _unfit(contrast, column, len(levels), str(error)) from error
    if not np.isfinite(matrix).all():
        raise _unfit(contrast, column, len(levels), "coefficients that are not finite")
    return Coding(matrix, tuple(map(label, names)))


def _unfit(contrast: Contrast, column: str, count: int, got: str) -> FormulaError:
    return FormulaError(
        f"contr.{contrast.kind} can't be made for {column!r} with {count} levels", got=got
    )


def _base(levels: list[Any], base: Any, column: str) -> Any:
    for level in levels:
        # the formula can't tell the level 1 from the level "1"
        if level == base or label(level) == label(base):
            return level
    raise FormulaError(
        f"{shorter(label(base), 80)!r} is not a level of {column!r}",
        hint=nearest(label(base), map(label, levels)),
    )

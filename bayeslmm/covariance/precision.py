"""A known covariance between the levels of a factor, by its inverse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.errors import DataError
from bayeslmm.linalg.precision_root import PrecisionRoot, precision_root

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NOISE = 1e-10  # of an inverse's entries relative to its diagonal: rounding of what is zero


@dataclass(frozen=True, slots=True, eq=False)
class Precision:
    """The inverse of a known covariance, its lower triangle entry by entry.

    Attributes
    ----------
    rows, columns : ndarray of int64, shape (e,)
        rows >= columns.
    values : ndarray, shape (e,)
    root : PrecisionRoot
    """

    rows: Ints
    columns: Ints
    values: Floats
    root: PrecisionRoot

    @property
    def size(self) -> int:
        """Levels."""
        return self.root.symbolic.size

    @property
    def log_det(self) -> float:
        """log|Q|."""
        return self.root.log_det

    @property
    def is_identity(self) -> bool:
        """Whether it is proportional to the identity."""
        diagonal = self.rows == self.columns
        own = self.values[diagonal]
        rest = np.abs(self.values[~diagonal]).max(initial=0.0)
        return bool(rest < NOISE * own.max() and np.ptp(own) < NOISE * own.max())


def precision_of(rows: Ints, columns: Ints, values: Floats, size: int, what: str) -> Precision:
    """From the entries of the lower triangle.

    Raises
    ------
    DataError
        A matrix that is not positive definite.
    """
    if len(np.unique(rows[rows == columns])) < size or not np.all(np.isfinite(values)):
        raise DataError(f"{what} has an empty diagonal entry for at least one level")
    root = precision_root(rows, columns, values, size)
    if root is None:
        raise DataError(
            f"{what} is not positive definite",
            hint="Levels that are copies of each other need one level; a small ridge may help",
        )
    return Precision(rows, columns, values, root)


def precision_from_covariance(covariance: Floats, what: str) -> Precision:
    """By a dense inverse; entries that are zero but for rounding are left out.

    Raises
    ------
    DataError
        A matrix that is not positive definite.
    """
    scale = np.sqrt(np.clip(np.diag(covariance), 0.0, None))
    try:
        with np.errstate(divide="ignore", invalid="ignore"):  # a scale of zero
            unit = covariance / np.outer(scale, scale)
        half = np.linalg.inv(np.linalg.cholesky(unit))
    except (np.linalg.LinAlgError, FloatingPointError):
        raise DataError(
            f"{what} is not positive definite",
            hint="Levels that are copies of each other need one level; a small ridge may help",
        ) from None
    inverse = half.T @ half
    inverse[np.abs(inverse) < NOISE * np.diag(inverse).max()] = 0.0
    rows, columns = np.nonzero(np.tril(inverse))
    values = (inverse / np.outer(scale, scale))[rows, columns]
    return precision_of(rows.astype(np.int64), columns.astype(np.int64), values, len(scale), what)

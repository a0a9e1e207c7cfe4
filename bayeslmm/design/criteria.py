"""Criteria of optimal design, from an information matrix: all are variances, so less is better.

With M the information of beta (X'V⁻¹X, plus the prior's precision in the Bayesian form; Chaloner
& Verdinelli, 1995, Stat. Sci. 10(3)) and x the rows of a region of prediction,

    A = tr M⁻¹               the sum of the coefficients' variances
    D = |M⁻¹|^(1/p)          the geometric mean of the variances along the axes of the ellipsoid
    E = largest root of M⁻¹  the variance of the worst combination of length one
    G = max x'M⁻¹x           the largest variance of a predicted mean
    V = mean x'M⁻¹x          the average one; also known as I or IV

(Atkinson, Donev & Tobias, 2007, Optimum Experimental Designs, ch. 10). D, G and V compare designs
alike in all units of the columns, A and E don't.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayeslmm.design.types import Floats

CRITERIA = ("A", "D", "E", "G", "V")
MEANINGS = {
    "A": "sum of the coefficients' variances, tr M⁻¹",
    "D": "geometric mean of the ellipsoid's variances, |M⁻¹|^(1/p)",
    "E": "variance of the worst combination of length one",
    "G": "largest variance of a predicted mean",
    "V": "average variance of a predicted mean (I)",
}


@dataclass(frozen=True, slots=True)
class Values:
    """The criteria of one design."""

    A: float
    D: float
    E: float
    G: float
    V: float

    def of(self, criterion: str) -> float:
        """One of them by its letter."""
        return float(getattr(self, criterion))


def criteria(root: Floats, rows: Floats) -> Values:
    """The criteria of an information matrix.

    Parameters
    ----------
    root : ndarray, shape (p, p)
        Any H with H'H = M⁻¹, invertible: ``inverse_root``.
    rows : ndarray, shape (m, p)
        Where means are predicted.
    """
    values = np.linalg.svd(root, compute_uv=False) ** 2
    spread = np.sum((rows @ root.T) ** 2, axis=1)
    return Values(
        A=float(values.sum()),
        D=float(np.exp(2 * np.linalg.slogdet(root)[1] / max(len(root), 1))),
        E=float(values.max(initial=0.0)),
        G=float(spread.max(initial=0.0)),
        V=float(spread.mean()) if len(spread) else 0.0,
    )


def inverse_root(information: Floats) -> Floats:
    """H with H'H = M⁻¹, by a Cholesky factor of M scaled to a unit diagonal.

    Raises
    ------
    numpy.linalg.LinAlgError
        M is singular.
    """
    diagonal = np.diag(information)
    if not np.all(diagonal > 0):
        raise np.linalg.LinAlgError("a coefficient without information")
    size = np.sqrt(diagonal)
    lower = np.linalg.cholesky(information / np.outer(size, size))
    return np.asarray(np.linalg.solve(lower, np.eye(len(size))) / size)

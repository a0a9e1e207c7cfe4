"""Estimable functions of the fixed effects: those that the rows of X determine.

c'beta is estimable if and only if c is in the row space of X (Searle, 1971, Linear Models,
sec. 5.4). With X_j = sum_k A_kj X_k the aliased columns as combinations of the kept ones,
X = X_kept E, where E has the identity in the kept columns and A in the others: X_kept is of full
column rank, so E spans the row space. Kept columns are the first that can be kept, which makes
E the reduced row echelon form of X, and c is estimable if and only if c = E'c_kept. Estimable
functions with the coefficients of aliased columns at zero are c_kept'beta_kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayeslmm.design.rank import TOLERANCE, Aliasing
from bayeslmm.design.types import Floats


def estimable_basis(found: Aliasing, names: Sequence[str]) -> Floats:
    """A basis of the estimable functions: E, the reduced row echelon form of X.

    Parameters
    ----------
    found : Aliasing
    names : sequence of str, length p
        Of all columns of X.

    Returns
    -------
    ndarray, shape (rank, p)
        Row k is the one whose weight on the k-th kept column is 1, and 0 on the other kept ones.
    """
    place = {name: j for j, name in enumerate(names)}
    row = {k: i for i, k in enumerate(found.kept)}
    basis = np.zeros((found.rank, len(names)))
    basis[np.arange(found.rank), list(found.kept)] = 1.0
    for name, combination in found.aliased.items():
        for other, weight in combination.items():
            basis[row[place[other]], place[name]] = weight
    return basis


def astray(found: Aliasing, names: Sequence[str], weights: Floats) -> dict[str, float]:
    """Aliased columns whose weight is not what an estimable function has there.

    Each weight is judged against the terms of its own sum, so the units of the columns don't
    matter, nor how large the function is.

    Parameters
    ----------
    found : Aliasing
    names : sequence of str, length p
    weights : ndarray, shape (p,)
        c.

    Returns
    -------
    dict of str to float
        The weight that each would need beside those of the kept columns; empty for an estimable
        function.
    """
    basis = estimable_basis(found, names)
    parts = weights[list(found.kept)][:, None] * basis
    needed = parts.sum(axis=0)
    size = np.abs(parts).sum(axis=0) + np.abs(weights)
    off = np.abs(weights - needed) > TOLERANCE * size
    return {
        name: float(needed[j]) for j, name in enumerate(names) if name in found.aliased and off[j]
    }


def is_estimable(found: Aliasing, names: Sequence[str], weights: Floats) -> bool:
    """Whether c'beta is the same for all beta that fit the data equally well."""
    return not astray(found, names, weights)


def why_not(found: Aliasing, names: Sequence[str], weights: Floats) -> str | None:
    """Why c'beta is not estimable, in words; None where it is."""
    parts = []
    for name, needed in astray(found, names, weights).items():
        combination = found.aliased[name]
        got = f"got {weights[list(names).index(name)]:g}"
        if not combination:
            parts.append(f"column {name!r} is zero in all rows and must have no weight, {got}")
            continue
        rule = combination_text(combination, "w[{}]")
        parts.append(
            f"column {name!r} equals {combination_text(combination)}, so its weight must be "
            f"{rule} = {needed:g}, {got}"
        )
    return "; ".join(parts) or None


def combination_text(weights: dict[str, float], form: str = "{}") -> str:
    """A linear combination as it is written: ``Intercept - 2 a + 0.5 b``."""
    text = ""
    for name, weight in weights.items():
        size = f"{abs(weight):g}"
        what = form.format(name) if size == "1" else f"{size} {form.format(name)}"
        if text:
            text += f" {'-' if weight < 0 else '+'} {what}"
        else:
            text = f"-{what}" if weight < 0 else what
    return text or "0"

"""Whether a singular covariance of the random effects' structure reproduces the response.

The likelihood is unbounded where some V0 = Z G Z' in the closure of the structure is singular and
y - X b lies in its column space for a b; the restricted likelihood where the same holds of K'y and
K'V0 K, K'X = 0. Every coefficient of a diagonal covariance may be zero by itself, a free one of k
coefficients may have any rank.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.profile import Profile
from bayeslmm.gaussian.vanishing import Vanishing, basis, outside, rows

Floats = NDArray[np.float64]
EXACT = 1e-12  # of what is left of the response, relative to it
MOST = 128  # combinations of terms that are looked at


def unbounded_by(turned: Vanishing) -> str | None:
    """The terms by which the likelihood of the problem's method is unbounded at sigma = 0."""
    y, X, Z, _ = rows(turned.problem)
    size = float(np.linalg.norm(y))
    if turned.n_left and turned.left > (EXACT * size) ** 2:
        return None  # no covariance reproduces the response
    for names, columns in islice(_closure(turned.problem, Z), MOST):
        spanned = basis(np.hstack([X, columns]))
        rest = outside(y, spanned)
        if float(np.abs(rest).max(initial=0.0)) > 10 * EXACT * size:
            continue
        rank = spanned.shape[1] if turned.problem.reml else basis(columns).shape[1]
        if rank < len(y):
            return names
    return None


def _closure(problem: Profile, blocks: Sequence[Floats]) -> Iterator[tuple[str, Floats]]:
    """Terms' names and the columns that their effects span, at every kind of singular G."""
    rng = np.random.default_rng(20_041)
    units: list[list[tuple[str, Floats]]] = []
    size = len(blocks[0])
    for term in problem.model.terms:
        Z = blocks[term.block][:, :, list(term.columns)]
        k = len(term.columns)
        nothing = ("", np.empty((size, 0)))
        name = f"({', '.join(term.coefs)} | {term.group})"
        whole = (name, Z.reshape(size, -1))
        if term.structure.name == "us":
            some = [(name, (Z @ rng.normal(size=(k, r))).reshape(size, -1)) for r in range(1, k)]
            units.append([whole, *some, nothing])
        elif term.structure.name == "diag":
            alone = [(f"({c} | {term.group})", Z[:, :, i]) for i, c in enumerate(term.coefs)]
            units += [[one, nothing] for one in alone]
        else:
            units.append([whole, nothing])
    for chosen in product(*units):
        names = [name for name, _ in chosen if name]
        if names:
            yield " + ".join(names), np.hstack([columns for _, columns in chosen])

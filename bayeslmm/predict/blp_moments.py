"""Checks of the arguments of `blp`, which become moments with labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.design import aliasing
from bayeslmm.errors import (
    DataError,
    IdentifiabilityError,
    IdentifiabilityWarning,
    ModelError,
    combined,
    warn,
)
from bayeslmm.predict.blp import Moments
from bayeslmm.predict.blp_arrays import (
    EQUAL,
    column_labels,
    common_labels,
    row_labels,
    symmetric,
    to_columns,
    to_data,
    to_new_rows,
    to_numbers,
    to_solver,
    to_variance0,
    to_vector,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What is to be predicted.

    Attributes
    ----------
    moments : Moments
    kind : {"simple", "ordinary", "universal", "bayesian"}
    coefs : tuple of str
        Names of all columns of X.
    kept : tuple of int
        Those in `moments`; the others are combinations of them.
    labels : Index, length m
    notes : tuple of str
    """

    moments: Moments
    kind: str
    coefs: tuple[str, ...]
    kept: tuple[int, ...]
    labels: pd.Index
    notes: tuple[str, ...]


def read_task(
    y: Any, V: Any, psi: Any, X: Any, X0: Any, V0: Any, beta: Any, prior: Any
) -> Task:  # fmt: skip
    """Check what `blp` was given; its parameters and errors."""
    if beta is not None and prior is not None:
        raise ModelError("beta= and prior= can't be combined", hint="Give only one of them")
    if (X is None) != (X0 is None):
        raise ModelError(
            "X and X0 must be given together",
            got="X alone" if X0 is None else "X0 alone",
            hint="Give X0 with one row per prediction, or leave both out for a constant mean",
        )
    data = to_data(y)
    n = len(data)
    cross = to_columns(psi, "psi", n)
    m = cross.shape[1]
    common_labels("rows", row_labels(y), row_labels(V), row_labels(psi), row_labels(X))
    labels = common_labels("predictions", column_labels(psi), row_labels(X0), row_labels(V0))
    fixed = np.ones((n, 1)) if X is None else to_columns(X, "X", n)
    new = np.ones((m, 1)) if X0 is None else to_new_rows(X0, m, fixed.shape[1])
    heads = common_labels("columns of X", column_labels(X), column_labels(X0))
    coefs = _coefs(heads, X is None, fixed.shape[1])
    mean, root = _knowledge(beta, prior, fixed.shape[1])
    kept: tuple[int, ...] = tuple(range(len(coefs)))
    notes: tuple[str, ...] = ()
    if root is None:
        kept, notes = _estimable(fixed, new, coefs, labels)
    columns = list(kept)
    moments = Moments(
        data, to_solver(V, n), cross, fixed[:, columns], new[:, columns], to_variance0(V0, m),
        mean[columns], root,
    )  # fmt: skip
    if labels is None:
        labels = pd.RangeIndex(m)
    return Task(moments, _kind(fixed, new, beta, prior), coefs, kept, labels, notes)


def _kind(X: Floats, X0: Floats, beta: Any, prior: Any) -> str:
    if beta is not None:
        return "simple"
    if prior is not None:
        return "bayesian"
    both = np.concatenate([X, X0])
    constant = X.shape[1] == 1 and both[0, 0] != 0 and np.ptp(both) == 0
    return "ordinary" if constant else "universal"


def _knowledge(beta: Any, prior: Any, p: int) -> tuple[Floats, Floats | None]:
    """Mean of beta and a root of its covariance."""
    if beta is not None:
        return to_vector(beta, "beta", p), np.empty((p, 0))
    if prior is None:
        return np.zeros(p), None
    try:
        mean, spread = prior
    except (TypeError, ValueError):
        raise ModelError("prior must be (mean, covariance) of beta", got=repr(prior)) from None
    return to_vector(mean, "The prior's mean", p), _root(spread, p)


def _root(values: Any, p: int) -> Floats:
    """A root of the prior covariance: all of it, its diagonal, or one variance of all."""
    B = to_numbers(values, "The prior's covariance", "Leave prior= out if beta is unknown")
    B = np.diag(np.full(p, float(B))) if B.ndim == 0 else np.diag(B) if B.ndim == 1 else B
    if B.shape != (p, p) or not symmetric(B):
        raise DataError(
            "The prior's covariance must be symmetric, with a row for each column of X",
            got=f"shape {B.shape}",
            allowed=f"shape ({p}, {p}), ({p},) or ()",
        )
    sd = np.sqrt(np.maximum(np.diag(B), 0.0))
    unit = np.where(sd > 0, 1 / np.where(sd > 0, sd, 1.0), 0.0)
    roots, vectors = np.linalg.eigh(B * np.outer(unit, unit))
    if roots.min(initial=0.0) < -EQUAL or np.any(np.abs(B[sd == 0]) > 0):
        raise DataError("The prior's covariance is not positive semidefinite")
    return np.asarray(sd[:, None] * vectors * np.sqrt(np.maximum(roots, 0.0)))


def _estimable(
    X: Floats, X0: Floats, coefs: Sequence[str], labels: pd.Index | None
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The columns of X to keep, after checking that every X0 beta is estimable from them."""
    found = aliasing(X, coefs)
    if not found.aliased:
        return found.kept, ()
    place = {name: j for j, name in enumerate(coefs)}
    for name, parts in found.aliased.items():
        terms = [X0[:, place[k]] * w for k, w in parts.items()]
        miss = np.abs(X0[:, place[name]] - sum(terms))
        size = np.abs(X0[:, place[name]]) + sum(np.abs(t) for t in terms)
        bad = np.flatnonzero(miss > EQUAL * size)
        if bad.size:
            shown = bad[:6] if labels is None else labels[bad[:6]]
            raise IdentifiabilityError(
                f"Some predicted means are not estimable: {_alias(name, parts)} in X, not in X0",
                got=f"predictions {', '.join(map(str, shown))}{', …' if bad.size > 6 else ''}",
                hint="Leave them out, or give beta= or prior=",
            )
    aliased = "; ".join(_alias(name, parts) for name, parts in found.aliased.items())
    note = f"Columns of X are combinations of others and were left out: {aliased}."
    return found.kept, (warn(note, IdentifiabilityWarning),)


def _alias(name: str, parts: dict[str, float]) -> str:
    return f"{name} = " + combined(parts)


def _coefs(heads: pd.Index | None, constant: bool, p: int) -> tuple[str, ...]:
    if constant:
        return ("Intercept",)
    return tuple(map(str, heads)) if heads is not None else tuple(f"x{j + 1}" for j in range(p))

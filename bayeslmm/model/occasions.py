"""Combinations of occasions that the fixed effects leave without any residual.

With the residuals E = Y - X(b) of groups by occasions, a free covariance of occasions can become
singular along a where E a = 0: where Y a lies in the span of X(a) = sum_t a_t X_t.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.model.residual import Residual
from bayeslmm.model.spans import Span, affordable, inside

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
MOST = 30  # occasions
SUPPORTS = 500  # sets of occasions that are looked at
NULL = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Occasions:
    """Rows by group and occasion, and how their residuals may become singular.

    Attributes
    ----------
    row : ndarray of intp, shape (groups, m)
        The row of each group at each occasion, -1 where there is none.
    labels : tuple of str, length m
    supports : {"any", "pairs", "sum", "none"}
        Which combinations may vanish: any, those of two neighbours, the sum of all, none.
    equal : bool
        Whether all residuals of a group may be the same.
    group : ndarray of intp, shape (n,)
    """

    row: Ints
    labels: tuple[str, ...]
    supports: str
    equal: bool
    group: Ints


@dataclass(frozen=True, slots=True)
class Direction:
    """Occasions of which a combination vanishes in all groups that have them.

    Attributes
    ----------
    labels : tuple of str
    groups : int
    free : bool
        Whether the fixed effects could not have fitted any such response.
    """

    labels: tuple[str, ...]
    groups: int
    free: bool


def occasions_of(residual: Residual, used: Ints) -> Occasions:
    """The occasions of the rows that are in the likelihood."""
    c = residual.correlated
    assert c is not None
    group = c.group[used]
    groups = int(group.max(initial=-1)) + 1
    homogeneous = residual.strata is None and not residual.functions
    name, m = c.pattern.name, len(c.places)
    supports = {"us": "any", "ante": "pairs", "cs": "sum"}.get(name, "none")
    if m > MOST:
        supports = "none"
    row = np.full((groups, m if supports != "none" else 0), -1, dtype=np.intp)
    if supports != "none":
        row[group, c.place[used]] = np.arange(len(used))
    equal = homogeneous and name != "us"
    return Occasions(row, c.places.labels, supports, equal, group)


def vanishing(y: Floats, X: Floats, occasions: Occasions) -> Iterator[Direction]:
    """Combinations of occasions without a residual."""
    for support in _supports(occasions):
        rows = occasions.row[:, list(support)]
        rows = rows[np.all(rows >= 0, axis=1)]
        a = _combination(y, X, rows, only_sum=occasions.supports == "sum") if len(rows) else None
        if a is not None:
            labels = tuple(occasions.labels[t] for t in support)
            columns = _mixed(X, rows, a)
            spans = affordable(columns) and Span(columns).rank == len(rows)
            yield Direction(labels, len(rows), not spans)


def _supports(occasions: Occasions) -> list[tuple[int, ...]]:
    """Sets of occasions: all, those that groups have, every two, the largest first."""
    m = occasions.row.shape[1]
    every = tuple(range(m))
    if occasions.supports == "none" or m < 2:
        return []
    if occasions.supports == "sum":
        return [every]
    neighbours: list[tuple[int, ...]] = [(t, t + 1) for t in range(m - 1)]
    if occasions.supports == "pairs":
        return neighbours
    codes = np.unique((occasions.row >= 0) @ (1 << np.arange(m)))[:SUPPORTS]
    patterns = [tuple(t for t in every if code >> t & 1) for code in codes.tolist()]
    seen = [pattern for pattern in patterns if len(pattern) > 1]
    return list(dict.fromkeys([every, *sorted(seen, key=len)[::-1], *combinations(every, 2)]))


def _mixed(X: Floats, rows: Ints, a: Floats) -> Floats:
    """X(a), shape (groups, p)."""
    return np.asarray(sum(w * X[rows[:, t]] for t, w in enumerate(a)))


def _combination(y: Floats, X: Floats, rows: Ints, *, only_sum: bool) -> Floats | None:
    """An a, all of whose numbers are used, with Y a in the span of X(a); None if none is found."""
    k = rows.shape[1]
    if only_sum:
        tried = [np.ones(k)]
    else:
        relaxed = _relaxed(y, X, rows)
        if relaxed is None or not relaxed.shape[1]:
            return None
        rng = np.random.default_rng(7)
        tried = [relaxed @ rng.normal(size=relaxed.shape[1]) for _ in range(2)]
    for a in tried:
        if np.abs(a).min() < 1e-8 * np.abs(a).max():
            continue
        mixed = np.asarray(sum(w * y[rows[:, t]] for t, w in enumerate(a)))
        columns = _mixed(X, rows, a)
        if inside(mixed, columns.__getitem__, X.shape[1]):
            return np.asarray(a)
    return None


def _relaxed(y: Floats, X: Floats, rows: Ints) -> Floats | None:
    """Every a, (k, d), with Y a in the span of [X_1 ... X_k]: there is no other."""
    take, k = 64, rows.shape[1]
    while True:
        here = rows[:take]
        wide = np.hstack([X[here[:, t]] for t in range(k)])
        if not affordable(wide):
            return None
        Y = y[here]
        scale = float(np.abs(Y).max()) or 1.0
        left = Span(wide).outside(Y) / scale
        if len(left) < k:
            left = np.vstack([left, np.zeros((k - len(left), k))])
        _, s, vh = np.linalg.svd(left, full_matrices=False)
        null = vh[s <= NULL * np.sqrt(len(here))].T
        if not null.shape[1] or len(here) == len(rows) or (k == null.shape[1] and take > 500):
            return null
        take *= 4

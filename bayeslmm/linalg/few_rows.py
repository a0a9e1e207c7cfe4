"""Some rows of a long table to look at first: chosen by counts, whatever order they are stored in.

A table may be stored by group, in waves (the first row of each group, then the second, ...) or
shuffled, so that neither its first rows nor every hundredth one need be like the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
SEED = 1_975


def sample(n: int, size: int) -> Ints:
    """`size` of n places at random, in order; all of them where there are no more."""
    if n <= size:
        return np.arange(n)
    return np.sort(np.random.default_rng(SEED).choice(n, size, replace=False))


def few(codes: Sequence[Ints], scores: Sequence[Floats | None], levels: int, each: int) -> Ints:
    """Some rows for each of several classifications of the same rows, in order.

    Parameters
    ----------
    codes : sequence of ndarray of intp, shape (n,)
        The level of each row.
    scores : sequence of ndarray, shape (J,), or None
        How much is learnt from each level beside its count, such as how much a covariate varies
        within it.
    levels : int
        Most levels of each classification: the fullest, those with the highest scores, and some
        spread over all that have `each` rows.
    each : int
        Most rows of a level.
    """
    chosen = [sample(len(codes[0]), each)] if len(codes) else [np.empty(0, dtype=np.intp)]
    for one, score in zip(codes, scores, strict=True):
        counts = np.bincount(one)
        which = _levels(counts, score, levels, each)
        wanted = np.zeros(len(counts), dtype=bool)
        wanted[which] = True
        rows = np.flatnonzero(wanted[one])
        own = one[rows]
        for level in which:
            there = np.flatnonzero(own == level)
            chosen.append(rows[there[sample(len(there), each)]])
    return np.unique(np.concatenate(chosen))


def within(codes: Ints, values: Floats) -> Floats:
    """How much the columns of (n, k) values vary within each level: their sums of squares about
    the level's mean, each over its sum in all levels, added up; shape (J,)."""
    counts = np.bincount(codes)
    out = np.zeros(len(counts))
    for column in values.T:
        mean = np.bincount(codes, column) / np.maximum(counts, 1)
        squares = np.bincount(codes, (column - mean[codes]) ** 2)
        total = float(squares.sum())
        out += squares / total if total > 0 else 0.0
    return out


def _levels(counts: Ints, score: Floats | None, size: int, each: int) -> Ints:
    enough = np.flatnonzero(counts >= each)
    third = max(1, size // 3)
    fullest = np.argsort(-counts, kind="stable")
    chosen = [fullest[:third], enough[sample(len(enough), third)]]
    if score is not None:
        chosen.append(np.argsort(-score, kind="stable")[:third])
    seen = np.unique(np.concatenate(chosen))
    next_fullest = fullest[: 2 * size]
    rest = next_fullest[~np.isin(next_fullest, seen)][: max(0, size - len(seen))]
    return np.sort(np.concatenate([seen, rest]))

"""Search for the best n rows of a candidate table: modified Fedorov exchange.

Each row of a random start is tried against every candidate, and exchanged for the best of them,
until no exchange helps (Cook & Nachtsheim, 1980, Technometrics 22(3), after Fedorov, 1972). With
S = M⁻¹, d_ab = x_a'S x_b and row i exchanged for j,

    S_new = S - [(1 - d_ii) s_j s_j' + d_ij (s_j s_i' + s_i s_j') - (1 + d_jj) s_i s_i'] / ratio,
    ratio = |M_new| / |M| = (1 + d_jj)(1 - d_ii) + d_ij²,       s_a = S x_a

(two rank-one updates in one), so that every criterion after an exchange follows without another
inverse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslmm.design.types import Floats

Places = NDArray[np.intp]
GAIN = 1e-9  # relative, below which an exchange is not worth it
PASSES = 200
WIDTH = 4_000_000  # numbers at once
RIDGE = 1e-8
SAME = 1e-6
SMOOTH = {"G": "D", "E": "A"}


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is searched, in the search's own coordinates.

    Attributes
    ----------
    rows : ndarray, shape (N, p)
        Candidates.
    outer : ndarray, shape (p, p)
        Takes beta to the users' coordinates.
    prior : ndarray, shape (p, p)
        Precision of beta known beforehand, in units of one over the residual variance.
    mean_root : ndarray, shape (p, p)
        H such that H'H is the mean of x x' over the candidates.
    criterion : {"A", "D", "E", "G", "V"}
        G and V over the candidates.
    repeats : bool
        Whether a candidate may be taken more than once.
    """

    rows: Floats
    outer: Floats
    prior: Floats
    mean_root: Floats
    criterion: str
    repeats: bool

    def covariance(self, places: Places) -> Floats:
        """S = M⁻¹, NaN where M is singular."""
        X = self.rows[places]
        M = X.T @ X + self.prior
        size = np.sqrt(np.diag(M))
        if not np.all(size > 0):
            return np.full_like(M, np.nan)
        unit = M / np.outer(size, size)
        if np.linalg.cond(unit) > 1e13:
            return np.full_like(M, np.nan)
        S = np.linalg.inv(unit) / np.outer(size, size)
        return np.asarray((S + S.T) / 2)

    def loss(self, S: Floats) -> float:
        """The criterion; log|S| for D."""
        if not np.all(np.isfinite(S)):
            return np.inf
        if self.criterion == "D":
            return float(np.linalg.slogdet(S)[1])
        if self.criterion == "A":
            return float(np.trace(self.outer @ S @ self.outer.T))
        if self.criterion == "E":
            return float(np.linalg.eigvalsh(self.outer @ S @ self.outer.T)[-1])
        spread = np.sum((self.rows @ S) * self.rows, axis=1)
        return float(spread.max() if self.criterion == "G" else spread.mean())

    def least(self, loss: float) -> float:
        """The fall that makes an exchange worth it."""
        return GAIN if self.criterion == "D" else GAIN * abs(loss)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The best design of all starts.

    Attributes
    ----------
    places : ndarray of intp, shape (n,)
        The candidates that were taken, ascending.
    loss : float
    agreeing : int
        Starts that ended as well as the best.
    """

    places: Places
    loss: float
    agreeing: int


def search(problem: Problem, n: int, starts: int, rng: np.random.Generator) -> Found | None:
    """The best n rows; None where no start found a design that determines beta."""
    ends = [_end(problem, _start(problem, n, rng)) for _ in range(starts)]
    losses = np.array([loss for _, loss in ends])
    if not np.any(np.isfinite(losses)):
        return None
    best = int(np.argmin(losses))
    near = losses <= losses[best] + SAME * max(abs(losses[best]), SAME)
    return Found(np.sort(ends[best][0]), float(losses[best]), int(near.sum()))


def _end(problem: Problem, start: Places) -> tuple[Places, float]:
    """Where a start ends.

    A maximum has ties that no single exchange breaks: G and E are also searched from where the
    smooth criterion that is their relative ends (D has G's optimal weights: Kiefer & Wolfowitz,
    1960).
    """
    end = _descend(problem, start)
    if problem.criterion not in SMOOTH:
        return end
    smooth = replace(problem, criterion=SMOOTH[problem.criterion])
    other = _descend(problem, _descend(smooth, start)[0])
    return other if other[1] < end[1] else end


def _start(problem: Problem, n: int, rng: np.random.Generator) -> Places:
    """Random rows, and among them enough of the widest variance to determine beta."""
    count, p = problem.rows.shape
    greedy = min(n, p)
    places = list(rng.choice(count, n - greedy, replace=problem.repeats))
    ridge = RIDGE * p / count * np.eye(p) + problem.prior
    for _ in range(greedy):
        X = problem.rows[places]
        half = np.linalg.solve(X.T @ X + ridge, problem.rows.T)
        # a draw among the wide ones keeps the starts apart
        spread = np.einsum("jp,pj->j", problem.rows, half) * rng.uniform(0.5, 1.0, count)
        if not problem.repeats:
            spread[places] = -np.inf
        places.append(int(np.argmax(spread)))
    return np.array(places, dtype=np.intp)


def _descend(problem: Problem, start: Places) -> tuple[Places, float]:
    """Exchange rows until none helps."""
    places = start.copy()
    S = problem.covariance(places)
    loss = problem.loss(S)
    for _ in range(PASSES):
        if not np.isfinite(loss):
            break
        before = loss
        for i in range(len(places)):
            after = _losses(problem, S, loss, int(places[i]))
            if not problem.repeats:
                after[places] = np.inf
            best = int(np.argmin(after))
            if after[best] < loss - problem.least(loss):
                S = _exchanged(problem, S, int(places[i]), best)
                places[i], loss = best, float(after[best])
        S = problem.covariance(places)
        loss = problem.loss(S)
        if loss >= before - problem.least(before):
            break
    return places, loss


def _exchanged(problem: Problem, S: Floats, i: int, j: int) -> Floats:
    """S with row i exchanged for j: one rank-one update to add j, one to take i away."""
    s = S @ problem.rows[j]
    S = S - np.outer(s, s) / (1.0 + problem.rows[j] @ s)
    s = S @ problem.rows[i]
    S = S + np.outer(s, s) / (1.0 - problem.rows[i] @ s)
    return np.asarray((S + S.T) / 2)


@dataclass(frozen=True, slots=True, eq=False)
class _Exchange:
    """Row i exchanged for each of a stretch of candidates j."""

    s_i: Floats  # (p,)
    s_j: Floats  # (c, p)
    left: float  # 1 - d_ii
    cross: Floats  # d_ij, (c,)
    right: Floats  # 1 + d_jj, (c,)

    @property
    def ratio(self) -> Floats:
        return self.right * self.left + self.cross**2

    def fall(self, i: Floats, j: Floats) -> Floats:
        """What is taken from a quadratic form a'S a, times the ratio: i = a's_i, j = a's_j."""
        lead = [1] * (j.ndim - 1)
        cross, right = self.cross.reshape(-1, *lead), self.right.reshape(-1, *lead)
        return np.asarray(self.left * j**2 + 2 * cross * i * j - right * i**2)


def _stretches(problem: Problem, S: Floats, i: int) -> Iterator[tuple[slice, _Exchange]]:
    count, p = problem.rows.shape
    width: int = count if problem.criterion == "G" else p * p
    step = max(1, WIDTH // max(width, 1))
    x = problem.rows[i]
    s_i = S @ x
    for a in range(0, count, step):
        part = slice(a, a + step)
        rows = problem.rows[part]
        s_j = rows @ S
        yield (
            part,
            _Exchange(s_i, s_j, float(1 - x @ s_i), rows @ s_i, 1.0 + np.sum(s_j * rows, axis=1)),
        )


def _losses(problem: Problem, S: Floats, loss: float, i: int) -> Floats:
    """The criterion after row i is exchanged for every candidate, shape (N,)."""
    out = np.full(len(problem.rows), np.inf)
    for part, change in _stretches(problem, S, i):
        ratio = change.ratio
        safe = np.where(ratio > 1e-10, ratio, np.nan)
        out[part] = np.nan_to_num(_after(problem, S, loss, change, safe), nan=np.inf, posinf=np.inf)
    return out


def _after(problem: Problem, S: Floats, loss: float, change: _Exchange, ratio: Floats) -> Floats:
    if problem.criterion == "D":
        return np.asarray(loss - np.log(ratio))
    if problem.criterion in ("A", "E"):
        a, b = change.s_j @ problem.outer.T, problem.outer @ change.s_i
        if problem.criterion == "A":
            return np.asarray(loss - change.fall(b, a).sum(axis=1) / ratio)
        outer = problem.outer @ S @ problem.outer.T
        mixed = a[:, :, None] * b * change.cross[:, None, None]
        taken = change.left * a[:, :, None] * a[:, None, :] + mixed + mixed.swapaxes(1, 2)
        taken -= change.right[:, None, None] * np.outer(b, b)
        good = np.isfinite(ratio)
        out = np.full(len(ratio), np.nan)
        after = outer - taken[good] / ratio[good, None, None]
        out[good] = np.linalg.eigvalsh(after)[:, -1]
        return out
    if problem.criterion == "G":
        spread = np.sum((problem.rows @ S) * problem.rows, axis=1)
        falls = change.fall(problem.rows @ change.s_i, change.s_j @ problem.rows.T)
        return np.asarray((spread - falls / ratio[:, None]).max(axis=1))
    root = problem.mean_root  # the mean of (x's)² over the candidates is |H s|²
    falls = change.fall(root @ change.s_i, change.s_j @ root.T).sum(axis=1)
    return np.asarray(loss - falls / ratio)

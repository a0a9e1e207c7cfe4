"""Structured residuals in front of the room's solvers.

What a solver knows of a design are cross-products; under structured residuals those depend on the
structure's coordinates delta, which travel as one more block beside the Lambdas, of shape
(S, 1, d). log|L| of `R = sigma² L L'` is counted into log|L_Z|: nothing downstream sees a
difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.moments import Moments
from bayeslmm.gaussian.noisy_rows import NoisyRows
from bayeslmm.gaussian.single import Single, SinglePoint
from bayeslmm.gaussian.solver import (
    WORTH,
    Blocks,
    Combinations,
    Inverse,
    Point,
    Reduced,
    Slopes,
    Solver,
)
from bayeslmm.linalg.compiled import one_blas_thread, sweep
from bayeslmm.linalg.noisy_levels import draw_white, reduce_white

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
STEP = 1e-5
CHUNK = 4_000_000  # numbers whitened at once
THREADED = 20_000  # numbers of a table below which a point's work holds the interpreter's lock


@dataclass(frozen=True, eq=False)
class Noisy:
    """A solver under structured residuals.

    Attributes
    ----------
    rows : NoisyRows
    start : Solver
        At the structure's start: its symbolic work serves every point.
    with_moments : callable
        From moments to a solver of the same pattern.
    """

    rows: NoisyRows
    start: Solver
    with_moments: Callable[[Moments], Solver]

    @property
    def seconds(self) -> float:
        return self.start.seconds + 1e-4 + 2e-8 * self.rows.table.size

    def _least(self, size: int) -> int:
        """Points, of so many, that are worth a thread of their own."""
        small = self.rows.table.size < THREADED
        return size if small else int(WORTH / self.seconds) + 1

    def _sweep(self, delta: Floats, task: Callable[[Ints, float, Solver], None]) -> None:
        """Run a task for every distinct point, with the places that have it, log|L| and its
        solver; on all threads, and never more than a few points' moments at a time."""
        unique, back = np.unique(delta, axis=0, return_inverse=True)
        order = np.argsort(back.ravel(), kind="stable")
        ends = np.searchsorted(back.ravel()[order], np.arange(len(unique) + 1))
        step = max(1, CHUNK // max(1, self.rows.table.size))

        def part(a: int, b: int) -> None:
            for first in range(a, b, step):
                last = min(b, first + step)
                log_det, moments = self.rows.moments(unique[first:last])
                for i, (value, m) in enumerate(zip(log_det, moments, strict=True), first):
                    task(order[ends[i] : ends[i + 1]], float(value), self.with_moments(m))

        with one_blas_thread():
            sweep(part, len(unique), self._least(len(unique)))

    def reduce(self, lambdas: Blocks) -> Reduced:
        blocks, delta = split(lambdas)
        m = self.rows.X.shape[1] + 1
        out = Reduced(np.empty(len(delta)), np.empty((len(delta), m, m)))
        if self._is_simple:
            self._reduce_levels(blocks[0], delta, out)
            return out

        def task(which: Ints, log_det: float, solver: Solver) -> None:
            found = solver.reduce(tuple(f[which] for f in blocks))
            out.log_det[which] = found.log_det + log_det
            out.tail[which] = found.tail

        self._sweep(delta, task)
        return out

    @property
    def _is_simple(self) -> bool:
        """Whether whitened rows know one factor at most, whose levels are independent."""
        return self.rows.nested and isinstance(self.start, Single)

    def _reduce_levels(self, lam: Floats, delta: Floats, out: Reduced) -> None:
        """With one factor or none: whitened rows to what is left, in one compiled loop."""
        rows, m = self.rows, self.rows.X.shape[1] + 1
        codes = rows.codes[0] if rows.codes else np.empty(0, dtype=np.int64)
        levels = rows.levels[0] if rows.levels else 0
        step, lam = max(1, CHUNK // max(1, rows.inner_table.size)), np.array(lam)

        def part(a: int, b: int) -> None:
            for first in range(a, b, step):
                here = slice(first, min(b, first + step))
                log_det, white = rows.noise.whiten(delta[here], rows.inner_table)
                reduce_white(
                    white, codes, m, lam.shape[1], levels, lam[here],
                    out.log_det[here], out.tail[here],
                )  # fmt: skip
                out.log_det[here] += log_det

        with one_blas_thread():
            sweep(part, len(delta), self._least(len(delta)))

    def _draw_levels(
        self, lam: Floats, delta: Floats, outer: Floats, v: Floats, noise: Floats, out: Floats
    ) -> None:
        """Draws with one factor, in one compiled loop."""
        rows, m = self.rows, self.rows.X.shape[1] + 1
        step = max(1, CHUNK // max(1, rows.inner_table.size))
        lam, outer, v = np.array(lam), np.array(outer), np.array(v)
        noise = np.ascontiguousarray(noise)

        def part(a: int, b: int) -> None:
            for first in range(a, b, step):
                here = slice(first, min(b, first + step))
                white = rows.noise.whiten(delta[here], rows.inner_table)[1]
                draw_white(
                    white, rows.codes[0], m, lam[here], outer[here], v[here], noise[here], out[here]
                )

        with one_blas_thread():
            sweep(part, len(delta), self._least(len(delta)))

    def point(self, lambdas: Blocks) -> NoisyPoint:
        blocks, delta = lambdas[:-1] or (np.ones((1, 1)),), lambdas[-1]
        log_det, moments = self.rows.moments(delta)
        inner = self.with_moments(moments[0]).point(blocks)
        return NoisyPoint(self, blocks, delta[0], float(log_det[0]), inner)

    def draw(self, lambdas: Blocks, outer: Blocks, v: Floats, noise: Blocks | None) -> Blocks:
        blocks, delta = split(lambdas)
        sizes = [(n, f.shape[-1]) for n, f in zip(self.rows.levels, blocks, strict=False)]
        out = tuple(np.empty((len(v), *size)) for size in sizes)
        if self._is_simple and out:
            given = np.zeros_like(out[0]) if noise is None else noise[0]
            self._draw_levels(blocks[0], delta, outer[0], v, given, out[0])
            return out

        def task(which: Ints, _: float, solver: Solver) -> None:
            given = None if noise is None else tuple(x[which] for x in noise)
            own, taken = tuple(f[which] for f in blocks), tuple(f[which] for f in outer)
            for to, found in zip(out, solver.draw(own, taken, v[which], given), strict=True):
                to[which] = found

        self._sweep(delta, task)
        return out


@dataclass(frozen=True, eq=False)
class NoisyPoint:
    """A design under structured residuals at one point.

    Attributes
    ----------
    solver : Noisy
    blocks : tuple of ndarray, each of shape (k, k)
    delta : ndarray, shape (d,)
    log_det : float
        log|L|.
    inner : Point
    """

    solver: Noisy
    blocks: Blocks
    delta: Floats
    log_det: float
    inner: Point

    @cached_property
    def reduced(self) -> Reduced:
        found = self.inner.reduced
        return replace(found, log_det=found.log_det + self.log_det)

    def slopes(self, weights: Floats) -> Slopes:
        """Lambdas' derivatives are analytic; so are delta's, but for several factors."""
        inner = self.inner.slopes(weights)
        found = (inner.log_det, inner.tails) if self.solver.rows.values else ((), ())
        if not len(self.delta):
            none = np.empty((1, 0))
            return Slopes((*found[0], none), (*found[1], np.empty((len(weights), 1, 0))))
        simple = isinstance(self.inner, SinglePoint) and self.solver.rows.nested
        log_det, tails = self._by_entries(weights) if simple else self._by_differences(weights)
        return Slopes((*found[0], log_det[None]), (*found[1], tails[:, None, :]))

    def _by_entries(self, weights: Floats) -> tuple[Floats, Floats]:
        """With one factor or none, by the entries of P = R⁻¹ and their derivatives.

        d log|M| = <M⁻¹, Lambda'Z' dP Z Lambda>, and with E = F - Z Lambda M⁻¹ Lambda'Z'P F what
        is left of the rows, d tail = E' dP E.
        """
        rows, d = self.solver.rows, len(self.delta)
        i, j = rows.noise.pattern
        by_delta, by_log = rows.noise.slopes(self.delta)
        left = rows.inner
        own = np.zeros(len(i))
        if rows.values:
            found, codes = self.inner.inverse(), rows.codes[0]
            half = rows.values[0] @ rows.about.blocks[0] @ self.blocks[0]
            left = left - np.einsum("nk,nkm->nm", half, found.solutions[0][codes])
            half_inverse = np.einsum("nk,nkl->nl", half, found.own[0][codes])
            own = np.einsum("ek,ek->e", half_inverse[i], half[j])
        log_det = by_log + 0.5 * by_delta @ own
        tails = np.empty((len(weights), d))
        for r, w in enumerate(weights):
            tails[r] = by_delta @ np.einsum("em,em->e", (left @ w)[i], left[j])
        return log_det, tails

    def _by_differences(self, weights: Floats) -> tuple[Floats, Floats]:
        d = len(self.delta)
        moves = STEP * np.eye(d)
        points = np.concatenate([self.delta + moves, self.delta - moves])
        repeated = tuple(np.broadcast_to(f, (2 * d, *f.shape)).copy() for f in self.blocks)
        reduced = self.solver.reduce((*repeated, points[:, None, :]))
        log_det = (reduced.log_det[:d] - reduced.log_det[d:]) / (2 * STEP)
        tail = (reduced.tail[:d] - reduced.tail[d:]) / (2 * STEP)
        return log_det, np.einsum("rab,dab->rd", weights, tail)

    def inverse(self) -> Inverse:
        return self.inner.inverse()

    def draw(self, outer: Blocks, v: Floats, noise: Blocks | None) -> Blocks:
        return self.inner.draw(outer, v, noise)

    def variance(self, random: Combinations) -> Floats:
        return self.inner.variance(random)


def split(lambdas: Blocks) -> tuple[Blocks, Floats]:
    """The Lambdas (an empty factor's where there are none) and delta, shape (S, d)."""
    delta = lambdas[-1][:, 0]
    return lambdas[:-1] or (np.ones((len(delta), 1, 1)),), delta

"""The solver for one grouping factor, or none: nothing but small dense factors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.moments import Moments
from bayeslmm.gaussian.solver import WORTH, Blocks, Combinations, Inverse, Reduced, Slopes
from bayeslmm.linalg.compiled import sweep
from bayeslmm.linalg.levels import draw_levels, reduce_levels, slope_levels, solve_levels

Floats = NDArray[np.float64]
SPEED = 2.5e9  # multiplications a second


@dataclass(frozen=True, eq=False)
class Single:
    """One factor, its levels in the last axis.

    Attributes
    ----------
    zz : ndarray, shape (k, k, J)
    zf : ndarray, shape (k, m, J)
    ff : ndarray, shape (m, m)
    """

    zz: Floats
    zf: Floats
    ff: Floats

    @property
    def seconds(self) -> float:
        k, m, n_levels = self.zf.shape
        work = n_levels * (2 * k**3 + k * k * m + k * m * m) + m**3
        return float(work / SPEED + 1e-7)

    def reduce(self, lambdas: Blocks) -> Reduced:
        lam = np.array(lambdas[0])  # a copy of its own: kernels know arrays that may be written
        size, m = len(lam), self.ff.shape[0]
        out = Reduced(np.empty(size), np.empty((size, m, m)))

        def task(a: int, b: int) -> None:
            reduce_levels(self.zz, self.zf, self.ff, lam[a:b], out.log_det[a:b], out.tail[a:b])

        sweep(task, size, self._least)
        return out

    def point(self, lambdas: Blocks) -> SinglePoint:
        return SinglePoint(self, np.array(lambdas[0]))

    def draw(self, lambdas: Blocks, outer: Blocks, v: Floats, noise: Blocks | None) -> Blocks:
        lam, taken = np.array(lambdas[0]), np.array(outer[0])
        size, k = len(v), lam.shape[-1]
        out = np.empty((size, self.zz.shape[-1], k))
        none = np.empty((0, *out.shape[1:]))

        def task(a: int, b: int) -> None:
            given = none if noise is None else noise[0][a:b]
            draw_levels(self.zz, self.zf, lam[a:b], taken[a:b], v[a:b], given, out[a:b])

        sweep(task, size, self._least)
        return (out,)

    def with_moments(self, m: Moments) -> Single:
        """The same for other moments of this pattern."""
        return single(m)

    @property
    def _least(self) -> int:
        return int(WORTH / self.seconds) + 1


@dataclass(frozen=True, eq=False)
class SinglePoint:
    """One factor at one point.

    Attributes
    ----------
    solver : Single
    lam : ndarray, shape (k, k)
    """

    solver: Single
    lam: Floats

    @cached_property
    def reduced(self) -> Reduced:
        return self.solver.reduce((self.lam[None],))

    def slopes(self, weights: Floats) -> Slopes:
        k = len(self.lam)
        log_det, tails = np.empty((k, k)), np.empty((len(weights), k, k))
        slope_levels(self.solver.zz, self.solver.zf, self.lam, weights, log_det, tails)
        return Slopes((log_det,), (tails,))

    def inverse(self) -> Inverse:
        k, m, n_levels = self.solver.zf.shape
        own, solutions = np.empty((n_levels, k, k)), np.empty((n_levels, k, m))
        solve_levels(self.solver.zz, self.solver.zf, self.lam, own, solutions)
        return Inverse((own,), (solutions,))

    def draw(self, outer: Blocks, v: Floats, noise: Blocks | None) -> Blocks:
        every = (np.tile(self.lam, (len(v), 1, 1)),), (np.tile(outer[0], (len(v), 1, 1)),)
        return self.solver.draw(*every, v, noise)

    def variance(self, random: Combinations) -> Floats:
        level, values = random[0]
        half = values @ self.lam
        taken = np.where(level >= 0, level, 0)
        own = self.inverse().own[0][taken]
        return np.where(level >= 0, np.einsum("ra,rab,rb->r", half, own, half), 0.0)


def single(m: Moments) -> Single:
    """The solver of one factor; without any, of an empty one."""
    zz = m.zz[0] if m.zz else np.zeros((0, 1, 1))
    zf = m.zf[0] if m.zf else np.zeros((0, 1, len(m.ff)))
    last = [np.ascontiguousarray(np.moveaxis(x, 0, -1)) for x in (zz, zf)]
    return Single(last[0], last[1], m.ff)

"""Several grouping factors, factored at one point."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.crossed_system import CrossedSystem
from bayeslmm.gaussian.dense_rest import DenseFactor
from bayeslmm.gaussian.solver import Blocks, Combinations, Inverse, Reduced, Slopes
from bayeslmm.gaussian.sparse_rest import SparseFactor
from bayeslmm.linalg.crossed import assemble, factor_border, slope_border, slope_rest
from bayeslmm.linalg.crossed_solve import (
    apply_pairs,
    half_backward,
    half_combinations,
    half_forward,
)

Floats = NDArray[np.float64]
BATCH = 20_000_000  # numbers in the right-hand sides of one batch


@dataclass(frozen=True, eq=False)
class CrossedPoint:
    """Several factors, factored at one point.

    Attributes
    ----------
    system : CrossedSystem
    lambdas : tuple of ndarray, each of shape (k, k)
    """

    system: CrossedSystem
    lambdas: Blocks

    @cached_property
    def _stack(self) -> Floats:
        return self.system.stack(tuple(lam[None] for lam in self.lambdas))[0]

    @cached_property
    def _factor(self) -> tuple[float, Floats, Floats, DenseFactor | SparseFactor]:
        """log|L_e|, the levels' factors, the border and the rest's factor."""
        system, plan = self.system, self.system.layout
        border, e = plan.border, plan.eliminated
        levels = np.empty_like(system.moments.zz[e])
        entries = np.empty_like(border.value)
        log_det = factor_border(
            system.moments.zz[e], border.start, border.node, border.block, border.value,
            self.lambdas[e], self._stack, plan.sizes, levels, entries,
        )  # fmt: skip
        x = np.zeros(system.rest.size)
        assemble(
            border.start, entries, system.rest.border_place, plan.pairs.arrays,
            system.rest.rest_place, self._stack, plan.sizes, system.rest.diagonal, x,
        )  # fmt: skip
        return log_det, levels, entries, system.rest.factor(x)

    def right_hand_side(self, v: Floats) -> Blocks:
        """`Lambda'Z'WF v` by block, v of shape (m, r)."""
        return tuple(
            np.ascontiguousarray(lam.T @ (zf @ v))
            for lam, zf in zip(self.lambdas, self.system.moments.zf, strict=True)
        )

    def half(self, right: Blocks) -> tuple[Floats, Floats]:
        """`L_Z⁻¹ right`: the eliminated levels (J, k, r) and the rest (q, r)."""
        _, levels, entries, factor = self._factor
        plan = self.system.layout
        b, rest = right[plan.eliminated].copy(), self.system.join(right)
        half_forward(plan.border.start, self.system.column, levels, entries, b, rest)
        return b, factor.forward(rest)

    def solve(self, right: Blocks, noise: Blocks | None = None) -> Blocks:
        """`L_Z⁻ᵀ (L_Z⁻¹ right + noise)` by block."""
        _, levels, entries, factor = self._factor
        plan = self.system.layout
        b, rest = self.half(right)
        if noise is not None:
            b = b + noise[plan.eliminated]
            rest = rest + self.system.join(noise)
        rest = factor.backward(rest)
        half_backward(plan.border.start, self.system.column, levels, entries, b, rest)
        parts = self.system.split(rest) | {plan.eliminated: b}
        return tuple(parts[i] for i in range(len(parts)))

    def draw(self, outer: Blocks, v: Floats, noise: Blocks | None) -> Blocks:
        given = None
        if noise is not None:
            given = tuple(np.ascontiguousarray(np.moveaxis(x, 0, -1)) for x in noise)
        solved = self.solve(self.right_hand_side(np.ascontiguousarray(v.T)), given)
        return tuple(np.moveaxis(o @ x, -1, 0) for o, x in zip(outer, solved, strict=True))

    @cached_property
    def reduced(self) -> Reduced:
        log_det, _, _, factor = self._factor
        b, rest = self.half(self._fixed)
        k = b.shape[0] * b.shape[1]
        flat = b.reshape(k, -1)
        tail = self.system.moments.ff - flat.T @ flat - rest.T @ rest
        log_det += factor.log_det + self.system.layout.prior.shift
        return Reduced(np.array([log_det]), tail[None])

    @property
    def _fixed(self) -> Blocks:
        return self.right_hand_side(np.eye(len(self.system.moments.ff)))

    @cached_property
    def _solutions(self) -> Blocks:
        return self.solve(self._fixed)

    @cached_property
    def _slopes(self) -> tuple[Blocks, Floats]:
        """Derivatives of log|L_Z| by block, and the eliminated levels' own inverses."""
        system, plan = self.system, self.system.layout
        border, e = plan.border, plan.eliminated
        _, levels, entries, factor = self._factor
        w = factor.inverse_values
        own = np.zeros_like(self.lambdas[e])
        rest = np.zeros_like(self._stack)
        blocks = np.empty_like(levels)
        slope_border(
            system.moments.zz[e], border.start, border.node, border.block, border.value,
            self.lambdas[e], self._stack, plan.sizes, levels, entries,
            system.rest.border_place, w, own, rest, blocks,
        )  # fmt: skip
        slope_rest(
            self.system.layout.pairs.arrays,
            system.rest.rest_place,
            self._stack,
            plan.sizes,
            w,
            rest,
        )
        slopes = {e: own}
        for i, block in enumerate(plan.rest):
            k = plan.sizes[i]
            slopes[block] = rest[i, :k, :k]
        return tuple(slopes[i] for i in range(len(slopes))), blocks

    def slopes(self, weights: Floats) -> Slopes:
        """-2 sum r W b' by block, with `r = Z'W(F - Z Lambda b)`."""
        m = self.system.moments
        scaled = tuple(
            np.ascontiguousarray(lam @ b)
            for lam, b in zip(self.lambdas, self._solutions, strict=True)
        )
        left = [zf - zz @ x for zf, zz, x in zip(m.zf, m.zz, scaled, strict=True)]
        for pairs in m.pairs:
            a, b = pairs.a, pairs.b
            gone_a, gone_b = np.zeros_like(left[a]), np.zeros_like(left[b])
            apply_pairs(
                pairs.start, pairs.other, pairs.values, scaled[a], scaled[b], gone_a, gone_b
            )
            left[a] = left[a] - gone_a
            left[b] = left[b] - gone_b  # of one factor, levels that meet each other
        tails = tuple(
            -2 * np.einsum("jam,rmn,jbn->rab", x, weights, b, optimize=True)
            for x, b in zip(left, self._solutions, strict=True)
        )
        return Slopes(self._slopes[0], tails)

    def inverse(self) -> Inverse:
        plan, rest = self.system.layout, self.system.rest
        w = self._factor[3].inverse_values
        own = {plan.eliminated: self._slopes[1]}
        for i, block in enumerate(plan.rest):
            levels, k = self.system.moments.sizes[block]
            mine = (plan.pairs.block_a == i) & (plan.pairs.column_a == plan.pairs.column_b)
            place = rest.rest_place[np.repeat(mine, np.diff(plan.pairs.start))].reshape(
                levels, k, k
            )
            place = np.where(place < 0, place.swapaxes(1, 2), place)
            own[block] = w[place]
        return Inverse(tuple(own[i] for i in range(len(own))), self._solutions)

    def variance(self, random: Combinations) -> Floats:
        count = len(random[0][0])
        step = max(1, BATCH // max(1, self.system.layout.q))
        out = np.empty(count)
        for a in range(0, count, step):
            out[a : a + step] = self._variance(
                [(c[a : a + step], z[a : a + step]) for c, z in random]
            )
        return out

    def _variance(self, random: list[tuple[NDArray[np.intp], Floats]]) -> Floats:
        """A right-hand side a combination: first its eliminated level, then the rest."""
        _, levels, entries, factor = self._factor
        plan = self.system.layout
        right = np.zeros((plan.q, len(random[0][0])))
        for i, block in enumerate(plan.rest):
            rows = np.flatnonzero(random[block][0] >= 0)
            scaled = random[block][1][rows] @ self.lambdas[block]
            for c in range(scaled.shape[1]):
                column = plan.first[i] + random[block][0][rows] * plan.sizes[i] + c
                right[self.system.position[column], rows] = scaled[:, c]
        level, values = random[plan.eliminated]
        own = half_combinations(
            plan.border.start, self.system.column, levels, entries,
            np.ascontiguousarray(level, dtype=np.int64), values @ self.lambdas[plan.eliminated],
            right,
        )  # fmt: skip
        return np.asarray(own + np.sum(factor.forward(right) ** 2, axis=0))

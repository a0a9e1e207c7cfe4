"""The solver for several grouping factors: one eliminated, the rest by a Schur complement."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.crossed_point import CrossedPoint
from bayeslmm.gaussian.crossed_system import CrossedSystem
from bayeslmm.gaussian.dense_rest import DenseRest, dense_rest
from bayeslmm.gaussian.layout import NO_KIN, Kin, Layout, layout, with_values
from bayeslmm.gaussian.moments import Moments
from bayeslmm.gaussian.solver import WORTH, Blocks, Reduced
from bayeslmm.gaussian.sparse_rest import Pattern, SparseRest, pattern_of, sparse_rest
from bayeslmm.linalg.compiled import one_blas_thread, sweep
from bayeslmm.linalg.crossed_batch import draw_sparse, reduce_sparse
from bayeslmm.memory import check_dense_complement, fits_memory

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SMALL = 200  # columns of the rest that are always looked at for sparsity
SPARSE_SPEED, DENSE_SPEED = 5e9, 3e10  # multiplications a second
PLACE_SPEED = 2e8  # products put into their places a second
OVERHEAD = 50e-6  # seconds


@dataclass(frozen=True, eq=False)
class Crossed:
    """Several factors.

    Attributes
    ----------
    system : CrossedSystem
    kin : mapping of int to Precision
        Prior precisions of levels that aren't independent, by block.
    """

    system: CrossedSystem
    kin: Kin = field(default_factory=dict)

    def with_moments(self, m: Moments) -> Crossed:
        """The same for other moments of this pattern."""
        return Crossed(
            CrossedSystem(m, with_values(self.system.layout, m), self.system.rest), self.kin
        )

    @property
    def seconds(self) -> float:
        speed = SPARSE_SPEED if isinstance(self.system.rest, SparseRest) else DENSE_SPEED
        return (
            self.system.rest.cost / speed + len(self.system.rest.border_place) / PLACE_SPEED + 1e-6
        )

    def point(self, lambdas: Blocks) -> CrossedPoint:
        return CrossedPoint(self.system, tuple(np.array(lam) for lam in lambdas))

    def reduce(self, lambdas: Blocks) -> Reduced:
        size, m = len(lambdas[0]), len(self.system.moments.ff)
        out = Reduced(np.empty(size), np.empty((size, m, m)))

        def by_point(a: int, b: int) -> None:
            for s in range(a, b):
                found = self.point(tuple(lam[s] for lam in lambdas)).reduced
                out.log_det[s], out.tail[s] = found.log_det[0], found.tail[0]

        if isinstance(self.system.rest, SparseRest):
            batch = self.batch(self.system.rest)
            lam = np.array(lambdas[self.system.layout.eliminated])
            stack = self.system.stack(lambdas)

            def compiled(a: int, b: int) -> None:
                log_det, tail = out.log_det[a:b], out.tail[a:b]
                reduce_sparse(
                    *batch[:3],
                    self.system.moments.ff,
                    *batch[3:],
                    lam[a:b],
                    stack[a:b],
                    log_det,
                    tail,
                )

            sweep(compiled, size, int(WORTH / self.seconds) + 1)
            out.log_det[:] += self.system.layout.prior.shift
            return out
        with one_blas_thread(size > 1):  # threads take a point each
            sweep(by_point, size)
        return out

    def draw(self, lambdas: Blocks, outer: Blocks, v: Floats, noise: Blocks | None) -> Blocks:
        size = len(v)
        if isinstance(self.system.rest, SparseRest):
            b = self._draw_sparse(self.system.rest, lambdas, v, noise)
            return tuple(x @ o.swapaxes(1, 2) for x, o in zip(b, outer, strict=True))
        out = tuple(np.empty((size, *shape)) for shape in self.system.moments.sizes)

        def by_point(a: int, b: int) -> None:
            for s in range(a, b):
                point = self.point(tuple(lam[s] for lam in lambdas))
                given = None if noise is None else tuple(x[s : s + 1] for x in noise)
                found = point.draw(tuple(o[s] for o in outer), v[s : s + 1], given)
                for block, x in zip(out, found, strict=True):
                    block[s] = x[0]

        with one_blas_thread(size > 1):
            sweep(by_point, size)
        return out

    def _draw_sparse(
        self, rest: SparseRest, lambdas: Blocks, v: Floats, noise: Blocks | None
    ) -> Blocks:
        e, size = self.system.layout.eliminated, len(v)
        own = np.empty((size, *self.system.moments.sizes[e]))
        others = np.empty((size, self.system.layout.q))
        given, others_given = own[:0], others[:0]
        if noise is not None:
            given = noise[e]
            users = [noise[i].reshape(size, -1) for i in self.system.layout.rest]
            others_given = np.ascontiguousarray(np.concatenate(users, axis=1)[:, rest.order])
        batch, lam, stack = self.batch(rest), np.array(lambdas[e]), self.system.stack(lambdas)

        def compiled(a: int, b: int) -> None:
            draw_sparse(
                *batch, lam[a:b], stack[a:b], v[a:b], given[a:b], others_given[a:b],
                own[a:b], others[a:b],
            )  # fmt: skip

        sweep(compiled, size, int(WORTH / self.seconds) + 1)
        parts = self.system.split(np.ascontiguousarray(others.T)) | {e: own}
        return tuple(
            parts[i] if i == e else np.moveaxis(parts[i], -1, 0) for i in range(len(parts))
        )

    def batch(self, rest: SparseRest) -> tuple[Any, ...]:
        """What the compiled loops take of the design."""
        plan, m = self.system.layout, self.system.moments
        e, border = plan.eliminated, plan.border
        return (
            m.zz[e],
            m.zf[e],
            self.system.join(m.zf),
            (border.start, self.system.column, border.node, border.block, border.value),
            plan.pairs.arrays,
            (rest.border_place, rest.rest_place, rest.diagonal),
            self._order,
            plan.sizes,
            rest.pattern,
        )

    @cached_property
    def _order(self) -> tuple[Ints, Ints, Ints]:
        """Block, columns of the same level and place within it, in factoring order."""
        plan = self.system.layout
        widest = int(plan.sizes.max())
        block = np.repeat(np.arange(len(plan.rest)), np.diff(plan.first))
        offset = (np.arange(plan.q) - plan.first[block]) % plan.sizes[block]
        members = (np.arange(plan.q) - offset)[:, None] + np.arange(widest)
        members = self.system.position[np.minimum(members, plan.q - 1)]
        order = self.system.rest.order
        return block[order], members[order], offset[order]


def crossed(m: Moments, rest: str | None = None, kin: Kin = NO_KIN) -> Crossed:
    """Do the symbolic work for several factors.

    Parameters
    ----------
    m : Moments
    rest : {"dense", "sparse"}, optional
        How the Schur complement is held; by what costs less where not given.
    kin : mapping of int to Precision
        Prior precisions of levels that aren't independent, by block.
    """
    plan = layout(m, kin)
    found: DenseRest | SparseRest | None = None
    if rest != "dense" and not (rest is None and _hopeless(plan)):
        pattern = pattern_of(plan)
        room = fits_memory(8.0 * plan.q**2)
        if rest == "sparse" or _sparse_pays(plan.q, pattern) or not room:
            found = _sparse(plan, pattern)
    if found is None:
        check_dense_complement(plan.q)
        found = dense_rest(plan)
    return Crossed(CrossedSystem(m, plan, found), kin)


def _sparse(plan: Layout, pattern: Pattern) -> SparseRest | None:
    """The sparse form, where the machine has room for its factor."""
    return sparse_rest(plan, pattern) if fits_memory(12.0 * pattern.nnz) else None


def _hopeless(plan: Layout) -> bool:
    """Whether S has so many products that nobody need ask for its pattern."""
    counts = np.diff(plan.border.start).astype(np.float64)
    return plan.q > SMALL and float(np.sum(counts**2)) > 0.1 * plan.q**2


def _sparse_pays(q: int, pattern: Pattern) -> bool:
    """Seconds by sparse and dense factorisation, and a call's overhead of the latter."""
    sparse = pattern.flops / SPARSE_SPEED
    return sparse < q**3 / 3 / DENSE_SPEED + OVERHEAD

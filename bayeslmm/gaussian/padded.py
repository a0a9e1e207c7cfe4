"""Designs all of whose factors' levels depend on each other: an empty factor is eliminated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.crossed import Crossed, crossed
from bayeslmm.gaussian.layout import Kin
from bayeslmm.gaussian.moments import Moments, Pairs
from bayeslmm.gaussian.solver import Blocks, Combinations, Inverse, Point, Reduced, Slopes

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Padded:
    """A solver of several factors, the last of which is one level of nothing.

    Attributes
    ----------
    inner : Crossed
    """

    inner: Crossed

    @property
    def seconds(self) -> float:
        return self.inner.seconds

    def with_moments(self, m: Moments) -> Padded:
        """The same for other moments of this pattern."""
        return Padded(self.inner.with_moments(_with_nothing(m)))

    def reduce(self, lambdas: Blocks) -> Reduced:
        return self.inner.reduce((*lambdas, np.zeros((len(lambdas[0]), 1, 1))))

    def point(self, lambdas: Blocks) -> PaddedPoint:
        return PaddedPoint(self.inner.point((*lambdas, np.zeros((1, 1)))))

    def draw(self, lambdas: Blocks, outer: Blocks, v: Floats, noise: Blocks | None) -> Blocks:
        size = len(v)
        nothing = np.zeros((size, 1, 1))
        given = None if noise is None else (*noise, nothing)
        return self.inner.draw((*lambdas, nothing), (*outer, nothing), v, given)[:-1]


@dataclass(frozen=True, eq=False)
class PaddedPoint:
    """The same at one point."""

    inner: Point

    @cached_property
    def reduced(self) -> Reduced:
        return self.inner.reduced

    def slopes(self, weights: Floats) -> Slopes:
        found = self.inner.slopes(weights)
        return Slopes(found.log_det[:-1], found.tails[:-1])

    def inverse(self) -> Inverse:
        found = self.inner.inverse()
        return Inverse(found.own[:-1], found.solutions[:-1])

    def draw(self, outer: Blocks, v: Floats, noise: Blocks | None) -> Blocks:
        given = None if noise is None else (*noise, np.zeros((len(v), 1, 1)))
        return self.inner.draw((*outer, np.zeros((1, 1))), v, given)[:-1]

    def variance(self, random: Combinations) -> Floats:
        count = len(random[0][0])
        return self.inner.variance(
            (*random, (np.full(count, -1, dtype=np.intp), np.zeros((count, 1))))
        )


def padded(m: Moments, kin: Kin) -> Padded:
    """The solver of factors none of which can be eliminated."""
    return Padded(crossed(_with_nothing(m), kin=kin))


def _with_nothing(m: Moments) -> Moments:
    """Moments with one more factor, of one level, whose covariate is zero everywhere."""
    last = len(m.zz)
    pairs = tuple(
        Pairs(
            a,
            last,
            np.zeros(levels + 1, dtype=np.int64),
            np.empty(0, dtype=np.int64),
            np.empty((0, k, 1)),
        )
        for a, (levels, k) in enumerate(m.sizes)
    )
    return replace(
        m,
        zz=(*m.zz, np.zeros((1, 1, 1))),
        zf=(*m.zf, np.zeros((1, 1, len(m.ff)))),
        pairs=(*m.pairs, *pairs),
    )

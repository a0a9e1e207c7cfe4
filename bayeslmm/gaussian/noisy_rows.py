"""A model's rows in the order of its residuals' groups, and their moments at any point of the
residuals' structure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.coordinates import Coordinates, coordinates
from bayeslmm.gaussian.moments import Moments, Pairs
from bayeslmm.gaussian.noise import Noise
from bayeslmm.linalg.products import pair_pattern, pair_products
from bayeslmm.linalg.wide import factor_tables, fixed_table
from bayeslmm.model import Model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class NoisyRows:
    """A model's rows in the order of its residuals' groups.

    Attributes
    ----------
    noise : Noise
    columns : ndarray of intp, shape (p,)
        The fixed columns that are taken.
    about : Coordinates
    X, y : ndarray, shapes (n, p) and (n,)
        The response without its offset.
    codes : tuple of ndarray of int64, each of shape (n,)
    values : tuple of ndarray, each of shape (n, k)
    levels : tuple of int
    """

    noise: Noise
    columns: NDArray[np.intp]
    about: Coordinates
    X: Floats
    y: Floats
    codes: tuple[Ints, ...]
    values: tuple[Floats, ...]
    levels: tuple[int, ...]

    @cached_property
    def nested(self) -> bool:
        """Whether the residuals that correlate are of one level of every factor."""
        residual = self.noise.residual
        if residual.known is not None:
            return not self.codes
        if residual.correlated is None:
            return True
        starts = self.noise.starts
        return all(bool(np.all(starts[1:] | (c[1:] == c[:-1]))) for c in self.codes)

    @cached_property
    def inner(self) -> Floats:
        """Fixed columns and response in the room's coordinates, shape (n, m)."""
        return np.column_stack([self.X @ self.about.T, self.y - self.X @ self.about.shift])

    @cached_property
    def inner_table(self) -> Floats:
        """The same and the covariates, in the room's coordinates, shape (n, m + k)."""
        covariates = [z @ C for z, C in zip(self.values, self.about.blocks, strict=True)]
        return np.ascontiguousarray(np.column_stack([self.inner, *covariates]))

    @cached_property
    def table(self) -> Floats:
        """X, y and the covariates beside each other, shape (n, c)."""
        return np.ascontiguousarray(np.column_stack([self.X, self.y, *self.values]))

    def moments(self, delta: Floats) -> tuple[Floats, list[Moments]]:
        """log|L|, shape (S,), and the moments at S points."""
        log_det, white = self.noise.whiten(delta, self.table)
        if self.nested:
            return log_det, [self._of_white(one) for one in white]
        p = self.X.shape[1] + 1
        return log_det, [
            self._of_entries(weights, one[:, :p])
            for weights, one in zip(self.noise.precision(delta), white, strict=True)
        ]

    def _of_white(self, white: Floats) -> Moments:
        """Products of independent rows."""
        p = self.X.shape[1]
        ends = np.cumsum([p + 1, *(v.shape[1] for v in self.values)])
        ones, zeros = np.ones(len(white)), np.zeros(len(white))
        about = self.about
        X, y = np.ascontiguousarray(white[:, :p]), np.ascontiguousarray(white[:, p])
        values = [np.ascontiguousarray(white[:, a:b]) for a, b in pairwise(ends)]
        own = [
            factor_tables(codes, z, C, X, y, zeros, ones, about.T, about.shift, levels)
            for codes, z, C, levels in zip(
                self.codes, values, about.blocks, self.levels, strict=True
            )
        ]
        pairs = []
        for (i, j), (start, other, place) in self._rows_met.items():
            C_i, C_j = about.blocks[i], about.blocks[j]
            found = pair_products(place, values[i], C_i, values[j], C_j, ones, len(other))
            pairs.append(Pairs(i, j, start, other, found))
        ff = fixed_table(X, y, zeros, ones, about.T, about.shift)
        return self._moments(own, pairs, ff)

    @cached_property
    def _rows_met(self) -> dict[tuple[int, int], tuple[Ints, Ints, Ints]]:
        ones = np.ones(len(self.y))
        return {
            (i, j): pair_pattern(self.codes[i], self.codes[j], ones, self.levels[i], self.levels[j])
            for i in range(len(self.codes))
            for j in range(i + 1, len(self.codes))
        }

    def _of_entries(self, weights: Floats, fixed: Floats) -> Moments:
        """Products over every two rows whose residuals depend on each other.

        `fixed` are whitened X and y.
        """
        i, j = self.noise.pattern
        about, p = self.about, self.X.shape[1]
        zeros, ones = np.zeros(len(fixed)), np.ones(len(fixed))
        X, y = np.ascontiguousarray(fixed[:, :p]), np.ascontiguousarray(fixed[:, p])
        ff = fixed_table(X, y, zeros, ones, about.T, about.shift)
        rows = self.inner[j]
        unit = np.eye(rows.shape[1])
        own = []
        for codes, z, C, levels in zip(
            self.codes, self.values, about.blocks, self.levels, strict=True
        ):
            left, right = z[i], z[j]
            same = np.where(codes[i] == codes[j], codes[i], -1)
            own.append(
                (
                    pair_products(same, left, C, right, C, weights, levels),
                    pair_products(codes[i], left, C, rows, unit, weights, levels),
                )
            )
        pairs = []
        for (a, b), (start, other, place) in self._entries_met.items():
            C_a, C_b = about.blocks[a], about.blocks[b]
            left, right = self.values[a][i], self.values[b][j]
            found = pair_products(place, left, C_a, right, C_b, weights, len(other))
            pairs.append(Pairs(a, b, start, other, found))
        return self._moments(own, pairs, ff)

    @cached_property
    def _entries_met(self) -> dict[tuple[int, int], tuple[Ints, Ints, Ints]]:
        """For every two factors the levels that meet in an entry; of one factor, those that
        differ, the lower before the higher."""
        i, j = self.noise.pattern
        out = {}
        for a in range(len(self.codes)):
            for b in range(a, len(self.codes)):
                left, right = self.codes[a][i], self.codes[b][j]
                taken = np.ones(len(i))
                if a == b:
                    taken[left >= right] = 0.0
                    if not taken.any():
                        continue
                out[a, b] = pair_pattern(left, right, taken, self.levels[a], self.levels[b])
        return out

    def _moments(self, own: list[tuple[Floats, Floats]], pairs: list[Pairs], ff: Floats) -> Moments:
        return Moments(
            n=len(self.y),
            sum_log_weight=0.0,
            columns=self.columns,
            coordinates=self.about,
            zz=tuple(zz for zz, _ in own),
            zf=tuple(zf for _, zf in own),
            pairs=tuple(pairs),
            ff=ff,
        )


def noisy_rows(model: Model, columns: NDArray[np.intp], noise: Noise) -> NoisyRows:
    """A model's rows, with the fixed columns that are taken."""
    design, rows = model.design, noise.rows
    return NoisyRows(
        noise,
        columns,
        coordinates(model, columns),
        np.ascontiguousarray(design.X[np.ix_(rows, columns)]),
        np.ascontiguousarray((design.y - design.rows.offset)[rows]),
        tuple(np.ascontiguousarray(b.codes[rows], dtype=np.int64) for b in design.blocks),
        tuple(np.ascontiguousarray(b.values[rows]) for b in design.blocks),
        tuple(b.n_levels for b in design.blocks),
    )

"""Weighted cross-products of [Z X y]: the data, read once.

`A = [Z X y]' W [Z X y]` by blocks of grouping factors, in the room's coordinates. After this
nothing costs in the number of rows. Moments of disjoint rows over the same levels add up
(Chan, Golub & LeVeque, 1983, Am. Stat. 37(3)): data can come in pieces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslmm.errors import ModelError
from bayeslmm.gaussian.coordinates import Coordinates, coordinates, fixed_rows
from bayeslmm.linalg.products import pair_pattern, pair_products
from bayeslmm.linalg.wide import factor_tables, fixed_table
from bayeslmm.model import Model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Products of two factors, a before b, by pair of levels that meet in some row.

    Attributes
    ----------
    a, b : int
        Blocks of the design.
    start : ndarray of int64, shape (J_a + 1,)
        Where each level of a has its pairs.
    other : ndarray of int64, shape (pairs,)
        The level of b, ascending within a level of a.
    values : ndarray, shape (pairs, k_a, k_b)
    """

    a: int
    b: int
    start: Ints
    other: Ints
    values: Floats

    @property
    def rows(self) -> Ints:
        """The level of a of each pair, shape (pairs,)."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Cross-products of a model's rows: J levels of k coefficients a factor, p fixed columns
    and the response, m = p + 1 numbers in a row `f`.

    Attributes
    ----------
    n : int
        Rows of positive weight.
    sum_log_weight : float
    columns : ndarray of intp, shape (p,)
        Which of the design's fixed columns these are.
    coordinates : Coordinates
    zz : tuple of ndarray, each of shape (J, k, k)
    zf : tuple of ndarray, each of shape (J, k, m)
    pairs : tuple of Pairs
        For every two factors, a < b.
    ff : ndarray, shape (m, m)
    """

    n: int
    sum_log_weight: float
    columns: NDArray[np.intp]
    coordinates: Coordinates
    zz: tuple[Floats, ...]
    zf: tuple[Floats, ...]
    pairs: tuple[Pairs, ...]
    ff: Floats

    @property
    def p(self) -> int:
        """Fixed columns."""
        return len(self.columns)

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """(J, k) of every factor."""
        return tuple((z.shape[0], z.shape[1]) for z in self.zz)

    @property
    def q(self) -> int:
        """Random columns."""
        return sum(levels * k for levels, k in self.sizes)

    def __add__(self, other: Moments) -> Moments:
        """The moments of both sets of rows, in this one's coordinates.

        Both must be of one model's design: the same fixed columns and levels.

        Raises
        ------
        ModelError
            They are not.
        """
        if self.sizes != other.sizes or not np.array_equal(self.columns, other.columns):
            raise ModelError(
                "Only moments of the same design add up",
                got=f"{other.sizes} levels and coefficients, fixed columns {other.columns}",
                allowed=f"{self.sizes}, {self.columns}",
            )
        moved = other.expressed_in(self.coordinates)
        return replace(
            self,
            n=self.n + other.n,
            sum_log_weight=self.sum_log_weight + other.sum_log_weight,
            zz=tuple(x + y for x, y in zip(self.zz, moved.zz, strict=True)),
            zf=tuple(x + y for x, y in zip(self.zf, moved.zf, strict=True)),
            pairs=tuple(_merge(x, y) for x, y in zip(self.pairs, moved.pairs, strict=True)),
            ff=self.ff + moved.ff,
        )

    def expressed_in(self, other: Coordinates) -> Moments:
        """The same rows' moments in other coordinates."""
        own = self.coordinates
        p = self.p
        # f_other' = f_own' @ move: columns by T⁻¹ T', the response by the shifts' difference.
        move = np.eye(p + 1)
        move[:p, :p] = np.linalg.solve(own.T, other.T)
        move[:p, p] = np.linalg.solve(own.T, own.shift - other.shift)
        maps = [np.linalg.solve(c, d) for c, d in zip(own.blocks, other.blocks, strict=True)]
        return replace(
            self,
            coordinates=other,
            zz=tuple(m.T @ z @ m for m, z in zip(maps, self.zz, strict=True)),
            zf=tuple(m.T @ z @ move for m, z in zip(maps, self.zf, strict=True)),
            pairs=tuple(replace(x, values=maps[x.a].T @ x.values @ maps[x.b]) for x in self.pairs),
            ff=move.T @ self.ff @ move,
        )


def moments(
    model: Model,
    columns: tuple[int, ...] | None = None,
    *,
    rows: slice | None = None,
    about: Coordinates | None = None,
) -> Moments:
    """The moments of a Gaussian model.

    Parameters
    ----------
    model : Model
    columns : tuple of int, optional
        The fixed columns to take (all, if not given): the unaliased ones for REML.
    rows : slice, optional
        A piece of the rows; moments of disjoint pieces add up to the whole's.
    about : Coordinates, optional
        The coordinates; the model's own where not given.
    """
    design = model.design
    kept = np.arange(design.p) if columns is None else np.asarray(columns, dtype=np.intp)
    about = coordinates(model, kept) if about is None else about
    taken = slice(None) if rows is None else rows
    X, y, offset, w = (part[taken] for part in fixed_rows(model, kept))
    fixed = (X, y, offset, w, about.T, about.shift)
    blocks = [
        (
            np.ascontiguousarray(b.codes[taken], dtype=np.int64),
            np.ascontiguousarray(b.values[taken]),
        )
        for b in design.blocks
    ]
    own = [
        factor_tables(codes, values, C, X, y, offset, w, about.T, about.shift, b.n_levels)
        for (codes, values), C, b in zip(blocks, about.blocks, design.blocks, strict=True)
    ]
    pairs = []
    for i, (codes_a, values_a) in enumerate(blocks):
        for j in range(i + 1, len(blocks)):
            codes_b, values_b = blocks[j]
            levels = design.blocks[i].n_levels, design.blocks[j].n_levels
            start, other, place = pair_pattern(codes_a, codes_b, w, *levels)
            maps = about.blocks[i], about.blocks[j]
            values = pair_products(place, values_a, maps[0], values_b, maps[1], w, len(other))
            pairs.append(Pairs(i, j, start, other, values))
    positive = w[w > 0] if np.any(w <= 0) else w
    return Moments(
        n=len(positive),
        sum_log_weight=float(np.log(positive).sum()),
        columns=kept,
        coordinates=about,
        zz=tuple(zz for zz, _ in own),
        zf=tuple(zf for _, zf in own),
        pairs=tuple(pairs),
        ff=fixed_table(*fixed),
    )


def _merge(x: Pairs, y: Pairs) -> Pairs:
    """The sum of two sets of products over the same factors."""
    width = int(max(x.other.max(initial=-1), y.other.max(initial=-1))) + 1
    keys = np.concatenate([p.rows * width + p.other for p in (x, y)])
    unique, place = np.unique(keys, return_inverse=True)
    values = np.zeros((len(unique), *x.values.shape[1:]))
    np.add.at(values, place, np.concatenate([x.values, y.values]))
    counts = np.bincount(unique // max(width, 1), minlength=len(x.start) - 1)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Pairs(x.a, x.b, start, unique % max(width, 1), values)

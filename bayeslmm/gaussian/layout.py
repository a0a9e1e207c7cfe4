"""Elimination order and sparsity pattern of the cross-products of several factors.

All of it is symbolic or constant: done once, before any Lambda is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import Precision
from bayeslmm.gaussian.moments import Moments, Pairs
from bayeslmm.linalg.crossed import border_keys

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Kin = Mapping[int, Precision]  # by block of the design, of its levels
NO_KIN: Kin = {}


@dataclass(frozen=True, slots=True, eq=False)
class Border:
    """What the eliminated levels share with the rest, an entry for each level and column.

    Attributes
    ----------
    start : ndarray, shape (J + 1,)
    column, node, block : ndarray, shape (h,)
        The rest's column (in users' order), the first entry of the same two levels, and the
        place of the column's factor among the rest.
    value : ndarray, shape (h, k)
    order : ndarray, shape (h,)
        From the products of the factors, one after the other, to the entries.
    """

    start: Ints
    column: Ints
    node: Ints
    block: Ints
    value: Floats
    order: Ints


@dataclass(frozen=True, slots=True, eq=False)
class RestPairs:
    """Products among the rest's own levels, two levels at a time.

    Attributes
    ----------
    column_a, column_b, block_a, block_b : ndarray, shape (r,)
    start : ndarray, shape (r + 1,)
    value : ndarray
    rows, columns : ndarray, shape of value
        The rest's columns that each value is of.
    """

    column_a: Ints
    column_b: Ints
    block_a: Ints
    block_b: Ints
    start: Ints
    value: Floats
    rows: Ints
    columns: Ints

    @property
    def arrays(self) -> tuple[Ints, Ints, Ints, Ints, Ints, Floats]:
        """As the kernels take them."""
        places = self.column_a, self.column_b, self.block_a, self.block_b
        return *places, self.start, self.value

    @property
    def own_upper(self) -> NDArray[np.bool_]:
        """Values of the upper half of a level's own block, which the lower half repeats."""
        same = np.repeat(self.column_a == self.column_b, np.diff(self.start))
        return same & (self.columns > self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class PriorPrecision:
    """The prior precision of the rest's b, its lower triangle: ones on the diagonal where levels
    are independent.

    Attributes
    ----------
    rows, columns : ndarray, shape (e,)
        rows >= columns, among the rest's columns in users' order.
    values : ndarray, shape (e,)
    shift : float
        What log|L_Z| gains: minus half the log determinant.
    """

    rows: Ints
    columns: Ints
    values: Floats
    shift: float


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The eliminated factor and the rest.

    Attributes
    ----------
    eliminated : int
        Its block of the design.
    rest : tuple of int
        The other blocks.
    first : ndarray, shape (len(rest) + 1,)
        The first column of each among the rest's q columns, and q.
    sizes : ndarray, shape (len(rest),)
        Coefficients a level of each.
    border : Border
    pairs : RestPairs
    prior : PriorPrecision
    """

    eliminated: int
    rest: tuple[int, ...]
    first: Ints
    sizes: Ints
    border: Border
    pairs: RestPairs
    prior: PriorPrecision

    @property
    def q(self) -> int:
        """Columns of the rest."""
        return int(self.first[-1])

    def keys(self) -> tuple[Ints, Ints, Ints]:
        """Where the products of border entries, of rest values and of the prior belong in the
        lower triangle of S: column * q + row."""
        q = self.q
        products = border_keys(self.border.start, self.border.column, q)
        rows, columns = self.pairs.rows, self.pairs.columns
        among = np.minimum(rows, columns) * q + np.maximum(rows, columns)
        return products, among, self.prior.columns * q + self.prior.rows


def layout(m: Moments, kin: Kin = NO_KIN) -> Layout:
    """Eliminate the factor with most columns; the others in the design's order.

    Factors whose levels depend on each other, by `kin` or in the moments, can't be eliminated.
    """
    bound = {x.a for x in m.pairs if x.a == x.b} | set(kin)
    widths = [levels * k for levels, k in m.sizes]
    free = [-1 if i in bound else width for i, width in enumerate(widths)]
    eliminated = int(np.argmax(free))
    rest = tuple(i for i in range(len(widths)) if i != eliminated)
    first = np.concatenate([[0], np.cumsum([widths[i] for i in rest])]).astype(np.int64)
    sizes = np.array([m.sizes[i][1] for i in rest], dtype=np.int64)
    border = _border(m, eliminated, rest, first)
    pairs = _rest_pairs(m, rest, first)
    return Layout(eliminated, rest, first, sizes, border, pairs, _prior(m, rest, first, kin))


def with_values(plan: Layout, m: Moments) -> Layout:
    """The same for other moments of this pattern."""
    value = np.concatenate(_border_values(m, plan.eliminated, plan.rest))[plan.border.order]
    border = replace(plan.border, value=np.ascontiguousarray(value))
    among = np.concatenate([v.ravel() for v in _rest_values(m, plan.rest)])
    return replace(plan, border=border, pairs=replace(plan.pairs, value=among))


def _border_values(m: Moments, eliminated: int, rest: tuple[int, ...]) -> list[Floats]:
    """Products of the eliminated factor with each of the others, shape (entries, k)."""
    k, out = m.sizes[eliminated][1], []
    for other in rest:
        pairs = next(x for x in m.pairs if {x.a, x.b} == {eliminated, other})
        out.append(_oriented(pairs, eliminated)[2].swapaxes(1, 2).reshape(-1, k))
    return out


def _rest_values(m: Moments, rest: tuple[int, ...]) -> list[Floats]:
    """The rest's own products, and those of two levels."""
    pairs = [x.values for x in m.pairs if x.a in rest and x.b in rest]
    return [*(m.zz[block] for block in rest), *pairs]


def _prior(m: Moments, rest: tuple[int, ...], first: Ints, kin: Kin) -> PriorPrecision:
    rows, columns, values, shift = [], [], [], 0.0
    for place, block in enumerate(rest):
        levels, k = m.sizes[block]
        if block not in kin:
            own = first[place] + np.arange(levels * k)
            rows.append(own)
            columns.append(own)
            values.append(np.ones(len(own)))
            continue
        known = kin[block]
        for c in range(k):
            rows.append(first[place] + k * known.rows + c)
            columns.append(first[place] + k * known.columns + c)
            values.append(known.values)
        shift -= 0.5 * k * known.log_det
    joined = [np.concatenate(x) for x in (rows, columns, values)]
    return PriorPrecision(joined[0].astype(np.int64), joined[1].astype(np.int64), joined[2], shift)


def _oriented(pairs: Pairs, a: int) -> tuple[Ints, Ints, Floats]:
    """Levels of a, levels of the other, values (pairs, k_a, k_other)."""
    if pairs.a == a:
        return pairs.rows, pairs.other, pairs.values
    return pairs.other, pairs.rows, pairs.values.swapaxes(1, 2)


def _border(m: Moments, eliminated: int, rest: tuple[int, ...], first: Ints) -> Border:
    n_levels, _ = m.sizes[eliminated]
    level, column, within, block = [], [], [], []
    for place, other in enumerate(rest):
        pairs = next(x for x in m.pairs if {x.a, x.b} == {eliminated, other})
        rows, levels, _ = _oriented(pairs, eliminated)
        width = m.sizes[other][1]
        offset = np.tile(np.arange(width), len(rows))
        level.append(np.repeat(rows, width))
        within.append(offset)
        column.append(first[place] + np.repeat(levels * width, width) + offset)
        block.append(np.full(len(offset), place))
    levels_ = np.concatenate(level)
    columns = np.concatenate(column)
    order = np.lexsort((columns, levels_))
    offset = np.concatenate(within)[order]
    count = np.bincount(levels_, minlength=n_levels)
    return Border(
        start=np.concatenate([[0], np.cumsum(count)]).astype(np.int64),
        column=columns[order],
        node=np.arange(len(order)) - offset,
        block=np.concatenate(block)[order],
        value=np.ascontiguousarray(np.concatenate(_border_values(m, eliminated, rest))[order]),
        order=order,
    )


def _rest_pairs(m: Moments, rest: tuple[int, ...], first: Ints) -> RestPairs:
    parts = []
    for place, block in enumerate(rest):
        n_levels, k = m.sizes[block]
        column = first[place] + k * np.arange(n_levels)
        parts.append((column, column, place, place, m.zz[block]))
    for pairs in m.pairs:
        if pairs.a in rest and pairs.b in rest:
            a, b = rest.index(pairs.a), rest.index(pairs.b)
            k_a, k_b = pairs.values.shape[1:]
            column_a, column_b = first[a] + k_a * pairs.rows, first[b] + k_b * pairs.other
            parts.append((column_a, column_b, a, b, pairs.values))
    sizes = np.concatenate([np.full(len(v), v[0].size if len(v) else 0) for *_, v in parts])
    within = [np.indices(v.shape) for *_, v in parts]  # places only: values may be NaN far out
    rows = [a[:, None, None] + at[1] for (a, *_), at in zip(parts, within, strict=True)]
    columns = [b[:, None, None] + at[2] for (_, b, *_), at in zip(parts, within, strict=True)]
    return RestPairs(
        column_a=np.concatenate([a for a, *_ in parts]),
        column_b=np.concatenate([b for _, b, *_ in parts]),
        block_a=np.concatenate([np.full(len(a), i) for a, _, i, _, _ in parts]),
        block_b=np.concatenate([np.full(len(a), i) for a, _, _, i, _ in parts]),
        start=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        value=np.concatenate([v.ravel() for *_, v in parts]),
        rows=np.concatenate([r.ravel() for r in rows]).astype(np.int64),
        columns=np.concatenate([c.ravel() for c in columns]).astype(np.int64),
    )

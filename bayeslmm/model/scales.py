"""How far columns reach and how much they vary, read in one pass where they are long.

Long columns are read in stretches that stay in the processor's cache, so that nothing as long as
the data is made on the way. Sums of squares are of deviations from each stretch's own mean, put
together as Chan, Golub and LeVeque (1983, The American Statistician 37, 242-247) do it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.design import Design
from bayeslmm.linalg.few_rows import sample

Floats = NDArray[np.float64]
STRETCH = 16_384
_SAMPLE = 10_000


@dataclass(frozen=True, slots=True)
class Extent:
    """Least and greatest value and standard deviation of each column, each of shape (p,)."""

    low: Floats
    high: Floats
    sd: Floats

    @property
    def size(self) -> Floats:
        """Greatest absolute value of each column."""
        return np.maximum(-self.low, self.high)

    @property
    def scale(self) -> Floats:
        """The standard deviation, 1 for a constant column."""
        return np.where(self.sd > 1e-12 * self.size, self.sd, 1.0)


def extents(design: Design) -> tuple[Extent, tuple[Extent, ...]]:
    """Those of the fixed columns, and of each block's; columns that are shared are read once."""
    arrays = {id(values): values for values in (design.X, *(b.values for b in design.blocks))}
    found = {key: extent(values) for key, values in arrays.items()}
    return found[id(design.X)], tuple(found[id(block.values)] for block in design.blocks)


@np.errstate(over="ignore", invalid="ignore")  # columns of such sizes raise an error by name
def extent(columns: Floats) -> Extent:
    """How far the columns of an (n, p) array reach; one row has the standard deviation 0."""
    n, p = columns.shape
    if n <= STRETCH:
        sd = columns.std(axis=0, ddof=1) if n > 1 else np.zeros(p)
        return Extent(columns.min(axis=0), columns.max(axis=0), sd)
    low, high = np.full(p, np.inf), np.full(p, -np.inf)
    count, mean, squares = 0, np.zeros(p), np.zeros(p)
    for part in _stretches(n):
        rows = np.ascontiguousarray(columns[part].T)
        low, high = np.minimum(low, rows.min(axis=1)), np.maximum(high, rows.max(axis=1))
        here = rows.shape[1]
        own = rows.mean(axis=1)
        rows = rows - own[:, None]
        shift = own - mean
        between = shift * (count * here / (count + here)) * shift
        squares += np.einsum("ij,ij->i", rows, rows) + between
        mean += shift * (here / (count + here))
        count += here
    return Extent(low, high, np.sqrt(squares / (n - 1)))


def median(values: Floats, around: float | None = None) -> float:
    """The median of `values`, or of their distances from `around`; exactly numpy's.

    Of many values the median is looked for between two order statistics of a sample that are
    four standard errors of its rank to either side (Floyd and Rivest, 1975, Communications of
    the ACM 18, 165-172), so that only the few in between have to be put in order.
    """
    n = len(values)
    if n < 5 * _SAMPLE:
        return float(np.median(_distances(values, around)))
    drawn = np.sort(_distances(values[sample(n, _SAMPLE)], around))
    middle, reach = len(drawn) // 2, int(2 * np.sqrt(len(drawn)))
    low, high = drawn[middle - reach], drawn[middle + reach]
    below, between = 0, []
    for part in _stretches(n):
        here = _distances(values[part], around)
        below += int(np.count_nonzero(here < low))
        between.append(here[(here >= low) & (here <= high)])
    inside = np.concatenate(between)
    first, last = (n - 1) // 2 - below, n // 2 - below
    if first < 0 or last >= len(inside):  # the sample was unlike the rest
        return float(np.median(_distances(values, around)))
    inside.partition((first, last))
    return float(inside[first : last + 1].mean())


def _distances(values: Floats, around: float | None) -> Floats:
    return values if around is None else np.abs(values - around)


def _stretches(n: int) -> Iterator[slice]:
    return (slice(start, start + STRETCH) for start in range(0, n, STRETCH))

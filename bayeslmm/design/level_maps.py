"""Fixed columns as combinations of a factor's covariates, level by level.

Within one level of a grouping factor some columns of the table are constant (a child's sex, a
school's type). With those held at the level's values, each fixed column is a function of what
still varies, and so is each random-effect covariate. A fixed column that is a linear combination
of the covariates,

    x_i = sum_k z_k m_ki    for all values of what varies within levels,

adds `m_i beta_i` to the level's own coefficients, so that its linear predictor is

    z'(M_j beta + u_j) + (the fixed columns that are no such combination).

The combinations are found from the numbers of the columns, not from their names: `Sex[Male]` is
`Intercept` for boys and nothing for girls, `age:Sex[Male]` is `age` for boys, and `center(x)` is
`x` less its mean times `Intercept`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.design.crossing import covariate_columns, crossed_values
from bayeslmm.design.design import Design
from bayeslmm.design.normal import Columns
from bayeslmm.design.rank import aliasing
from bayeslmm.design.types import Floats
from bayeslmm.errors import BayeslmmError

Codes = NDArray[np.intp]
EACH = 40  # values of each varying column at which columns are compared
SAME = 1e-9  # relative difference of columns that are one
WORKING = 5_000_000  # numbers of a batch


@dataclass(frozen=True, slots=True, eq=False)
class LevelMaps:
    """The matrices that take beta to each level's own coefficients.

    Attributes
    ----------
    maps : ndarray, shape (H, k, p)
        One for each combination of values of the level-constant columns.
    which : ndarray of intp, shape (J,)
        The combination of each level.
    included : ndarray of bool, shape (p,)
        Fixed columns that are combinations of the covariates in every level; the others are
        zero in all maps.
    """

    maps: Floats
    which: Codes
    included: NDArray[np.bool_]

    def population(self, beta: Floats) -> Floats:
        """`M_j beta` of every level, shape (..., J, k), from beta of shape (..., p)."""
        found = np.einsum("hkp,...p->...hk", self.maps, beta)
        return np.asarray(found[..., self.which, :])

    def columns(self, chosen: Sequence[int]) -> LevelMaps:
        """The same for some of the fixed columns."""
        taken = list(chosen)
        return replace(self, maps=self.maps[:, :, taken], included=self.included[taken])


def level_maps(design: Design, index: int) -> LevelMaps:
    """How the fixed columns enter the own coefficients of the levels of one block.

    A level without rows has no values of its own: only columns that enter all levels alike are
    counted for it.

    Parameters
    ----------
    design : Design
    index : int
        Which of its blocks.
    """
    block = design.blocks[index]
    names = covariate_columns(design, [block.group])
    first, present = _first_rows(block.codes, block.n_levels)
    held, free = _split(design.columns, names, block.codes, first)
    which = np.zeros(block.n_levels, dtype=np.intp)
    which[present], representatives = _combinations(design.columns, held, first[present])
    maps = np.zeros((len(representatives), block.n_coefs, design.p))
    included = np.ones(design.p, dtype=bool)
    same = _equal_columns(design.X, block.values)
    for chosen, X, Z in _tables(design, index, held, free, representatives):
        for h, x, z in zip(chosen, X, Z, strict=True):
            maps[h], inside = _solve(x, z, block.coefs, same)
            included &= inside
    maps[:, :, ~included] = 0.0
    if not present.all():
        alike = np.ptp(maps, axis=0).max(axis=0) == 0
        maps = np.concatenate([maps, np.where(alike, maps[:1], 0.0)])
        which[~present] = len(maps) - 1
    return LevelMaps(maps, which, included)


def _first_rows(codes: Codes, levels: int) -> tuple[Codes, NDArray[np.bool_]]:
    """A row of each level, and which levels have one."""
    first = np.full(levels, -1, dtype=np.intp)
    found, rows = np.unique(codes, return_index=True)
    first[found] = rows
    return first, first >= 0


def _split(
    columns: Columns, names: Sequence[str], codes: Codes, first: Codes
) -> tuple[list[str], list[str]]:
    """Columns that are constant within every level, and the others."""
    own = first[codes]
    held = [n for n in names if np.array_equal(columns[n].values, columns[n].values[own])]
    return held, [name for name in names if name not in held]


def _combinations(columns: Columns, held: Sequence[str], rows: Codes) -> tuple[Codes, Codes]:
    """The combination of held values of each of some rows, and a row of each combination."""
    key = np.zeros(len(rows), dtype=np.intp)
    for name in held:
        codes = columns[name].coded[1][rows]
        key = pd.factorize(key * (int(codes.max(initial=0)) + 1) + codes)[0]
    found, at = np.unique(key, return_index=True)
    return np.searchsorted(found, key), rows[at]


def _equal_columns(X: Floats, Z: Floats) -> dict[int, int]:
    """Fixed columns that are one of the covariates in all rows, with its place."""
    out: dict[int, int] = {}
    for c in range(Z.shape[1]):
        for i in np.flatnonzero(X[0] == Z[0, c]):
            if np.array_equal(X[:, i], Z[:, c]):
                out.setdefault(int(i), c)
    return out


def _tables(
    design: Design, index: int, held: Sequence[str], free: Sequence[str], rows: Codes
) -> Iterator[tuple[range, Sequence[Floats], Sequence[Floats]]]:
    """Fixed columns and covariates for each combination of held values, in batches.

    What varies within levels takes the values of rows of the whole table, beside the held values
    of the level; where the formula can't be evaluated there, those of the level's own rows.
    """
    block = design.blocks[index]
    sample = _sample(design.columns, free, block.values)
    step = max(1, WORKING // (len(sample) * (design.p + block.n_coefs)))
    for start in range(0, len(rows), step):
        chosen = range(start, min(start + step, len(rows)))
        try:
            X, Z = _evaluate(design, index, held, rows[chosen], free, sample)
        except BayeslmmError:
            own = [np.flatnonzero(block.codes == block.codes[rows[h]]) for h in chosen]
            yield chosen, [design.X[r] for r in own], [block.values[r] for r in own]
            continue
        fine = np.isfinite(X).all(axis=2) & np.isfinite(Z).all(axis=2)
        yield (
            chosen,
            [x[ok] for x, ok in zip(X, fine, strict=True)],
            [z[ok] for z, ok in zip(Z, fine, strict=True)],
        )


def _sample(columns: Columns, free: Sequence[str], Z: Floats) -> Codes:
    """Rows that show what varies: values of each column over its whole range, every category,
    and the extremes of every covariate."""
    rows = [np.zeros(1, dtype=np.intp), Z.argmax(axis=0), Z.argmin(axis=0)]
    for name in free:
        column = columns[name]
        if column.labels is not None:
            rows.append(np.unique(column.values, return_index=True)[1])
        order = np.argsort(column.values, kind="stable")
        rows.append(order[np.linspace(0, len(order) - 1, EACH).round().astype(np.intp)])
    return np.unique(np.concatenate(rows))


def _evaluate(
    design: Design,
    index: int,
    held: Sequence[str],
    holders: Codes,
    free: Sequence[str],
    sample: Codes,
) -> tuple[Floats, Floats]:
    """Fixed columns (H, S, p) and covariates (H, S, k) with held values of H rows and what
    varies of S rows."""
    H, S = len(holders), len(sample)
    taken = {name: np.repeat(holders, S) for name in held}
    taken |= {name: np.tile(sample, H) for name in free}
    X, (Z,) = crossed_values(design, taken, H * S, [index])
    return X.reshape(H, S, -1), Z.reshape(H, S, -1)


def _solve(
    X: Floats, Z: Floats, names: Sequence[str], same: dict[int, int]
) -> tuple[Floats, NDArray[np.bool_]]:
    """M with X = Z M, shape (k, p), where there is one, and for which columns.

    A column that is one of the covariates everywhere is that one. Where covariates are collinear
    within the level, the first of them are taken.
    """
    out = np.zeros((Z.shape[1], X.shape[1]))
    kept = list(aliasing(Z, names).kept)
    if kept:
        scale = np.abs(Z[:, kept]).max(axis=0)
        q, r = np.linalg.qr(Z[:, kept] / scale)
        out[kept] = np.linalg.solve(r, q.T @ X) / scale[:, None]
    size = np.abs(X).max(axis=0, initial=0.0)
    inside = np.abs(X - Z @ out).max(axis=0, initial=0.0) <= SAME * size
    for i, c in same.items():
        out[:, i], inside[i] = np.arange(len(out)) == c, True
    return _without_rounding(out, np.abs(Z).max(axis=0, initial=0.0), size), inside


def _without_rounding(maps: Floats, z_size: Floats, x_size: Floats) -> Floats:
    """Whole numbers, and zeros, where only rounding is beside them."""
    nothing = np.abs(maps) * z_size[:, None] <= 1e-13 * x_size
    whole = np.round(maps)
    near = (whole != 0) & (np.abs(maps - whole) <= 1e-12)
    return np.where(nothing, 0.0, np.where(near, whole, maps))

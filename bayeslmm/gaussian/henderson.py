"""Henderson's method 3: variance components from reductions in sums of squares.

The random terms are fitted one after the other as if they were fixed, after X. With M_i the
matrix that takes a vector to its residual on [X Z_1 .. Z_i], term i takes

    Q_i = y'(M_{i-1} - M_i)y,     E Q_i = sum_{j >= i} sigma_j² tr Z_j'(M_{i-1} - M_i)Z_j
                                          + sigma² (r_i - r_{i-1})

and what is left is E y'M_c y = sigma² (n - r_c), r_i the rank of [X Z_1 .. Z_i]. The equations
are triangular: M_i Z_j is zero for j <= i (Henderson, 1953, Biometrics 9(2); Searle, Casella &
McCulloch, 1992, sec. 5.5). In balanced designs it is the analysis of variance, and for one
random factor Henderson's method 1. Everything is read off the cross-products: the largest
factor is eliminated level by level, the rest by a Cholesky factor with pivots, which tells its
rank.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from bayeslmm.errors import IdentifiabilityError, MethodError
from bayeslmm.gaussian.moments import Moments
from bayeslmm.model import Model, Term

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DEPENDENT = 1e-10  # the share of a column's square that counts as nothing left
MOST = 8000  # columns beside the largest factor's: their products are held dense
CHUNK = 2000  # columns whose squares are taken at once


@dataclass(frozen=True, slots=True)
class Component:
    """One variance, and the columns of Z that share it.

    Attributes
    ----------
    name : str
        ``"batch:cask"``, ``"Subject[Days]"``.
    block : int
        Of the design.
    columns : tuple of int
        Of the block.
    """

    name: str
    block: int
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Reductions:
    """The table of the analysis of variance, in the order of fitting, the residual last.

    Attributes
    ----------
    sources : tuple of str
    df : ndarray, shape (c + 1,)
    squares : ndarray, shape (c + 1,)
        Sums of squares Q.
    weights : ndarray, shape (c + 1, c + 1)
        E Q = weights @ variances, upper triangular; the residual variance comes last.
    """

    sources: tuple[str, ...]
    df: Ints
    squares: Floats
    weights: Floats

    @property
    def variances(self) -> Floats:
        """The unbiased estimates, as they come out: some may be negative."""
        return np.asarray(linalg.solve_triangular(self.weights, self.squares))

    @property
    def expected(self) -> Floats:
        """Coefficients of the variances in the expected mean squares, shape (c + 1, c + 1)."""
        return np.asarray(self.weights / self.df[:, None])


def expected_text(weights: Floats, sources: tuple[str, ...]) -> str:
    """An expected mean square as it is written, what was fitted last first: ``sigma² + 2
    sigma²_batch:cask + 6 sigma²_batch``."""
    parts = ["sigma²"]
    for weight, source in zip(weights[-2::-1], sources[-2::-1], strict=True):
        if weight > 0:
            number = "" if abs(weight - 1) < 1e-6 else f"{weight:.4g} "
            parts.append(f"{number}sigma²_{source}")
    return " + ".join(parts)


def not_independent(model: Model) -> str | None:
    """Why the random part is not a sum of independent scalar variances; None where it is."""
    for term in model.terms:
        structure, k = term.structure, len(term.columns)
        scalar = k == 1 or not structure.correlated
        if not scalar or structure.name not in ("us", "diag", "id"):
            what = ", ".join(term.coefs)
            return (
                f"independent random effects, and ({what} | {term.group}) are correlated "
                f"({structure.name}); write (x || g), or use 'reml'."
            )
    return None


def components(model: Model) -> tuple[Component, ...]:
    """The variances of a model in the order of the formula's terms."""
    waiting: dict[str, list[Term]] = defaultdict(list)
    for term in model.terms:
        waiting[term.group].append(term)
    ordered = [waiting[said.group].pop(0) for said in model.design.formula.random]
    out: list[Component] = []
    for term in ordered:
        joint = len(term.structure.free_sds(len(term.columns))) < len(term.columns)
        sets = [term.columns] if joint else [(c,) for c in term.columns]
        coefs = model.design.blocks[term.block].coefs
        for columns in sets:
            names = ", ".join(coefs[c] for c in columns)
            name = term.group if names == "Intercept" else f"{term.group}[{names}]"
            out.append(Component(name, term.block, columns))
    return tuple(out)


def reductions(model: Model, m: Moments) -> Reductions:
    """Sums of squares and their expectations, from the cross-products of unaliased columns.

    Raises
    ------
    IdentifiabilityError
        A term that adds nothing to those before it, or no residual is left.
    MethodError
        Too many columns beside the largest factor's.
    """
    parts = components(model)
    products = _Products.of(m)
    rank, left = [0] * (len(parts) + 1), [np.empty(0)] * (len(parts) + 1)
    for i in range(len(parts) + 1):
        rank[i], left[i] = products.residual(parts[:i])
    df = np.array([*np.diff(rank), m.n - rank[-1]], dtype=np.int64)
    _require_degrees(parts, df)
    weights = np.zeros((len(df), len(df)))
    squares = np.empty(len(df))
    for i in range(len(parts)):
        change = left[i] - left[i + 1]
        squares[i] = change[-1]
        for j, part in enumerate(parts[i:], start=i):
            # z~ = C z, and C is diagonal where effects are independent
            scale = np.diag(m.coordinates.blocks[part.block])
            sums = [change[products.columns(part.block, (c,))].sum() for c in part.columns]
            weights[i, j] = float(np.sum(np.array(sums) / scale[list(part.columns)] ** 2))
    squares[-1] = left[-1][-1]
    weights[:, -1] = df
    return Reductions((*(p.name for p in parts), "Residual"), df, squares, weights)


def _require_degrees(parts: tuple[Component, ...], df: Ints) -> None:
    for part, own in zip(parts, df[:-1], strict=True):
        if own == 0:
            raise IdentifiabilityError(
                f"{part.name!r} has no degrees of freedom after the terms fitted before it, so "
                "that Henderson's method 3 can't estimate its variance in this order",
                hint="Terms are fitted in the order of the formula: write the coarser factor first",
            )
    if df[-1] == 0:
        raise IdentifiabilityError(
            "Henderson's method 3 fits all random effects as fixed, which leaves no degrees of "
            "freedom for the residual variance",
            hint="Use method 'reml'",
        )


@dataclass(frozen=True, eq=False)
class _Products:
    """All cross-products as one sparse matrix: columns of Z by block and level, X, y."""

    m: Moments
    matrix: Any
    first: Ints

    @classmethod
    def of(cls, m: Moments) -> _Products:
        first = np.cumsum([0, *(levels * k for levels, k in m.sizes)]).astype(np.int64)
        own, upper = [], []
        fixed = first[-1] + np.arange(m.p + 1)
        for i, (zz, zf) in enumerate(zip(m.zz, m.zf, strict=True)):
            z = first[i] + np.arange(zz.shape[0] * zz.shape[1]).reshape(zz.shape[:2])
            own.append((z[:, :, None], z[:, None, :], zz))
            upper.append((z[:, :, None], fixed, zf))
        for p in m.pairs:
            k_a, k_b = p.values.shape[1:]
            a = first[p.a] + p.rows[:, None] * k_a + np.arange(k_a)
            b = first[p.b] + p.other[:, None] * k_b + np.arange(k_b)
            upper.append((a[:, :, None], b[:, None, :], p.values))
        own.append((fixed[:, None], fixed, m.ff))
        entries = [*own, *upper, *((b, a, values) for a, b, values in upper)]
        flat = [[np.broadcast_to(x, e[2].shape).ravel() for x in e] for e in entries]
        rows, columns, values = (np.concatenate(x) for x in zip(*flat, strict=True))
        size = int(first[-1]) + m.p + 1
        return cls(m, sparse.csr_array((values, (rows, columns)), shape=(size, size)), first)

    def columns(self, block: int, of: tuple[int, ...]) -> Ints:
        """Places of some of a block's columns, level by level."""
        levels, k = self.m.sizes[block]
        return (self.first[block] + np.arange(levels)[:, None] * k + np.array(of)).ravel()

    def residual(self, taken: tuple[Component, ...]) -> tuple[int, Floats]:
        """The rank of X with the components' columns, and every column's square that is left."""
        chosen: dict[int, tuple[int, ...]] = defaultdict(tuple)
        for part in taken:
            chosen[part.block] += part.columns
        largest = max(chosen, key=lambda b: self.m.sizes[b][0] * len(chosen[b]), default=None)
        rest = [self.columns(b, of) for b, of in chosen.items() if b != largest]
        x = self.first[-1] + np.arange(self.m.p)
        kept = np.concatenate([*rest, x]).astype(np.int64)
        if len(kept) > MOST:
            raise MethodError(
                f"Henderson's method 3 needs a dense matrix of {len(kept)} columns",
                allowed=f"up to {MOST} columns besides the largest factor's",
                hint="Use method 'reml'",
            )
        left = self.matrix.diagonal()
        rank, half = 0, sparse.csr_array((0, len(left)))
        if largest is not None:
            rank, half = self._levels(largest, chosen[largest])
            left = left - np.asarray(half.multiply(half).sum(axis=0)).ravel()
        found, left = self._rest(kept, half, left)
        for b, of in chosen.items():
            left[self.columns(b, of)] = 0.0
        left[x] = 0.0
        return rank + found, np.maximum(left, 0.0)

    def _levels(self, block: int, of: tuple[int, ...]) -> tuple[int, Any]:
        """A factor eliminated level by level: its rank, and H with A - H'H what is left of A."""
        own = self.m.zz[block][:, of][:, :, of]
        values, vectors, size = _unit_eigen(own)
        live = values > DEPENDENT
        roots = np.where(live, 1 / np.sqrt(np.where(live, values, 1.0)), 0.0)
        halves = (vectors * roots[:, None, :] / size[:, :, None]).swapaxes(1, 2)
        levels = len(own)
        blocks = sparse.bsr_array(
            (np.ascontiguousarray(halves), np.arange(levels), np.arange(levels + 1))
        )
        rows = self.matrix[self.columns(block, of)]
        return int(live.sum()), sparse.csr_array(blocks.tocsr() @ rows)

    def _rest(self, kept: Ints, half: Any, left: Floats) -> tuple[int, Floats]:
        """The remaining columns eliminated together: their rank, and the squares that are left."""
        if len(kept) == 0:
            return 0, left
        size = np.sqrt(self.matrix.diagonal()[kept])
        size = np.where(size > 0, size, 1.0)
        mine = half[:, kept]
        inner = self.matrix[kept][:, kept].toarray() - (mine.T @ mine).toarray()
        inner /= size[:, None] * size
        if np.diag(inner).max() <= DEPENDENT:  # LAPACK asks no tolerance of the first pivot
            return 0, left
        factor, pivots, rank, _ = linalg.lapack.dpstrf(inner, tol=DEPENDENT, lower=1)
        order = pivots[:rank] - 1
        lower, scale = np.tril(factor[:rank, :rank]), size[order]
        rows, mine = self.matrix[kept[order]], mine[:, order]
        out = left.copy()
        for start in range(0, len(left), CHUNK):
            part = slice(start, start + CHUNK)
            cross = rows[:, part].toarray() - (mine.T @ half[:, part]).toarray()
            solved = linalg.solve_triangular(lower, cross / scale[:, None], lower=True)
            out[part] -= np.sum(solved**2, axis=0)
        return int(rank), out


def _unit_eigen(own: Floats) -> tuple[Floats, Floats, Floats]:
    """Eigenvalues and vectors of matrices scaled to a unit diagonal, and the scale."""
    size = np.sqrt(np.einsum("jaa->ja", own))
    safe = np.where(size > 0, size, 1.0)
    values, vectors = np.linalg.eigh(own / (safe[:, :, None] * safe[:, None, :]))
    return values, vectors, safe

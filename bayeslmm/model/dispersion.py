"""Products with V = Z G Z' + R at any values of its parameters: what the checks differentiate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import batched

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import STRUCTURES, Precision, Structure
from bayeslmm.design import Design, Part, RandomBlock
from bayeslmm.model.residual import Residual
from bayeslmm.model.structures import structure_of

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
STEP = 1e-4
MANY = 1_000_000  # numbers of the Cholesky factors that are formed at once


@dataclass(frozen=True, eq=False)
class Effects:
    """The part of V that one random term makes.

    Attributes
    ----------
    block : RandomBlock
    part : Part
    kin : Precision or None
    """

    block: RandomBlock
    part: Part
    kin: Precision | None

    @property
    def name(self) -> str:
        coefs = ", ".join(self.block.coefs[c] for c in self.part.columns)
        return f"({coefs} | {self.block.group})"

    @cached_property
    def structure(self) -> Structure:
        return structure_of(self.part, tuple(self.block.coefs[c] for c in self.part.columns))

    def values(self, rows: Ints) -> Floats:
        """The term's covariates at some rows, from an origin and in units that its structure
        allows: a free covariance is one about any origin."""
        own = self.block.values[rows][:, list(self.part.columns)]
        coefs = [self.block.coefs[c] for c in self.part.columns]
        if self.part.structure == "us" and "Intercept" in coefs and len(coefs) > 1:
            own = own - own.mean(axis=0)
            own[:, coefs.index("Intercept")] = 1.0
        size = np.abs(own).max(axis=0, initial=0.0)
        if self.part.structure not in STRUCTURES or self.part.structure == "id":
            size = np.full(len(size), size.max(initial=0.0))
        return np.asarray(own / np.where(size > 0, size, 1.0))

    @property
    def start(self) -> Floats:
        return np.zeros(self.structure.n_parameters(len(self.part.columns)))

    @property
    def units(self) -> Floats:
        return np.ones(len(self.start))

    def products(self, points: Floats, rows: Ints, table: Floats) -> Iterator[Floats]:
        """Z G Z' at `rows` times a table, (len(rows), c), at each psi of `points`, (S, d)."""
        values = self.values(rows)
        levels, codes = np.unique(self.block.codes[rows], return_inverse=True)
        sums = np.stack(
            [
                np.stack([np.bincount(codes, z * w, len(levels)) for w in table.T], axis=1)
                for z in values.T
            ]
        )
        if self.kin is not None and not self.kin.is_identity:
            sums = np.stack([_related(self.kin, levels_of(self.block, rows), s) for s in sums])
        k = values.shape[1]
        size = max(1, MANY // k**2)
        for start in range(0, len(points), size):
            for root in self.structure.scales(points[start : start + size], k).cholesky:
                mixed = np.tensordot(root @ root.T, sums, axes=1)
                yield np.asarray(
                    sum(z[:, None] * s[codes] for z, s in zip(values.T, mixed, strict=True))
                )


def levels_of(block: RandomBlock, rows: Ints) -> Ints:
    """The levels that occur in some rows, sorted."""
    return np.unique(block.codes[rows])


def _related(kin: Precision, levels: Ints, sums: Floats) -> Floats:
    whole = np.zeros((kin.size, sums.shape[1]))
    whole[levels] = sums
    return np.asarray(kin.root.correlate(kin.root.correlate_transposed(whole))[levels])


@dataclass(frozen=True, eq=False)
class Errors:
    """The residuals' part of V.

    Attributes
    ----------
    residual : Residual or None
    base : ndarray, shape (n,)
        Each row's sd over sigma's, 1/sqrt(weight) or the known sd, in units of about its size.
    estimated : bool
        Whether sigma is a parameter.
    text : str
        What the user said of them.
    """

    residual: Residual | None
    base: Floats
    estimated: bool
    text: str

    @property
    def name(self) -> str:
        return f"the residuals ({self.text})" if self.text else "the residual variance"

    @property
    def start(self) -> Floats:
        own = np.empty(0) if self.residual is None else self.residual.start
        return np.concatenate([np.zeros(int(self.estimated)), own])

    @property
    def units(self) -> Floats:
        """By how much each parameter moves something."""
        out = np.ones(len(self.start))
        if self.residual is not None:
            first = int(self.estimated) + self.residual.n_strata - 1
            for i, f in enumerate(self.residual.functions):
                sd = float(f.base.std())
                out[first + i] = 1.0 / sd if sd > 0 else 1.0
        return out

    def _scales(self, ratios: Floats, values: Floats, rows: Ints) -> Floats:
        """Each row's sd at one point; covariates about their mean, which sigma makes up for."""
        residual = self.residual
        assert residual is not None
        out = np.ones(len(rows)) if residual.strata is None else ratios[residual.strata.codes[rows]]
        for f, value in zip(residual.functions, values, strict=False):
            out = out * np.exp((f.base[rows] - f.base.mean()) * value)
        return np.asarray(out)

    def products(self, points: Floats, rows: Ints, table: Floats) -> Iterator[Floats]:
        """R at `rows` times a table at each point, (S, d)."""
        return (self._product(at, rows, table) for at in points)

    def _product(self, at: Floats, rows: Ints, table: Floats) -> Floats:
        """R at `rows` times a table, (len(rows), c); log sigma first where it is estimated."""
        cut = int(self.estimated)
        scale = self.base[rows] * (np.exp(at[0]) if cut else 1.0)
        if self.residual is None:
            return np.asarray(scale[:, None] ** 2 * table)
        ratios, values, _ = self.residual.natural(at[None, cut:])
        scale = (scale * self._scales(ratios[0], values[0], rows))[:, None]
        return np.asarray(scale * self._correlate(values, rows, scale * table))

    def _correlate(self, values: Floats, rows: Ints, table: Floats) -> Floats:
        residual = self.residual
        assert residual is not None
        if residual.known is not None:
            return np.asarray(residual.known[np.ix_(rows, rows)] @ table)
        c = residual.correlated
        if c is None:
            return table
        seen, place = np.unique(c.place[rows], return_inverse=True)
        groups, group = np.unique(c.group[rows], return_inverse=True)
        own = values[:, len(residual.functions) :]
        if c.pattern.whole:
            matrix = c.pattern.matrix(own, c.places)[0][np.ix_(seen, seen)]
        else:
            matrix = c.pattern.matrix(own, c.places.take(seen))[0]
        if np.bincount(group * len(seen) + place).max(initial=0) > 1:  # a nugget distinguishes rows
            out = np.empty_like(table)
            for g in range(len(groups)):
                mine = np.flatnonzero(group == g)
                there = c.places.take(seen[place[mine]])
                out[mine] = c.pattern.matrix(own, there)[0] @ table[mine]
            return out
        wide = np.zeros((len(groups), len(seen), table.shape[1]))
        wide[group, place] = table
        return np.asarray(np.einsum("pq,gqc->gpc", matrix, wide)[group, place])


@dataclass(frozen=True, eq=False)
class Dispersion:
    """V of a design.

    Attributes
    ----------
    parts : tuple of Effects and Errors
    n : int
    """

    parts: tuple[Effects | Errors, ...]
    n: int

    def classifications(self) -> list[tuple[Ints, Effects | None]]:
        """What groups the rows: factors with their effects, groups of residuals, strata."""
        out: list[tuple[Ints, Effects | None]] = []
        for part in self.parts:
            if isinstance(part, Effects):
                out.append((part.block.codes, part))
            elif part.residual is not None:
                residual = part.residual
                if residual.strata is not None:
                    out.append((residual.strata.codes, None))
                if residual.correlated is not None:
                    out.append((residual.correlated.group, None))
        return out

    def slopes(self, at: list[Floats], rows: Ints, table: Floats) -> tuple[Floats, list[int]]:
        """dV/d(each parameter, in its unit) at `rows` times a table, stacked, (d, len(rows), c),
        by central differences; and which part each parameter is of."""
        out, owner = [], []
        for i, (part, here) in enumerate(zip(self.parts, at, strict=True)):
            moves, count = np.diag(STEP * part.units), len(here)
            points = np.stack([here + moves, here - moves], axis=1).reshape(2 * count, count)
            for high, low in batched(part.products(points, rows, table), 2):
                out.append((high - low) / (2 * STEP))
                owner.append(i)
        return np.stack(out) if out else np.empty((0, *table.shape)), owner


def dispersion(
    design: Design,
    kin: Mapping[str, Precision],
    residual: Residual | None,
    text: str,
    *,
    estimated: bool,
) -> Dispersion:
    """V of the rows of a design; `estimated` is whether sigma is, `text` is ``residual=``."""
    base = np.ones(design.n)
    if "known_sd" in design.extras:
        base = design.extras["known_sd"]
    elif "weights" in design.extras:
        weights = design.extras["weights"]
        base = 1.0 / np.sqrt(np.where(weights > 0, weights, np.inf))
    used = base[base > 0]
    if len(used):
        base = base / used.mean()
    effects = [
        Effects(block, part, kin.get(block.group))
        for block in design.blocks
        for part in block.parts
    ]
    return Dispersion((*effects, Errors(residual, base, estimated, text)), design.n)

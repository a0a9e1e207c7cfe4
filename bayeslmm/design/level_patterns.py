"""Patterns over levels of categorical factors, and polynomials times patterns as combinations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.design.polynomials import Generator, Monomial, Polynomial, spread
from bayeslmm.design.types import Floats

LARGEST = 4_000_000  # elements of a table of candidates
OUTSIDE = 1e-9  # what may be left of a combination, relative to its size


@dataclass(frozen=True, eq=False)
class Pattern:
    """A product of coded columns of categorical factors: a number for each cell of levels.

    Attributes
    ----------
    parts : tuple of (int, int, str, ndarray, ndarray)
        Of each factor its identity, the column of its coding, the table's column that it codes,
        the levels and the values that they have.
    """

    parts: tuple[tuple[int, int, str, NDArray[Any], Floats], ...] = ()

    def __mul__(self, other: Pattern) -> Pattern:
        return Pattern((*self.parts, *other.parts))

    @cached_property
    def key(self) -> tuple[tuple[int, int], ...]:
        """A key that is equal for equal patterns only."""
        return tuple(sorted((factor, column) for factor, column, *_ in self.parts))

    @cached_property
    def by_variable(self) -> dict[str, tuple[NDArray[Any], Floats]]:
        """Levels and values of each variable; their product is the pattern."""
        out: dict[str, tuple[NDArray[Any], Floats]] = {}
        for _, _, variable, levels, values in self.parts:
            before = out[variable][1] if variable in out else 1.0
            out[variable] = levels, before * values
        return out

    def table(self, sizes: dict[str, int]) -> Floats:
        """Its values in every cell of the levels of these variables, flattened."""
        out = np.ones(1)
        for variable, size in sizes.items():
            own = self.by_variable[variable][1] if variable in self.by_variable else np.ones(size)
            out = np.multiply.outer(out, own).reshape(-1)
        return out


Candidate = tuple[int, Polynomial, Pattern]
Inverses = dict[
    tuple[tuple[int, ...], tuple[Monomial, ...], tuple[str, ...]], tuple[Floats, Floats]
]


def combination(
    polynomial: Polynomial,
    pattern: Pattern,
    candidates: Sequence[Candidate],
    generators: list[Generator],
    inverses: Inverses,
) -> dict[int, float] | None:
    """`polynomial` times `pattern` as a combination of candidates; None where it isn't one.

    Parameters
    ----------
    polynomial : Polynomial
    pattern : Pattern
    candidates : sequence of (column, Polynomial, Pattern)
    generators : list of Generator
    inverses : dict
        Kept between calls: what solving for the same candidates took.

    Returns
    -------
    dict of int to float
        The coefficient of each candidate, by column.
    """
    left, out = dict(polynomial), {}
    for column, own, candidate in candidates:
        if candidate.key == pattern.key and len(own) == 1:
            ((monomial, value),) = own.items()
            if monomial in left:
                out[column] = left.pop(monomial) / value
    if not left:
        return out
    rest = [c for c in candidates if c[0] not in out]
    solved = _solved(left, pattern, rest, generators, inverses)
    return None if solved is None else out | solved


def _solved(
    polynomial: Polynomial,
    pattern: Pattern,
    candidates: Sequence[Candidate],
    generators: list[Generator],
    inverses: Inverses,
) -> dict[int, float] | None:
    monomials, chosen = _reached(polynomial, candidates)
    sizes: dict[str, int] = {}
    for one in (pattern, *(c[2] for c in chosen)):
        sizes |= {variable: len(values) for variable, (_, values) in one.by_variable.items()}
    cells = int(np.prod([float(n) for n in sizes.values()] or [1.0]))
    if not chosen or cells * len(monomials) * len(chosen) > LARGEST:
        return None
    scales = {m: spread(m, generators) or 1.0 for m in monomials}

    def table(value: Polynomial, own: Pattern) -> Floats:
        each = np.array([value.get(m, 0.0) * scales[m] for m in monomials])
        return np.multiply.outer(each, own.table(sizes)).reshape(-1)

    key = (tuple(c[0] for c in chosen), tuple(monomials), tuple(sizes))
    if key not in inverses:
        A = np.stack([table(p, own) for _, p, own in chosen], axis=1)
        inverses[key] = A, np.linalg.pinv(A, rcond=1e-12)
    A, inverse = inverses[key]
    b = table(polynomial, pattern)
    found = inverse @ b
    found += inverse @ (b - A @ found)
    if np.linalg.norm(b - A @ found) > OUTSIDE * np.linalg.norm(b):
        return None
    least = OUTSIDE * np.abs(found).max()
    return {c[0]: float(v) for c, v in zip(chosen, found, strict=True) if abs(v) > least}


def _reached(
    polynomial: Polynomial, candidates: Sequence[Candidate]
) -> tuple[list[Monomial], list[Candidate]]:
    """The candidates that share monomials with a polynomial, directly or through others."""
    monomials, chosen = dict.fromkeys(polynomial), dict[int, Candidate]()
    while True:
        more = [
            c for c in candidates if c[0] not in chosen and not monomials.keys().isdisjoint(c[1])
        ]
        if not more:
            return list(monomials), list(chosen.values())
        for one in more:
            chosen[one[0]] = one
            monomials |= dict.fromkeys(one[1])

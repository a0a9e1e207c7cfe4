"""The centred design: numeric variables at their means, in products and powers too.

Each column of a design is a polynomial in numeric variables times a pattern over levels. In the
centred design every variable is replaced by its deviation from its mean, wherever what that takes
away lies in the span of lower columns: ``x:z`` becomes ``(x - mean)(z - mean)`` in ``x * z``, and
stays as it is without ``x`` and ``z``. Then X = X_c U with U unit-triangular by degree, and

    beta_c = U beta

are the coefficients at the centre of the covariates; they don't change with a covariate's origin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from bayeslmm.design.coding import Categorical, Factor, LearntTerms
from bayeslmm.design.level_patterns import Inverses, Pattern, combination
from bayeslmm.design.levels import codes_of
from bayeslmm.design.normal import Columns
from bayeslmm.design.polynomials import (
    Generator,
    Generators,
    Polynomial,
    TooLongError,
    degree,
    evaluated,
    generators_of,
    leading,
    plus,
    tidied,
    times,
)
from bayeslmm.design.transforms import States, evaluate
from bayeslmm.design.types import Floats
from bayeslmm.formula.syntax import Node

MOST_SUBSETS = 4  # variables of a column of which every subset is tried
ROUNDING = 1e-13


@dataclass(frozen=True, slots=True, eq=False)
class Lead:
    """A column of the centred design: a polynomial in deviations from means, times a pattern."""

    polynomial: Polynomial
    pattern: Pattern


@dataclass(frozen=True, eq=False)
class Centred:
    """The centred form of a design's columns, and the way there.

    Attributes
    ----------
    size : int
        Columns, p.
    lower : tuple of (int, int, float)
        (k, j, value): U[k, j] where k differs from j.
    order : tuple of int
        The columns by degree: U is unit upper triangular in this order.
    leads : tuple of Lead
        The columns at the centre.
    generators : tuple of Generator
        Their variables.
    about : tuple of tuple of (str, float)
        For each coefficient the variables, with their means, that it is at the mean of.
    """

    size: int
    lower: tuple[tuple[int, int, float], ...] = ()
    order: tuple[int, ...] = ()
    leads: tuple[Lead, ...] = ()
    generators: tuple[Generator, ...] = ()
    about: tuple[tuple[tuple[str, float], ...], ...] = ()

    @cached_property
    def U(self) -> Floats:
        """From users' coefficients to those at the centre, shape (p, p)."""
        out = np.eye(self.size)
        for k, j, value in self.lower:
            out[k, j] = value
        return out

    @cached_property
    def T(self) -> Floats:
        """The inverse of U: X_c = X T."""
        out = np.eye(self.size)
        by_column: dict[int, list[tuple[int, float]]] = {}
        for k, j, value in self.lower:
            by_column.setdefault(j, []).append((k, value))
        for j in self.order:
            for k, value in by_column.get(j, []):
                out[:, j] -= value * out[:, k]
        return out

    @cached_property
    def moved(self) -> tuple[bool, ...]:
        """Whether each coefficient at the centre differs from the user's, length p."""
        rows = {k for k, _, _ in self.lower}
        return tuple(k in rows for k in range(self.size))

    @property
    def is_identity(self) -> bool:
        """Whether centring changes no coefficient."""
        return not self.lower

    @property
    def rises(self) -> bool:
        """Whether U is upper triangular as the columns stand."""
        return all(k < j for k, j, _ in self.lower)

    @cached_property
    def reshaped(self) -> tuple[int, ...]:
        """Columns that lose more than a constant: their spread is another at the centre."""
        constant = {k for k, lead in enumerate(self.leads) if _is_constant(lead)}
        return tuple(sorted({j for k, j, _ in self.lower if k not in constant}))

    def column(self, j: int, columns: Columns) -> Floats:
        """A centred column in the learnt rows, shape (n,)."""
        lead = self.leads[j]
        out = evaluated(lead.polynomial, list(self.generators), len(columns))
        for variable, (levels, values) in lead.pattern.by_variable.items():
            out = out * values[codes_of(columns[variable], levels)]
        return out

    def values(self, X: Floats, columns: Columns) -> Floats:
        """All centred columns in the learnt rows, whose users' columns are X, shape (n, p)."""
        if self.is_identity:
            return X
        out = np.array(X)
        for j in {j for _, j, _ in self.lower}:
            out[:, j] = self.column(j, columns)
        return out


def _is_constant(lead: Lead) -> bool:
    return not generators_of(lead.polynomial) and not lead.pattern.parts


def identity(size: int) -> Centred:
    """The centred form of columns that stay as they are."""
    return Centred(size, (), tuple(range(size)), about=((),) * size)


def centre(terms: LearntTerms, columns: Columns, states: States, X: Floats) -> Centred:
    """The centred form of a right-hand side.

    Parameters
    ----------
    terms : LearntTerms
    columns : Columns
        The rows that it was learnt from.
    states : mapping
    X : ndarray, shape (n, p)
        Its columns in those rows.
    """
    size = len(terms.names)
    if size < 2:
        return identity(size)
    alone = _alone(terms, X)

    def values(node: Node) -> Floats:
        return alone[node] if node in alone else evaluate(node, columns, states)

    generators = Generators(values, states)
    try:
        found = _columns(terms, generators)
    except TooLongError:
        return identity(size)
    return _solve(found, generators.all) if generators.all else identity(size)


def _alone(terms: LearntTerms, X: Floats) -> dict[Node, Floats]:
    """The values of expressions that are terms by themselves: they stand in X."""
    out: dict[Node, Floats] = {}
    end = int(terms.intercept)
    for term in terms.terms:
        width = int(np.prod([len(f.names) for f in term]))
        start, end = end, end + width
        factor = term[0]
        if len(term) == 1 and not isinstance(factor, Categorical):
            out[factor.node] = X[:, start] if width == 1 else X[:, start:end]
    return out


def _columns(terms: LearntTerms, generators: Generators) -> list[Lead]:
    out = [Lead({(): 1.0}, Pattern())] if terms.intercept else []
    cache: dict[int, list[Lead]] = {}
    for term in terms.terms:
        made: list[Lead] | None = None
        for factor in term:
            if id(factor) not in cache:
                cache[id(factor)] = _of_factor(factor, generators)
            own = cache[id(factor)]
            made = own if made is None else [_product(a, b) for b in own for a in made]
        out += made or []
    return out


def _of_factor(factor: Factor, generators: Generators) -> list[Lead]:
    if isinstance(factor, Categorical):
        return [Lead({(): 1.0}, _pattern(factor, k)) for k in range(factor.coding.matrix.shape[1])]
    made = generators.columns(factor.node, len(factor.names))
    return [Lead(tidied(p, generators.all), Pattern()) for p in made]


def _product(a: Lead, b: Lead) -> Lead:
    return Lead(times(a.polynomial, b.polynomial), a.pattern * b.pattern)


def _pattern(factor: Categorical, column: int) -> Pattern:
    values = factor.coding.matrix[:, column]
    return Pattern(((id(factor), column, factor.column, factor.levels, values),))


def _solve(found: list[Lead], generators: list[Generator]) -> Centred:
    """Column by column, of low degree first, centred in as many variables as can be."""
    degrees = [max(map(degree, c.polynomial), default=0) for c in found]
    order = sorted(range(len(found)), key=lambda j: (degrees[j], j))
    leads: dict[int, Polynomial] = {}
    chosen: dict[int, frozenset[int]] = {}
    lower: list[tuple[int, int, float]] = []
    inverses: Inverses = {}
    for j in order:
        own = found[j]
        before = [(k, leads[k], found[k].pattern) for k in leads if degrees[k] < degrees[j]]
        for subset in _subsets(own.polynomial):
            lead = leading(own.polynomial, subset, generators) if subset else own.polynomial
            rest = _rest(own.polynomial, lead, generators)
            weights = combination(rest, own.pattern, before, generators, inverses)
            if weights is not None:
                leads[j], chosen[j] = lead, subset
                lower += [(k, j, value) for k, value in weights.items()]
                break
    made = tuple(Lead(leads[j], found[j].pattern) for j in range(len(found)))
    about = _about(lower, leads, chosen, generators)
    return Centred(len(found), tuple(lower), tuple(order), made, tuple(generators), about)


def _rest(own: Polynomial, lead: Polynomial, generators: list[Generator]) -> Polynomial:
    """What centring takes away, without rounding errors."""
    left = plus(own, times(lead, {(): -1.0}))
    left = {m: v for m, v in left.items() if abs(v) > ROUNDING * abs(own.get(m, 0.0))}
    return tidied(left, generators)


def _subsets(polynomial: Polynomial) -> Iterator[frozenset[int]]:
    """Subsets of a polynomial's variables, the largest first, the empty one last."""
    own = sorted(generators_of(polynomial))
    sizes = range(len(own), -1, -1) if len(own) <= MOST_SUBSETS else (len(own), 0)
    for size in sizes:
        yield from map(frozenset, combinations(own, size))


def _about(
    lower: list[tuple[int, int, float]],
    leads: dict[int, Polynomial],
    chosen: dict[int, frozenset[int]],
    generators: list[Generator],
) -> tuple[tuple[tuple[str, float], ...], ...]:
    """The variables that each coefficient is at the mean of."""
    out: list[dict[int, None]] = [{} for _ in leads]
    for k, j, _ in lower:
        own, other = _powers(leads[k]), _powers(leads[j])
        out[k] |= {g: None for g in sorted(chosen[j]) if other.get(g, 0) > own.get(g, 0)}
    return tuple(tuple((generators[g].text, generators[g].mean) for g in found) for found in out)


def _powers(polynomial: Polynomial) -> dict[int, int]:
    """The highest power of each variable."""
    out: dict[int, int] = {}
    for monomial in polynomial:
        for g, exponent in monomial:
            out[g] = max(out.get(g, 0), exponent)
    return out

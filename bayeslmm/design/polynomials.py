"""Numeric expressions of a formula as polynomials in their variables' deviations from the mean.

A *generator* is a column of numbers that enters an expression by powers and products: a column
of the table in ``x``, ``x:z``, ``I(x**2)``, ``center(x)``; or a whole expression that is no
polynomial, ``log(x)``, and each column of ``poly``, ``bs`` and ``cr``. With t = g - mean(g) for
each generator, every expression is a polynomial in t whose coefficients are found algebraically,
so that no digit is lost however far a variable is from zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np

from bayeslmm.design.types import Floats
from bayeslmm.formula.syntax import Binary, Call, Node, Number, Unary, show
from bayeslmm.linalg.few_rows import sample

Monomial = tuple[tuple[int, int], ...]  # (generator, power), ascending; empty for a constant
Polynomial = dict[Monomial, float]
MOST_POWER, MOST_TERMS = 12, 200
SOME = 10_000  # rows that a variable's scale is taken from
NEGLIGIBLE = 1e-12  # of a highest term, each times its monomial's standard deviation


class TooLongError(Exception):
    """A polynomial of too many terms: its expression is taken as a whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Generator:
    """A variable of the polynomials.

    Attributes
    ----------
    text : str
        As it stands in the formula.
    values : ndarray, shape (n,)
        In the rows that the design was learnt from.
    mean, sd : float
        Its mean, and about its standard deviation.
    """

    text: str
    values: Floats
    mean: float
    sd: float


class Generators:
    """The generators of a right-hand side, made when they are first met.

    Parameters
    ----------
    evaluate : callable
        The values of an expression, shape (n,) or (n, k).
    states : mapping
        What transforms learnt, by their text.
    """

    def __init__(
        self, evaluate: Callable[[Node], Floats], states: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self.all: list[Generator] = []
        self._evaluate = evaluate
        self._states = states
        self._place: dict[str, int] = {}

    def columns(self, node: Node, count: int) -> list[Polynomial]:
        """The polynomials of an expression's `count` columns."""
        if isinstance(node, Call) and node.function == "poly" and _option(node, "raw"):
            base = self._read(node.argument)
            return [power(base, k) for k in range(1, count + 1)]
        if isinstance(node, Call) and node.function in ("poly", "bs", "cr"):
            return [self._whole(f"{show(node)}[{k + 1}]", node, k) for k in range(count)]
        return [self._read(node)]

    def _read(self, node: Node) -> Polynomial:
        match node:
            case Number():
                return {(): node.value}
            case Unary(operand):
                return times(self._read(operand), {(): -1.0})
            case Call("I", argument, _):
                return self._read(argument)
            case Call("center" | "scale", argument, _):
                state = self._states[show(node)]
                return _moved(self._read(argument), state)
            case Binary():
                try:
                    found = self._binary(node)
                except TooLongError:
                    found = None
                if found is not None:
                    return found
        return self._whole(show(node), node, None)

    def _binary(self, node: Binary) -> Polynomial | None:
        if node.op not in ("+", "-", "*", "/", "**"):
            return None
        left, right = self._read(node.left), self._read(node.right)
        if node.op in ("+", "-"):
            return plus(left, times(right, {(): 1.0 if node.op == "+" else -1.0}))
        if node.op == "*":
            return times(left, right)
        if set(right) - {()}:
            return None
        number = right.get((), 0.0)
        if node.op == "/":
            return times(left, {(): 1.0 / number}) if number else None
        whole = number == int(number) and 0 <= number <= MOST_POWER
        return power(left, int(number)) if whole else None

    def _whole(self, text: str, node: Node, column: int | None) -> Polynomial:
        if text not in self._place:
            values = self._evaluate(node)
            values = values if column is None or values.ndim == 1 else values[:, column]
            mean = float(np.mean(values))
            self._place[text] = len(self.all)
            self.all.append(Generator(text, values, mean, _spread(values)))
        place = self._place[text]
        return {((place, 1),): 1.0, (): self.all[place].mean}


def _spread(values: Floats) -> float:
    """About the standard deviation: of a sample of the rows, as it only sets scales."""
    some = float(np.std(values[sample(len(values), SOME)]))
    return some if some > 0 else float(np.std(values))


def _option(call: Call, name: str) -> bool:
    return any(option.name == name and option.value is True for option in call.options)


def _moved(value: Polynomial, state: Mapping[str, Any]) -> Polynomial:
    """(value - center) / scale, as a transform learnt them."""
    if state.get("center") is not None:
        value = plus(value, {(): -float(state["center"])})
    if state.get("scale") is not None:
        value = times(value, {(): 1.0 / float(state["scale"])})
    return value


def plus(a: Polynomial, b: Polynomial) -> Polynomial:
    """Their sum."""
    out = dict(a)
    for key, value in b.items():
        out[key] = out.get(key, 0.0) + value
    return {key: value for key, value in out.items() if value != 0.0}


def times(a: Polynomial, b: Polynomial) -> Polynomial:
    """Their product."""
    out: Polynomial = {}
    for one, x in a.items():
        for other, y in b.items():
            key = product(one, other)
            out[key] = out.get(key, 0.0) + x * y
    if len(out) > MOST_TERMS or any(degree(key) > MOST_POWER for key in out):
        raise TooLongError
    return {key: value for key, value in out.items() if value != 0.0}


def power(a: Polynomial, exponent: int) -> Polynomial:
    """A whole power of it."""
    out: Polynomial = {(): 1.0}
    for _ in range(exponent):
        out = times(out, a)
    return out


def product(a: Monomial, b: Monomial) -> Monomial:
    """The product of two monomials."""
    powers = dict(a)
    for generator, exponent in b:
        powers[generator] = powers.get(generator, 0) + exponent
    return tuple(sorted(powers.items()))


def degree(monomial: Monomial, among: Iterable[int] | None = None) -> int:
    """Its total degree, or that in some of the generators."""
    return sum(e for g, e in monomial if among is None or g in among)


def generators_of(polynomial: Polynomial) -> frozenset[int]:
    """The generators that it depends on."""
    return frozenset(g for monomial in polynomial for g, _ in monomial)


def moved(polynomial: Polynomial, generator: int, by: float) -> Polynomial:
    """The polynomial with t + by in the place of the generator's t."""
    out: Polynomial = {}
    for monomial, value in polynomial.items():
        rest = tuple((g, e) for g, e in monomial if g != generator)
        exponent = dict(monomial).get(generator, 0)
        for k in range(exponent + 1):
            key = product(rest, ((generator, k),)) if k else rest
            out[key] = out.get(key, 0.0) + value * comb(exponent, k) * by ** (exponent - k)
    return {key: value for key, value in out.items() if value != 0.0}


def leading(
    polynomial: Polynomial, centred: Iterable[int], generators: list[Generator]
) -> Polynomial:
    """The part of highest degree in the `centred` generators' t, the others as they are."""
    chosen = frozenset(centred)
    own = generators_of(polynomial)
    value = polynomial
    for g in own - chosen:
        value = moved(value, g, -generators[g].mean)
    top = max((degree(m, chosen) for m in value), default=0)
    value = {m: v for m, v in value.items() if degree(m, chosen) == top}
    for g in own - chosen:
        value = moved(value, g, generators[g].mean)
    return value


def tidied(polynomial: Polynomial, generators: list[Generator]) -> Polynomial:
    """Without lower terms that are rounding errors next to the highest, in standard deviations."""
    top = max(map(degree, polynomial), default=0)
    sizes = {m: abs(v) * spread(m, generators) for m, v in polynomial.items()}
    least = NEGLIGIBLE * max((v for m, v in sizes.items() if degree(m) == top), default=0.0)
    return {m: v for m, v in polynomial.items() if degree(m) == top or sizes[m] > least}


def spread(monomial: Monomial, generators: list[Generator]) -> float:
    """Product of the powers of the generators' standard deviations."""
    return float(np.prod([generators[g].sd ** e for g, e in monomial] or [1.0]))


def evaluated(polynomial: Polynomial, generators: list[Generator], size: int) -> Floats:
    """Its values in the learnt rows, shape (n,)."""
    out = np.zeros(size)
    for monomial, value in polynomial.items():
        part = np.full(size, value)
        for g, e in monomial:
            t = generators[g].values - generators[g].mean
            part = part * (t if e == 1 else t**e)
        out += part
    return out

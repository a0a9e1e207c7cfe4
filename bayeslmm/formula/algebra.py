"""The algebra of terms: what ``+ - : * / ^`` make of sets of terms.

After Wilkinson and Rogers (1973, Applied Statistics 22, 392-399), with R's reading where
they leave a choice: `a/b` is `a + a:b`, `(a + b)/c` is `a + b + a:b:c`, and main effects
stand before interactions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bayeslmm.formula.source import Source
from bayeslmm.formula.syntax import Node, show
from bayeslmm.formula.terms import RandomTerm

Term = tuple[Node, ...]
Key = frozenset[Node]
MAX_TERMS = 1_000
MAX_FACTORS = 20
_OPERATION = 10  # an operator's own cost, in products of terms


@dataclass(frozen=True, slots=True)
class TermSet:
    """The value of a part of a formula.

    Attributes
    ----------
    intercept : bool or None
        Whether it asks for an intercept, asks for none, or leaves it open.
    terms : dict of key to Term
        Terms by the set of their factors: `a:b` and `b:a` are one.
    random, offsets : tuple
        Random terms and the insides of ``offset()``.
    """

    intercept: bool | None = None
    terms: dict[Key, Term] = field(default_factory=dict)
    random: tuple[RandomTerm, ...] = ()
    offsets: tuple[Node, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether it consists of terms only, as the operands of ``: * / ^`` must."""
        return self.intercept is None and not self.random and not self.offsets

    def ordered(self) -> tuple[Term, ...]:
        """The terms, main effects first, else in the order of the text."""
        return tuple(sorted(self.terms.values(), key=len))


def of_term(*factors: Node) -> TermSet:
    """One term; a factor that comes twice counts once."""
    term = tuple(dict.fromkeys(factors))
    return TermSet(terms={frozenset(term): term})


def plus(left: TermSet, right: TermSet, source: Source, at: int) -> TermSet:
    """``left + right``."""
    intercept = left.intercept if right.intercept is None else right.intercept
    new = _new(left, right)
    terms = _within_limit(left.terms | new if new else left.terms, source, at)
    return TermSet(intercept, terms, left.random + right.random, left.offsets + right.offsets)


def minus(left: TermSet, right: TermSet, source: Source, at: int) -> TermSet:
    """``left - right``: terms of `right` taken away from `left`."""
    if right.random or right.offsets:
        kind = "random term" if right.random else "offset"
        raise source.error(at, f"A {kind} can't be removed", hint="Leave it out")
    for key, term in right.terms.items():
        if key not in left.terms:
            raise source.error(
                at,
                f"There is no term {show_term(term)} to remove",
                got=" + ".join(map(show_term, [*left.terms.values()][:20])) or "no terms before it",
            )
    source.spend(len(left.terms), at)
    kept = {key: term for key, term in left.terms.items() if key not in right.terms}
    intercept = left.intercept if right.intercept is None else not right.intercept
    return TermSet(intercept, kept, left.random, left.offsets)


def interact(left: TermSet, right: TermSet, source: Source, at: int) -> TermSet:
    """``left:right``: every term of one with every term of the other."""
    _require_plain(left, right, source, at)
    source.spend(_OPERATION + len(left.terms) * len(right.terms), at)
    terms: dict[Key, Term] = {}
    for a in left.terms.values():
        for b in right.terms.values():
            joint = _new(TermSet(terms=terms), of_term(*a, *b))
            terms |= joint
            if any(len(term) > MAX_FACTORS for term in joint.values()):
                raise source.error(
                    at, "An interaction has too many factors", allowed=f"{MAX_FACTORS}"
                )
        _within_limit(terms, source, at)
    return TermSet(terms=terms)


def cross(left: TermSet, right: TermSet, source: Source, at: int) -> TermSet:
    """``left * right``: both, and their interactions."""
    both = interact(left, right, source, at)
    return plus(plus(left, right, source, at), both, source, at)


def nest(left: TermSet, right: TermSet, source: Source, at: int) -> TermSet:
    """``left / right``: `left`, and `right` within all of `left`."""
    _require_plain(left, right, source, at)
    parent = of_term(*(factor for term in left.terms.values() for factor in term))
    source.spend(len(left.terms), at)
    return plus(left, interact(parent, right, source, at), source, at)


def power(base: TermSet, exponent: int, source: Source, at: int) -> TermSet:
    """``base ^ exponent``: interactions of up to `exponent` of its terms."""
    _require_plain(base, base, source, at)
    total = base
    # no interaction has more factors than there are terms
    for _ in range(min(exponent, len(base.terms)) - 1):
        before = len(total.terms)
        total = plus(total, interact(total, base, source, at), source, at)
        if len(total.terms) == before:
            break
    return total


def show_term(term: Term) -> str:
    """A term as canonical text, ``age:Sex``."""
    return ":".join(show(factor) for factor in term)


def show_terms(terms: TermSet, *, intercept: bool = True) -> str:
    """Terms as a canonical right-hand side, with `intercept` where they leave it open."""
    said = intercept if terms.intercept is None else terms.intercept
    return " + ".join(["1" if said else "0", *map(show_term, terms.ordered())])


def _new(left: TermSet, right: TermSet) -> dict[Key, Term]:
    return {key: term for key, term in right.terms.items() if key not in left.terms}


def _within_limit(terms: dict[Key, Term], source: Source, at: int) -> dict[Key, Term]:
    if len(terms) > MAX_TERMS:
        raise source.error(at, "The formula has too many terms", allowed=f"{MAX_TERMS} at most")
    return terms


def _require_plain(left: TermSet, right: TermSet, source: Source, at: int) -> None:
    for side in (left, right):
        if side.random:
            raise source.error(at, "Random terms can only be added", hint="Write … + (x | g)")
        if side.offsets:
            raise source.error(at, "Offsets can only be added", hint="Write … + offset(x)")
        if not side.plain:
            raise source.error(
                at, "0 and 1 can only be added or removed", hint="Write a number inside I()"
            )

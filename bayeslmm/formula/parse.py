"""Formula text to `Formula`; and canonical text back to the trees that a design evaluates."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from bayeslmm.errors import FormulaError
from bayeslmm.formula.algebra import Term, TermSet, show_terms
from bayeslmm.formula.expressions import read_expression
from bayeslmm.formula.grammar import read_terms
from bayeslmm.formula.lexer import Token
from bayeslmm.formula.reader import Reader
from bayeslmm.formula.syntax import Call, Column, Node, columns_in, show
from bayeslmm.formula.terms import Formula, RandomTerm

_EXAMPLE = "Write it as in y ~ x + (x | g)"
_REMEMBERED = 256  # texts; what was read is frozen, so that all who ask may share it


def parse(text: str, *, one_sided: bool = False) -> Formula:
    """Read a formula.

    Parameters
    ----------
    text : str
        ``"y ~ x + (x | g)"``, in lme4's notation.
    one_sided : bool
        Whether to read ``"~ x + (1 | g)"``, a formula without a response; `response` is then
        the empty text.

    Returns
    -------
    Formula
        ``parse(str(formula))`` equals `formula` in everything but `text`.

    Raises
    ------
    FormulaError
        Where the text can't be read; the message points into it.
    """
    if not isinstance(text, str):
        raise FormulaError("A formula must be a text", got=type(text).__name__, hint=_EXAMPLE)
    return _parse(text, one_sided)


@lru_cache(_REMEMBERED, typed=True)
def _parse(text: str, one_sided: bool) -> Formula:
    if not text.strip():
        raise FormulaError("The formula is empty", hint=_EXAMPLE)
    reader = Reader(text)
    response = _read_response(reader, one_sided)
    if reader.token.kind == "end":
        raise reader.source.error(
            reader.token.at,
            "The right side of '~' is empty",
            hint="For a mean alone write y ~ 1",
        )
    terms = _read_all_terms(reader)
    if response is not None:
        _require_apart(reader, response, terms)
    return _formula(text, response, terms)


@lru_cache(_REMEMBERED, typed=True)
def trees_of(text: str) -> tuple[bool, tuple[Term, ...]]:
    """Read a right-hand side without random terms: whether it has an intercept, and its terms.

    Each term is a tuple of factors, and each factor a syntax tree.
    """
    terms = _read_all_terms(Reader(text))
    return terms.intercept is not False, terms.ordered()


@lru_cache(_REMEMBERED, typed=True)
def tree_of(text: str) -> Node:
    """Read one expression, ``log(y)``, as a syntax tree."""
    reader = Reader(text)
    node = read_expression(reader)
    if reader.token.kind != "end":
        raise reader.unexpected()
    return node


@lru_cache(_REMEMBERED, typed=True)
def columns_of(formula: Formula) -> tuple[str, ...]:
    """Every column that a formula names, in the order of its canonical text."""
    nodes = [tree_of(formula.response)] if formula.response else []
    nodes += _factors(formula.fixed)
    nodes += map(tree_of, formula.offsets)
    names = [name for node in nodes for name in columns_in(node)]
    for term in formula.random:
        names += [name for node in _factors(term.lhs) for name in columns_in(node)]
        names += term.factors
    return tuple(dict.fromkeys(names))


def _factors(text: str) -> list[Node]:
    return [factor for tree in trees_of(text)[1] for factor in tree]


def _read_all_terms(reader: Reader) -> TermSet:
    terms = read_terms(reader)
    if reader.token.is_op("|", "||"):
        raise reader.source.error(
            reader.token.at, "A random term needs parentheses", hint="Write (x | g)"
        )
    if reader.token.kind != "end":
        raise reader.unexpected()
    return terms


def _read_response(reader: Reader, one_sided: bool) -> Node | None:
    start = reader.token
    if reader.take_op("~"):
        if not one_sided:
            raise reader.source.error(
                start.at, "There is no response on the left of '~'", hint=_EXAMPLE
            )
        return None
    if not reader.has_op("~"):
        raise _no_tilde(reader)
    if one_sided:
        raise reader.source.error(
            start.at, "This formula has no response", hint="Start it with '~', as in ~ x + (1 | g)"
        )
    response = _read_left(reader)
    if not reader.take_op("~"):
        raise reader.unexpected("'~'" if reader.token.kind == "end" else "an operator or the end")
    if not any(True for _ in columns_in(response)):
        raise reader.source.error(
            start.at, "The response names no column", got=show(response), hint=_EXAMPLE
        )
    return response


def _read_left(reader: Reader) -> Node:
    start = reader.token
    if start.kind == "name" and start.text == "offset" and reader.following.is_op("("):
        raise reader.source.error(start.at, "An offset belongs on the right side of '~'")
    return read_expression(reader)


def _no_tilde(reader: Reader) -> FormulaError:
    at: Token = reader.token
    while reader.token.kind != "end":
        if reader.token.is_op("="):
            at = reader.token
        reader.take()
    return reader.source.error(at.at, "There is no '~' in the formula", hint=_EXAMPLE)


def _require_apart(reader: Reader, response: Node, terms: TermSet) -> None:
    """Refuse a response that is a factor on the right too: it would explain itself."""
    said = f"The response {show(response)} is on the right side of '~' too"
    hint = "Remove it there: the response can't be its own predictor"
    y = _inside(response)
    for term in terms.terms.values():
        for node in term:
            if _inside(node) == y:
                raise reader.source.error(getattr(node, "at", 0), said, hint=hint)
    for random in terms.random:
        groups = [Column(name) for name in random.factors]
        if any(_inside(node) == y for node in [*_factors(random.lhs), *groups]):
            raise FormulaError(said, got=str(random), hint=hint)


def _inside(node: Node) -> Node:
    """A node without I() around it."""
    while isinstance(node, Call) and node.function == "I":
        node = node.argument
    return node


def _formula(text: str, response: Node | None, terms: TermSet) -> Formula:
    formula = Formula(
        text=text,
        response="" if response is None else show(response),
        fixed=show_terms(terms),
        random=_one_spelling(terms.random),
        offsets=tuple(map(show, terms.offsets)),
    )
    return replace(formula, variables=columns_of(formula))


def _one_spelling(random: tuple[RandomTerm, ...]) -> tuple[RandomTerm, ...]:
    """Call a combination by its first name: after `a:b`, `b:a` is the same factor."""
    first: dict[frozenset[str], tuple[str, ...]] = {}
    for term in random:
        first.setdefault(frozenset(term.factors), term.factors)
    return tuple(replace(term, factors=first[frozenset(term.factors)]) for term in random)

"""Reads the right-hand side of a formula: terms, random terms and offsets."""

from __future__ import annotations

from dataclasses import replace

from bayeslmm.errors import FormulaError, shorter
from bayeslmm.formula import algebra
from bayeslmm.formula.algebra import TermSet
from bayeslmm.formula.expressions import read_call, read_column, read_expression
from bayeslmm.formula.functions import FUNCTIONS, ORDERED, POINTS, STRUCTURES
from bayeslmm.formula.lexer import Token
from bayeslmm.formula.reader import Reader
from bayeslmm.formula.settings import read_options
from bayeslmm.formula.syntax import Option, columns_in
from bayeslmm.formula.terms import RandomTerm

Factors = tuple[str, ...]
MAX_COMBINED = 8
MAX_RANDOM = 200
KNOWN_COVARIANCE = "Give a known covariance of levels as relationship={'g': matrix}"


def read_terms(reader: Reader) -> TermSet:
    """Read terms joined by ``+`` and ``-``, as far as they go."""
    total = TermSet()
    while True:
        start = reader.token
        removed = _read_signs(reader)
        item = _read_product(reader)
        join = algebra.minus if removed else algebra.plus
        total = join(total, item, reader.source, start.at)
        _check_count(reader, total, start)
        if not reader.token.is_op("+", "-"):
            return total


def _check_count(reader: Reader, total: TermSet, start: Token) -> None:
    for what, items in (("random terms", total.random), ("offsets", total.offsets)):
        if len(items) > MAX_RANDOM:
            raise reader.source.error(
                start.at, f"The formula has too many {what}", allowed=f"{MAX_RANDOM} at most"
            )


def _read_signs(reader: Reader) -> bool:
    removed = False
    while sign := reader.take_op("+", "-"):
        removed ^= sign.text == "-"
    return removed


def _read_product(reader: Reader) -> TermSet:
    left = _read_interaction(reader)
    while op := reader.take_op("*", "/"):
        join = algebra.cross if op.text == "*" else algebra.nest
        left = join(left, _read_interaction(reader), reader.source, op.at)
    return left


def _read_interaction(reader: Reader) -> TermSet:
    left = _read_power(reader)
    while op := reader.take_op(":"):
        left = algebra.interact(left, _read_power(reader), reader.source, op.at)
    return left


def _read_power(reader: Reader) -> TermSet:
    base = _read_term(reader)
    while op := reader.take_op("^", "**"):
        token = reader.token
        if token.kind != "number" or not token.text.isdecimal() or int(token.text) < 1:
            raise reader.source.error(
                token.at,
                f"{op.text!r} between terms takes a whole number from 1 on",
                hint="(a + b)^2 is a + b + a:b; the square of a column is I(x**2)",
            )
        reader.take()
        base = algebra.power(base, int(token.text), reader.source, op.at)
    return base


def _read_term(reader: Reader) -> TermSet:
    token = reader.token
    if token.is_op("("):
        return _read_parenthesis(reader)
    if token.kind == "number":
        return _read_intercept(reader)
    if token.kind == "name" and reader.following.is_op("("):
        return _read_function(reader)
    if token.kind in ("name", "quoted"):
        return algebra.of_term(read_column(reader))
    if token.is_op("|", "||"):
        raise reader.source.error(
            token.at, "The left side of the bar is empty", hint="Write (1 | g)"
        )
    raise reader.unexpected("a term")


def _read_intercept(reader: Reader) -> TermSet:
    token = reader.take()
    if token.text not in ("0", "1"):
        raise reader.source.error(
            token.at,
            f"The number {token.text} isn't a term",
            allowed="1 (an intercept) and 0 (none)",
            hint="A multiple of a column is I(2 * x), a known effect is offset(2 * x)",
        )
    return TermSet(intercept=token.text == "1")


def _read_function(reader: Reader) -> TermSet:
    name = reader.token
    if name.text == "offset":
        return _read_offset(reader)
    if name.text in STRUCTURES and not (name.text in FUNCTIONS and not reader.covariance_inside()):
        reader.take()
        return _read_parenthesis(reader, structure=name)
    if name.text not in FUNCTIONS:
        raise reader.unknown_function(name)
    return algebra.of_term(read_call(reader))


def _read_offset(reader: Reader) -> TermSet:
    name, opening = reader.take(), reader.take()
    with reader.deeper(opening.at):
        inside = read_expression(reader)
        if not any(True for _ in columns_in(inside)):
            raise reader.source.error(name.at, "The offset names no column")
        reader.close(opening)
    return TermSet(offsets=(inside,))


def _read_parenthesis(reader: Reader, structure: Token | None = None) -> TermSet:
    """Read ``(terms)`` or ``(terms | group)``, the latter after a structure's name too."""
    opening = reader.take()
    with reader.deeper(opening.at):
        inside = read_terms(reader)
        bar = reader.take_op("|", "||")
        if structure is not None and structure.text in ORDERED + POINTS:
            whole = reader.token.kind == "number" and reader.token.text == "1"
            if bar is None or (bar.text == "|" and whole):
                return _read_realisation(reader, inside, bar, structure, opening)
        if bar is None:
            reader.close(opening)
            if structure is not None:
                raise reader.source.error(
                    structure.at,
                    f"{structure.text}() takes a random term",
                    hint=f"Write {structure.text}(x | g)",
                )
            return inside
        groups = read_groups(reader)
        options: tuple[Option, ...] = ()
        if structure is None and reader.token.is_op(","):
            raise reader.source.error(
                reader.token.at,
                "A random term without a structure takes no settings",
                hint=f"{KNOWN_COVARIANCE}; a structure is written cs(x | g, hom=True)",
            )
        if structure is not None:
            options = read_options(reader, structure.text, STRUCTURES[structure.text])
        reader.close(opening)
    return _random(reader, inside, bar, groups, structure, options)


def _read_realisation(
    reader: Reader, inside: TermSet, bar: Token | None, structure: Token, opening: Token
) -> TermSet:
    """Read the rest of ``gau(row + col)`` or ``gau(row + col | 1)``: one realisation for all."""
    if bar is not None:
        reader.take()
    options = read_options(reader, structure.text, STRUCTURES[structure.text])
    reader.close(opening)
    if inside.intercept or inside.random or inside.offsets or not inside.terms:
        raise reader.source.error(
            structure.at,
            f"{structure.text}() needs columns with the times or coordinates",
            hint=f"Write {structure.text}(time), or {structure.text}(time | g) with a realisation "
            "for each level of g",
        )
    options = tuple(replace(option, positional=False) for option in options)
    text = algebra.show_terms(replace(inside, intercept=False))
    return TermSet(random=(RandomTerm(text, (), structure.text, options),))


def _random(
    reader: Reader,
    lhs: TermSet,
    bar: Token,
    groups: list[Factors],
    structure: Token | None,
    options: tuple[Option, ...],
) -> TermSet:
    error = reader.source.error
    if lhs.random or lhs.offsets:
        kind = "random term" if lhs.random else "offset"
        raise error(bar.at, f"A {kind} is not allowed inside a random term")
    if lhs.intercept is False and not lhs.terms:
        raise error(
            bar.at, "The left side of the bar has no coefficient", hint="Write (1 | g) or (x | g)"
        )
    if structure is not None and bar.text == "||" and structure.text != "diag":
        raise error(
            bar.at, f"'||' and {structure.text}() both give a structure", hint="Write one bar"
        )
    name = structure.text if structure else {"|": "us", "||": "diag"}[bar.text]
    text = algebra.show_terms(lhs)
    options = tuple(replace(option, positional=False) for option in options)
    if name == "diag" and options:  # one standard deviation for all is a structure of its own
        name, options = ("id" if options[0].value else "diag"), ()
    return TermSet(random=tuple(RandomTerm(text, factors, name, options) for factors in groups))


def read_groups(reader: Reader) -> list[Factors]:
    """Read the right of a bar: ``a/b`` is the factors ``a`` and ``a:b``."""
    groups = _read_crossing(reader)
    while op := reader.take_op("/"):
        parent = _join(*groups)
        _check_size(reader, parent, op)
        inner = _read_crossing(reader)
        _require_further(reader, parent, inner, op)
        groups = [*groups, *(_join(parent, factors) for factors in inner)]
        if len(groups) > MAX_COMBINED:
            raise _too_many(reader, op)
    token = reader.token
    if token.is_op("+", "*"):
        raise reader.source.error(
            token.at,
            f"{token.text!r} can't join grouping factors",
            allowed="a:b (combinations) and a/b (b within a)",
            hint="Write crossed factors as separate terms: (1 | a) + (1 | b)",
        )
    if token.is_op("|", "||"):
        raise reader.source.error(
            token.at, "A random term has one bar", hint="Write (x | g), without a label"
        )
    return groups


def _read_crossing(reader: Reader) -> list[Factors]:
    groups = _read_group(reader)
    while op := reader.take_op(":"):
        right = _read_group(reader)
        if len(groups) > 1 or len(right) > 1:
            raise reader.source.error(
                op.at, "':' joins single factors", hint="Write the nested terms out"
            )
        groups = [_join(groups[0], right[0])]
        _check_size(reader, groups[0], op)
    return groups


def _read_group(reader: Reader) -> list[Factors]:
    token = reader.token
    error = reader.source.error
    if token.is_op("("):
        reader.take()
        with reader.deeper(token.at):
            groups = read_groups(reader)
            reader.close(token)
        return groups
    if token.kind == "number":
        raise error(token.at, "A number can't be a grouping factor", hint="Name a column")
    if token.kind == "name" and reader.following.is_op("("):
        raise error(
            token.at,
            f"The grouping factor can't be a function, {shorter(token.text, 60)}()",
            hint=KNOWN_COVARIANCE
            if token.text == "gr"
            else "Make the column in the table first, and name it here",
        )
    if token.is_op(")") or token.kind == "end":
        raise error(token.at, "The right side of the bar has no grouping factor")
    if token.kind not in ("name", "quoted"):
        raise reader.unexpected("a grouping factor")
    return [(read_column(reader).name,)]


def _check_size(reader: Reader, factors: Factors, op: Token) -> None:
    if len(factors) > MAX_COMBINED:
        raise _too_many(reader, op)


def _require_further(reader: Reader, parent: Factors, inner: list[Factors], op: Token) -> None:
    """Refuse ``a/a``: every part of a nested factor adds a column."""
    for factors in inner:
        if set(factors) <= set(parent):
            raise reader.source.error(
                op.at,
                f"A grouping factor names the column {factors[0]!r} twice",
                hint=f"Leave one out: (1 | {'/'.join(parent)})",
            )


def _too_many(reader: Reader, op: Token) -> FormulaError:
    return reader.source.error(
        op.at, "Too many columns make up a grouping factor", allowed=f"{MAX_COMBINED} at most"
    )


def _join(*groups: Factors) -> Factors:
    return tuple(dict.fromkeys(name for group in groups for name in group))

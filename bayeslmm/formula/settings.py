"""Reads the settings of a function: constants of a known kind, never expressions."""

from __future__ import annotations

from collections.abc import Mapping

from bayeslmm.errors import FormulaError, nearest, shorter
from bayeslmm.formula.functions import CONTRASTS, KINDS, STRUCTURES, Kind
from bayeslmm.formula.lexer import Token
from bayeslmm.formula.reader import Reader
from bayeslmm.formula.syntax import CONSTANTS, Contrast, Literal, Option


def read_options(reader: Reader, owner: str, known: Mapping[str, Kind]) -> tuple[Option, ...]:
    """Read ``, 2, raw=True`` up to the closing parenthesis, which stays."""
    options: list[Option] = []
    while reader.take_op(","):
        options.append(_read_option(reader, owner, known, options))
    return tuple(options)


def _read_option(
    reader: Reader, owner: str, known: Mapping[str, Kind], before: list[Option]
) -> Option:
    start = reader.token
    positional = not (start.kind == "name" and reader.following.is_op("="))
    if positional:
        name = _positional_name(reader, owner, known, before)
    else:
        name = reader.take().text
        reader.take()
        if name not in known:
            raise reader.source.error(
                start.at,
                f"{owner}() has no setting {shorter(name, 60)!r}",
                hint=elsewhere_named(owner, name) or nearest(name, known),
            )
    if any(option.name == name for option in before):
        raise reader.source.error(start.at, f"{name!r} is given twice to {owner}()")
    return Option(name, _read_literal(reader, owner, name, known[name]), positional)


def elsewhere_named(owner: str, name: str) -> str | None:
    """What to write for a setting of the same function in R."""
    if name in ("ref", "levels", "base") and owner == "C":
        return "Write C(x, contr.treatment('base level'))"
    if name in ("cov", "by") and owner in STRUCTURES:
        return "Give a known covariance of levels as relationship={'g': matrix}"
    return None


def _positional_name(
    reader: Reader, owner: str, known: Mapping[str, Kind], before: list[Option]
) -> str:
    if any(not option.positional for option in before):
        raise reader.source.error(
            reader.token.at, "A setting without a name follows one with a name"
        )
    if len(before) >= len(known):
        raise reader.source.error(
            reader.token.at,
            f"{owner}() is given too many values",
            allowed=f"a column{''.join(f', {name}' for name in known)}",
        )
    return list(known)[len(before)]


def _read_literal(reader: Reader, owner: str, name: str, kind: Kind) -> Literal:
    start = reader.token
    value = _literal(reader, kind)
    if value is None:
        raise _wrong_kind(reader, start, owner, name, kind)
    return value


def _literal(reader: Reader, kind: Kind) -> Literal | None:
    match kind:
        case "flag":
            return CONSTANTS.get(reader.take().text) if reader.token.kind == "name" else None
        case "contrast":
            return _read_contrast(reader)
        case "numbers":
            return _read_numbers(reader)
        case "label" if reader.token.kind == "string":
            return reader.take().text[1:-1]
        case _:
            value = _read_number(reader)
            whole = value is not None and value == int(value)
            return None if kind == "whole" and not whole else value


def _read_number(reader: Reader) -> float | None:
    sign = -1.0 if reader.take_op("-") else 1.0
    return sign * float(reader.take().text) if reader.token.kind == "number" else None


def _read_numbers(reader: Reader) -> tuple[float, ...] | None:
    # c(1, 2) is how R writes [1, 2]
    if reader.token.kind == "name" and reader.token.text == "c":
        reader.take()
    opening = reader.take_op("[", "(")
    if opening is None:
        return None
    closing = {"[": "]", "(": ")"}[opening.text]
    values: list[float] = []
    while not reader.take_op(closing):
        if values and not reader.take_op(","):
            return None
        if values and reader.take_op(closing):
            break
        value = _read_number(reader)
        if value is None:
            return None
        values.append(value)
    return tuple(values)


def _read_contrast(reader: Reader) -> Contrast | None:
    token = reader.token
    if token.kind != "name":
        return None
    reader.take()
    kind = token.text.removeprefix("contr.")
    if kind not in CONTRASTS or not token.text.startswith("contr."):
        raise reader.source.error(
            token.at,
            f"Unknown contrast {shorter(token.text, 60)!r}",
            hint=nearest(f"contr.{kind.lower()}", [f"contr.{known}" for known in CONTRASTS]),
        )
    opening = reader.take_op("(")
    if opening is None:
        return Contrast(kind)
    known = CONTRASTS[kind]
    options: list[Option] = []
    if not reader.token.is_op(")"):
        options.append(_read_option(reader, token.text, known, options))
    while reader.take_op(","):
        options.append(_read_option(reader, token.text, known, options))
    reader.close(opening)
    return Contrast(kind, tuple(options))


def _wrong_kind(reader: Reader, start: Token, owner: str, name: str, kind: Kind) -> FormulaError:
    if start.kind == "end":
        return reader.unexpected(f"{name} of {owner}()")
    hint = None
    if start.kind == "string":
        hint = "Text in quotes is only allowed for a level, as in contr.treatment('a')"
    elif start.kind in ("name", "quoted"):
        hint = "A setting is a constant: columns and expressions are not allowed"
    return reader.source.error(
        start.at, f"{name} of {owner}() can't be read", allowed=KINDS[kind], hint=hint
    )

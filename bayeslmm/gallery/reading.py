"""TOML text -> `Specification`: every key and type checked. No data is read, no code is run."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from bayeslmm.errors import FileError, nearest
from bayeslmm.gallery.schema import (
    Place,
    Reader,
    fields,
    flag,
    mapping,
    number,
    one_of,
    several,
    text,
)
from bayeslmm.gallery.types import (
    Column,
    Printed,
    Reference,
    Specification,
    Tolerance,
    Value,
    Variant,
)


def read_specification(path: Path) -> Specification:
    """Read and check a model file.

    Raises
    ------
    FileError
        A file that is missing or not TOML (with the position), or a value that is not allowed.
    """
    place = Place(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise FileError(f"The model file {str(path)!r} can't be read: {error.strerror}") from error
    except RecursionError as error:
        raise place.error("this TOML is nested too deeply") from error
    except ValueError as error:  # malformed TOML or not UTF-8: both have the position
        raise place.error(f"this isn't valid TOML: {error}") from error
    got = fields(content, place, _TOP, required=("data", "model"))
    variants, references = got.get("variant", ()), got.get("reference", ())
    _check_names(variants, references, place)
    return Specification(
        path=path,
        name=got.get("name", path.stem),
        title=got.get("title", ""),
        description=got.get("description", ""),
        citation=got.get("citation", ""),
        file=path.parent / got["data"]["file"],
        columns=got["data"].get("columns", {}),
        keywords=got["model"],
        variants=variants,
        references=references,
    )


def _check_names(
    variants: Iterable[Variant], references: Iterable[Reference], place: Place
) -> None:
    names = [each.name for each in variants]
    for i, name in enumerate(names, start=1):
        if name in names[: i - 1]:
            raise place.at("variant").item(i).error(f"two variants have the name {name!r}")
    for i, each in enumerate(references, start=1):
        if each.variant is not None and each.variant not in names:
            raise (place.at("reference").item(i).at("variant")).error(
                f"there is no variant {each.variant!r}", hint=nearest(each.variant, names)
            )


def _column(value: object, place: Place) -> Column:
    readers = {"kind": one_of("category", "number"), "levels": several(text), "ordered": flag}
    got = fields(value, place, readers)
    kind = got.pop("kind", "category")
    if kind == "number" and got:
        raise place.error("a column of kind 'number' can't have these keys", got=list(got))
    levels = got.get("levels")
    if levels is not None and len(set(levels)) < len(levels):
        twice = next(level for level in levels if levels.count(level) > 1)
        raise place.at("levels").error(f"the level {twice!r} occurs twice")
    return Column(kind, **got)


def _value(value: object, place: Place) -> Value:
    if not isinstance(value, dict):
        return Value(number(value, place))
    parts = ("estimate", "std_error", "mcse", "mcse_std_error")
    return Value(**fields(value, place, dict.fromkeys(parts, number), required=("estimate",)))


def _prior(value: object, place: Place) -> str | dict[str, str]:
    return text(value, place) if isinstance(value, str) else mapping(text)(value, place)


def _variant(value: object, place: Place) -> Variant:
    got = fields(value, place, {"name": text, "description": text} | _KEYWORDS, required=("name",))
    return Variant(got.pop("name"), got.pop("description", ""), got)


def _reference(value: object, place: Place) -> Reference:
    got = fields(value, place, _REFERENCE, required=("method", "source"))
    for key in ("sd", "cor", "coef"):
        got[key] = dict(_flat(got.get(key, {})))
    return Reference(**got)


def _flat(tree: dict[str, Any], *path: str) -> Iterable[tuple[tuple[str, ...], Value]]:
    for key, item in tree.items():
        if isinstance(item, Value):
            yield (*path, key), item
        else:
            yield from _flat(item, *path, key)


def _tolerance(value: object, place: Place) -> Tolerance:
    parts = ("loglik", "fixef", "sd", "cor", "mcse")
    return Tolerance(**fields(value, place, dict.fromkeys(parts, number)))


def _printed(value: object, place: Place) -> Printed:
    parts = ("row", "column", "text", "remark")
    return Printed(**fields(value, place, dict.fromkeys(parts, text), required=parts[:3]))


_KEYWORDS: dict[str, Reader[Any]] = {
    "formula": text,
    "family": text,
    "link": text,
    "priors": _prior,
    "residual": text,
    "random": mapping(text),
    "dpar": mapping(text),
    "weights": text,
    "offset": text,
    "known_sd": text,
    "trials": text,
    "missing": one_of("drop", "error"),
}
_REFERENCE: dict[str, Reader[Any]] = {
    "variant": text,
    "method": one_of("reml", "ml", "posterior"),
    "source": text,
    "loglik": number,
    "singular": flag,
    "fixef": mapping(_value),
    "sd": mapping(mapping(_value)),
    "cor": mapping(mapping(mapping(_value))),
    "coef": mapping(mapping(mapping(_value))),
    "sigma": _value,
    "tolerance": _tolerance,
    "printed": _printed,
}
_TOP: dict[str, Reader[Any]] = {
    "name": text,
    "title": text,
    "description": text,
    "citation": text,
    "data": partial(fields, readers={"file": text, "columns": mapping(_column)}, required=["file"]),
    "model": partial(fields, readers=_KEYWORDS, required=["formula"]),
    "variant": several(_variant),
    "reference": several(_reference),
}

"""From a specification and a table to a Model."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayeslmm.design import Categories, Design, aliasing, learn
from bayeslmm.errors import DataWarning, IdentifiabilityWarning, ModelError, PriorError, warn
from bayeslmm.families import LINKS, Auxiliary, Family, Link, Response
from bayeslmm.formula import Formula, parse
from bayeslmm.model.checks import find
from bayeslmm.model.effects import EFFECTS
from bayeslmm.model.names import renamed
from bayeslmm.model.response import (
    Predictor,
    check_inputs,
    check_rows,
    describe,
    family_of,
    of_parameter,
    predictor,
)
from bayeslmm.model.scales import extents
from bayeslmm.model.types import Finding, Model, Specification
from bayeslmm.priors import Prior, Slot, Slots, resolve_priors

Column = str | ArrayLike | None
Priors = Mapping[str, str | Prior] | str | None


def build(spec: Specification, data: Any, extras: Mapping[str, Column] | None = None) -> Model:
    """Resolve a specification against a table.

    Parameters
    ----------
    spec : Specification
    data : table
        pandas, polars or Arrow.
    extras : mapping, optional
        Row-wise inputs by what they are: ``weights``, ``offset``, ``known_sd``, ``trials``; a
        column name or an array of n numbers each.

    Raises
    ------
    FormulaError, ColumnError, DataError, PriorError, ModelError
        Whatever is wrong with the part of that name.
    """
    family, link = family_of(spec)
    given = {key: value for key, value in (extras or {}).items() if value is not None}
    check_inputs(family, link, given, spec.dpar)
    formulas = _formulas(spec)
    design = _learn(formulas[""], formulas.values(), data, given, spec.missing, family)
    check_rows(design, family)
    own, others = _split(spec.priors, spec.dpar)
    response = describe(design, family, link)
    dpars = {}
    for auxiliary in family.auxiliaries:
        name = auxiliary.name
        if name in spec.dpar:
            with warnings.catch_warnings():  # rows that were dropped are told of once
                warnings.simplefilter("ignore", DataWarning)
                there = _learn(formulas[name], formulas.values(), data, {}, spec.missing, family)
            dpars[name] = _parameter(spec, family, auxiliary, there, response, others[name])
    about = predictor(response, family, link, design.extras.get("trials"))
    model = _resolve(replace(spec, priors=own), design, family, link, about, response, dpars)
    notes = [*design.notes, *model.notes]
    if model.has_sigma and design.n <= design.p:
        notes.append(warn(f"{design.n} rows for {design.p} fixed coefficients", DataWarning))
    if design.categories and not family.categorical:
        no, yes = design.categories
        notes.append(warn(f"{design.formula.response} is 1 for {yes}, 0 for {no}.", DataWarning))
    notes += [warn(text, DataWarning) for text in renamed(model)]
    return replace(model, spec=spec, notes=tuple(notes))


def _formulas(spec: Specification) -> dict[str, Formula]:
    """The formula of the response (under the empty name), and of every further parameter."""
    out = {"": parse(spec.formula)}
    for name, text in spec.dpar.items():
        parse(text, one_sided=True)
        out[name] = parse(f"{out[''].response} {text.strip()}")
    return out


def _learn(
    formula: Formula,
    all_formulas: Collection[Formula],
    data: Any,
    extras: Mapping[str, str | ArrayLike],
    missing: str,
    family: Family,
) -> Design:
    also = dict.fromkeys(name for f in all_formulas for name in f.variables)
    kind: Categories = "all" if family.categorical else "none"
    if family.name == "bernoulli":
        kind = "text"
    return learn(formula, data, extras=extras, missing=missing, categories=kind, also=also)


def _split(priors: Priors, dpar: Mapping[str, str]) -> tuple[Priors, dict[str, Priors]]:
    """The priors of the response's predictor, and of each further one without its prefix."""
    others: dict[str, Any] = {name: {} for name in dpar}
    if not isinstance(priors, Mapping):
        return priors, others
    own: dict[str, str | Prior] = {}
    for key, value in priors.items():
        name = next((n for n in dpar if str(key).strip().startswith(f"{n}_")), None)
        if name is None:
            own[key] = value
        else:
            others[name][str(key).strip().removeprefix(f"{name}_")] = value
    return own, others


def _parameter(
    spec: Specification,
    family: Family,
    auxiliary: Auxiliary,
    design: Design,
    response: Response,
    priors: Priors,
) -> Model:
    """The predictor of a further parameter of the family."""
    link = LINKS[auxiliary.link]
    own = replace(spec, formula=spec.dpar[auxiliary.name], priors=priors, random={}, dpar={})
    about = of_parameter(auxiliary, link, response)
    return _resolve(own, design, family, link, about, None, {}, f"{auxiliary.name}_")


def _resolve(
    spec: Specification,
    design: Design,
    family: Family,
    link: Link,
    about: Predictor,
    response: Response | None,
    dpars: Mapping[str, Model],
    prefix: str = "",
) -> Model:
    """A predictor with its priors, and what can be seen in it before any fit."""
    _check_random(spec, design, categorical=family.categorical == "unordered")
    alias = aliasing(design.X, design.coefs)
    fixed, random = extents(design)
    coefs = _coefs(design, family, prefix)
    others = _others(spec, design, family, response, dpars)
    slots = Slots(
        coefs=coefs,
        x_scale=np.asarray(fixed.scale[[c in coefs for c in design.coefs]]),
        random={b.group: (b.coefs, e.scale) for b, e in zip(design.blocks, random, strict=True)},
        correlated=_correlated(design),
        others=others,
        centre=about.centre,
        slope=about.slope,
        effect=about.effect,
    )
    priors = _priors(spec.priors, slots, prefix)
    findings = (
        *find(design, random, sigma_known="sigma" not in others),
        *_rank_findings(alias.aliased),
    )
    notes = tuple(_say(findings))
    unit = response.spread if response is not None and link.name == "identity" else 1.0
    return Model(
        spec, design, family, priors, alias, link, findings, notes, dict(dpars), prefix,
        unit=unit if unit > 0 and not family.categorical else 1.0,
    )  # fmt: skip


def _priors(given: Priors, slots: Slots, prefix: str) -> dict[str, Prior]:
    try:
        return resolve_priors(given, slots)
    except PriorError as error:
        if not prefix:
            raise
        where = f"In the predictor of {prefix[:-1]!r}, whose priors' keys begin with {prefix!r}"
        raise PriorError(f"{where}: {error}") from None


def _coefs(design: Design, family: Family, prefix: str) -> tuple[str, ...]:
    if family.categorical == "ordered" and not prefix:
        return tuple(c for c in design.coefs if c != "Intercept")
    return design.coefs


def _correlated(design: Design) -> frozenset[str]:
    return frozenset(
        b.group
        for b in design.blocks
        if any(part.structure == "us" and len(part.columns) > 1 for part in b.parts)
    )


def _check_random(spec: Specification, design: Design, *, categorical: bool) -> None:
    groups = {b.group: b for b in design.blocks}
    for group, kind in spec.random.items():
        if group not in groups:
            raise ModelError(f"random= names no grouping factor {group!r}", allowed=list(groups))
        if kind != "normal" and categorical:
            raise ModelError("random= isn't available for unordered categories")
        if kind not in ("normal", *EFFECTS):
            raise ModelError(
                f"Unknown distribution {kind!r} of random effects",
                allowed=", ".join(("normal", *EFFECTS)),
            )


def _others(
    spec: Specification,
    design: Design,
    family: Family,
    response: Response | None,
    dpars: Mapping[str, Model],
) -> dict[str, Slot]:
    """Parameters of the response's family, and of effects that are not normal."""
    out = {}
    if response is not None:
        for a in family.auxiliaries:
            if a.name not in dpars and not (a.name == "sigma" and "known_sd" in design.extras):
                out[a.name] = Slot(a.default(response), a.lower, a.upper)
    for block in design.blocks:
        kind = spec.random.get(block.group, "normal")
        if kind in EFFECTS:
            for key, declared in EFFECTS[kind].extras(block.group, block.coefs).items():
                out[key] = Slot(*declared)
    return out


def _rank_findings(aliased: Mapping[str, Mapping[str, float]]) -> list[Finding]:
    out = []
    for name, combination in aliased.items():
        terms = " + ".join(f"{value:g} {other}" for other, value in combination.items()) or "0"
        text = (
            f"Fixed column {name!r} is aliased, it equals {terms}: ml, reml and fits with flat "
            "coefficients leave it out."
        )
        out.append(Finding(text))
    return out


def _say(findings: tuple[Finding, ...]) -> list[str]:
    for finding in findings:
        warn(finding.text, IdentifiabilityWarning)
    return [finding.text for finding in findings]

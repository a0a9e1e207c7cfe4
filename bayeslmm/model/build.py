"""From a specification and a table to a Model."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslmm.covariance import Precision
from bayeslmm.design import Aliasing, Categories, Design, aliasing, aliasing_of_centred, learn
from bayeslmm.errors import (
    DataWarning,
    IdentifiabilityWarning,
    ModelError,
    PriorError,
    combined,
    listed,
    warn,
)
from bayeslmm.families import LINKS, Auxiliary, Family, Link, Response
from bayeslmm.formula import Formula, parse
from bayeslmm.memory import check_free_covariance
from bayeslmm.model.centring import is_far
from bayeslmm.model.checks import find
from bayeslmm.model.effects import EFFECTS
from bayeslmm.model.known import NOTHING, ROW, Known, check_residual
from bayeslmm.model.names import renamed
from bayeslmm.model.residual import (
    Residual,
    columns_of_residual,
    occasions_of_residual,
    resolve_residual,
)
from bayeslmm.model.response import (
    Predictor,
    check_inputs,
    check_rows,
    describe,
    family_of,
    of_parameter,
    predictor,
)
from bayeslmm.model.scales import Extent, extents
from bayeslmm.model.sizes import require_sizes
from bayeslmm.model.slots import fixed_scale, random_slots
from bayeslmm.model.structures import structure_of
from bayeslmm.model.types import Finding, Model, Specification
from bayeslmm.priors import Prior, Slot, Slots, resolve_priors

Floats = NDArray[np.float64]
Column = str | ArrayLike | None
MOST_ALIASED = 10  # columns, and terms of one, that are written out
NO_KIN: Mapping[str, Precision] = {}
Priors = Mapping[str, str | Prior] | str | None


def build(
    spec: Specification,
    data: Any,
    extras: Mapping[str, Column] | None = None,
    known: Known = NOTHING,
) -> Model:
    """Resolve a specification against a table.

    Parameters
    ----------
    spec : Specification
    data : table
        pandas, polars or Arrow.
    extras : mapping, optional
        Row-wise inputs by what they are: ``weights``, ``offset``, ``known_sd``, ``trials``; a
        column name or an array of n numbers each.
    known : Known
        Matrices that are given.

    Raises
    ------
    FormulaError, ColumnError, DataError, PriorError, ModelError
        Whatever is wrong with the part of that name.
    """
    family, link = family_of(spec)
    given = {key: value for key, value in (extras or {}).items() if value is not None}
    formula = parse(spec.formula)  # cbind() and trials() in it go before a missing trials=
    check_inputs(family, link, given, spec.dpar)
    formulas = _formulas(formula, spec)
    check_residual(spec, known)
    if known.residual is not None:
        given[ROW] = np.arange(len(known.residual))
    design = _learn(formulas[""], formulas.values(), data, given, spec, family, known.levels)
    check_rows(design, family)
    residual = resolve_residual(spec.residual, known.residual_of(design), design)
    if "known_sd" in given and residual is not None:
        residual.require_no_variances()
    own, others = _split(spec.priors, spec.dpar)
    response = describe(design, family, link)
    dpars = {}
    for auxiliary in family.auxiliaries:
        name = auxiliary.name
        if name in spec.dpar:
            with warnings.catch_warnings():  # dropped rows are reported once
                warnings.simplefilter("ignore", DataWarning)
                there = _learn(formulas[name], formulas.values(), data, {}, spec, family)
            dpars[name] = _parameter(spec, family, auxiliary, there, response, others[name])
    about = predictor(response, family, link, design.extras.get("trials"))
    model = _resolve(
        replace(spec, priors=own), design, family, link, about, response, dpars,
        residual=residual, kin=known.kin(design),
    )  # fmt: skip
    notes = [*design.notes, *model.notes, *([] if residual is None else residual.notes)]
    if model.has_sigma and design.n <= design.p:
        notes.append(warn(f"{design.n} rows for {design.p} fixed coefficients", DataWarning))
    if design.categories and not family.categorical:
        no, yes = design.categories
        notes.append(f"The response {design.formula.response!r} is 1 for {yes} and 0 for {no}.")
    times = {note for sub in dpars.values() for note in sub.design.columns.time_notes}
    texts = [*sorted(times - set(design.notes)), *renamed(model), *known.unlabelled(design)]
    notes += [warn(text, DataWarning) for text in texts]
    return replace(model, spec=spec, notes=tuple(notes))


def _formulas(formula: Formula, spec: Specification) -> dict[str, Formula]:
    """The formula of the response (under the empty name), and of every further parameter."""
    out = {"": formula}
    for name, text in spec.dpar.items():
        parse(text, one_sided=True)
        out[name] = parse(f"{out[''].response} {text.strip()}")
    return out


def _learn(
    formula: Formula,
    all_formulas: Collection[Formula],
    data: Any,
    extras: Mapping[str, str | ArrayLike],
    spec: Specification,
    family: Family,
    levels: Mapping[str, NDArray[Any]] | None = None,
) -> Design:
    also = dict.fromkeys(name for f in all_formulas for name in f.variables)
    kind: Categories = "all" if family.categorical else "none"
    if family.name == "bernoulli":
        kind = "text"
    beside, grouping = columns_of_residual(spec.residual)
    return learn(
        formula,
        data,
        extras=extras,
        missing=spec.missing,
        categories=kind,
        also=also,
        beside=beside,
        grouping=grouping,
        occasions=occasions_of_residual(spec.residual),
        levels=levels,
    )


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
    text = spec.dpar[auxiliary.name]
    own = replace(spec, formula=text, priors=priors, random={}, dpar={}, residual=None)
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
    residual: Residual | None = None,
    kin: Mapping[str, Precision] = NO_KIN,
) -> Model:
    """A predictor with its priors, and what can be seen in it before any fit."""
    _check_random(spec, design, kin, categorical=family.categorical == "unordered")
    _check_memory(design)
    fixed, random = extents(design)
    require_sizes(design, fixed, random)
    scale = fixed_scale(design, fixed)
    alias = _aliasing(design, fixed, scale)
    coefs = _coefs(design, family, prefix)
    others = _others(spec, design, family, response, dpars, residual)
    has = [c in coefs for c in design.coefs]
    slots = Slots(
        coefs=coefs,
        x_scale=scale[has],
        moved=tuple(m for m, here in zip(design.centred.moved, has, strict=True) if here),
        random=random_slots(design, random, spec.random),
        residual_correlated=residual is not None and residual.is_free,
        others=others,
        centre=about.centre,
        slope=about.slope,
        effect=about.effect,
        shares_sigma="sigma" in others and link.name == "identity",
    )
    priors = _priors(spec.priors, slots, prefix)
    findings = (
        *find(
            design,
            (fixed, *random),
            kin,
            residual,
            spec.residual,
            gaussian=response is not None and _closed(spec, family, link),
            sigma_known=not any(key.startswith("sigma") for key in others),
        ),
        *_rank_findings(alias.aliased),
    )
    notes = tuple(_say(findings))
    unit = response.spread if response is not None and link.name == "identity" else 1.0
    return Model(
        spec, design, family, priors, alias, link, findings, notes, dict(dpars), prefix,
        unit=unit if unit > 0 and not family.categorical else 1.0, residual=residual,
        kin=dict(kin),
    )  # fmt: skip


def _aliasing(design: Design, fixed: Extent, scale: Floats) -> Aliasing:
    """The aliased columns of the rows in the likelihood, decided on centred columns where the
    covariates' origin is so far away that their variation is lost beside it."""
    weights = design.extras.get("weights")
    used = slice(None) if weights is None or np.all(weights > 0) else weights > 0
    centred = design.centred
    if not is_far(centred, fixed.size, scale):
        return aliasing(design.X[used], design.coefs)
    return aliasing_of_centred(centred, design.columns, design.X, used, design.coefs)


def _closed(spec: Specification, family: Family, link: Link) -> bool:
    """Whether V is the covariance of the response."""
    normal = all(kind == "normal" for kind in spec.random.values())
    return family.name == "gaussian" and link.name == "identity" and not spec.dpar and normal


def _priors(given: Priors, slots: Slots, prefix: str) -> dict[str, Prior]:
    try:
        return resolve_priors(given, slots)
    except PriorError as error:
        if not prefix:
            raise
        where = f"In the predictor of {prefix[:-1]!r}, where keys of priors begin with {prefix!r}"
        raise PriorError(f"{where}: {error}") from None


def _check_memory(design: Design) -> None:
    for block in design.blocks:
        for part in block.parts:
            if part.structure == "us":
                term = f"({block.coefs[part.columns[0]]} + … | {block.group})"
                check_free_covariance(term, len(part.columns))


def _coefs(design: Design, family: Family, prefix: str) -> tuple[str, ...]:
    if family.categorical == "ordered" and not prefix:
        return tuple(c for c in design.coefs if c != "Intercept")
    return design.coefs


def _check_random(
    spec: Specification, design: Design, kin: Mapping[str, Precision], *, categorical: bool
) -> None:
    groups = {b.group: b for b in design.blocks}
    for group, kind in spec.random.items():
        if group not in groups:
            raise ModelError(
                f"random= has an unknown grouping factor {group!r}", allowed=list(groups)
            )
        if kind != "normal" and group in kin:
            raise ModelError(
                f"Effects of {group!r} have a relationship matrix, which needs the normal "
                "distribution",
                got=kind,
            )
        if kind != "normal" and categorical:
            raise ModelError(
                "random= is not available for unordered categories", hint="Leave out random="
            )
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
    residual: Residual | None,
) -> dict[str, Slot]:
    """Parameters of the response's family, and of effects that are not normal."""
    out: dict[str, Slot] = {}
    if response is not None:
        for a in family.auxiliaries:
            if a.name not in dpars and not (a.name == "sigma" and "known_sd" in design.extras):
                out |= _of_family(a, response, residual)
    if residual is not None:
        for p in residual.parameters[: residual.n_single]:
            also = ("residual_par",)
            out[f"residual_par[{p.name}]"] = Slot(p.prior, p.lower, p.upper, also)
    for block in design.blocks:
        for part in block.parts:
            structure = structure_of(part, tuple(block.coefs[c] for c in part.columns))
            for p in structure.parameters:
                also = (f"{block.group}_par",)
                out[f"{block.group}_par[{p.name}]"] = Slot(p.prior, p.lower, p.upper, also)
        kind = spec.random.get(block.group, "normal")
        if kind in EFFECTS:
            for key, declared in EFFECTS[kind].extras(block.group, block.coefs).items():
                out[key] = Slot(*declared)
    return out


def _of_family(a: Auxiliary, response: Response, residual: Residual | None) -> dict[str, Slot]:
    """A parameter of the family; sigma by stratum where there are some."""
    default = a.default(response)
    if a.name != "sigma" or residual is None or residual.strata is None:
        return {a.name: Slot(default, a.lower, a.upper)}
    labels = residual.strata.labels
    return {f"sigma[{x}]": Slot(default, a.lower, a.upper, also=("sigma",)) for x in labels}


def _rank_findings(aliased: Mapping[str, Mapping[str, float]]) -> list[Finding]:
    out = []
    for name, combination in list(aliased.items())[:MOST_ALIASED]:
        text = (
            f"Fixed column {name!r} is aliased: it equals {combined(combination, MOST_ALIASED)}. "
            "Methods 'ml' and 'reml', and fits with flat priors on coefficients, leave it out."
        )
        out.append(Finding(text))
    if len(aliased) > MOST_ALIASED:
        rest = list(aliased)[MOST_ALIASED:]
        out.append(Finding(f"{len(rest)} more fixed columns are aliased: {listed(rest)}."))
    return out


def _say(findings: tuple[Finding, ...]) -> list[str]:
    for finding in findings:
        warn(finding.text, IdentifiabilityWarning)
    return [finding.text for finding in findings]

"""From a specification and a table to a Model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayeslmm.design import Design, aliasing, learn
from bayeslmm.errors import (
    DataError,
    DataWarning,
    IdentifiabilityWarning,
    ModelError,
    nearest,
    warn,
)
from bayeslmm.families import FAMILIES, Family
from bayeslmm.formula import parse
from bayeslmm.model.checks import find
from bayeslmm.model.names import renamed
from bayeslmm.model.scales import Extent, extent, extents, median
from bayeslmm.model.types import Finding, Model, Specification
from bayeslmm.priors import Slots, resolve_priors

Column = str | ArrayLike | None


def build(spec: Specification, data: Any, extras: Mapping[str, Column] | None = None) -> Model:
    """Resolve a specification against a table.

    Parameters
    ----------
    spec : Specification
    data : table
        pandas, polars or Arrow.
    extras : mapping, optional
        Row-wise inputs by what they are: ``weights``, ``offset``, ``known_sd``; a column name
        or an array of n numbers each.

    Raises
    ------
    FormulaError, ColumnError, DataError, PriorError, ModelError
        Whatever is wrong with the part of that name.
    """
    family = _family(spec)
    given = {key: value for key, value in (extras or {}).items() if value is not None}
    if "weights" in given and "known_sd" in given:
        raise ModelError(
            "weights and known_sd can't go together",
            hint="Put the weights into the known standard deviations: sd / sqrt(weight)",
        )
    design = learn(parse(spec.formula), data, extras=given, missing=spec.missing)
    _check_extras(design)
    sigma_known = "known_sd" in design.extras
    alias = aliasing(design.X, design.coefs)
    fixed, random = extents(design)
    priors = resolve_priors(spec.priors, _slots(design, fixed, random, sigma_known))
    findings = (*find(design, random, sigma_known=sigma_known), *_rank_findings(alias.aliased))
    notes = [*design.notes, *_say(findings)]
    if family.has_sigma and not sigma_known and design.n <= design.p:
        notes.append(warn(f"{design.n} rows for {design.p} fixed coefficients", DataWarning))
    model = Model(spec, design, family, priors, alias, findings)
    notes += [warn(text, DataWarning) for text in renamed(model)]
    return replace(model, notes=tuple(notes))


def _family(spec: Specification) -> Family:
    if not isinstance(spec.family, str) or spec.family not in FAMILIES:
        raise ModelError(
            f"Unknown family {spec.family!r}", hint=nearest(str(spec.family), FAMILIES)
        )
    family = FAMILIES[spec.family]
    if spec.link is not None and spec.link not in family.links:
        raise ModelError(
            f"Family {family.name!r} has no link {spec.link!r}", allowed=", ".join(family.links)
        )
    return family


def _check_extras(design: Design) -> None:
    weights = design.extras.get("weights")
    if weights is not None:
        if np.any(weights < 0):
            raise DataError("Weights can't be negative", got=_where(design, weights < 0, weights))
        if not np.any(weights > 0):
            raise DataError("All weights are zero", hint="Zero leaves a row out of the likelihood")
    known = design.extras.get("known_sd")
    if known is not None and np.any(known <= 0):
        raise DataError(
            "Known standard deviations must be positive", got=_where(design, known <= 0, known)
        )


def _where(design: Design, bad: NDArray[np.bool_], values: NDArray[np.float64]) -> str:
    first = int(np.flatnonzero(bad)[0])
    return f"{values[first]:g} at row {design.index[first]} ({int(bad.sum())} such rows)"


def _slots(design: Design, fixed: Extent, random: tuple[Extent, ...], sigma_known: bool) -> Slots:
    y = design.y - design.offset if design.has_offset else design.y
    of_y = extent(y[:, None])
    spread = float(of_y.sd[0])
    if spread == 0.0 or spread <= 1e-14 * of_y.size[0]:
        raise DataError(
            f"The response {design.formula.response!r} is constant: there is nothing to explain",
            got=f"{y[0]:g} in all {len(y)} rows",
        )
    robust = 1.4826 * median(y, around=median(y))
    correlated = frozenset(
        b.group
        for b in design.blocks
        if any(part.structure == "us" and len(part.columns) > 1 for part in b.parts)
    )
    return Slots(
        coefs=design.coefs,
        x_scale=fixed.scale,
        random={b.group: (b.coefs, e.scale) for b, e in zip(design.blocks, random, strict=True)},
        correlated=correlated,
        has_sigma=not sigma_known,
        centre=float(y.mean()),
        spread=spread,
        robust=robust if robust > 0 else spread,
    )


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

"""What a response's family asks of the data, and what the defaults of priors take from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.design import Design
from bayeslmm.errors import DataError, ModelError, nearest
from bayeslmm.families import FAMILIES, LINKS, Auxiliary, Family, Link, Response
from bayeslmm.model.scales import extent, median
from bayeslmm.model.sizes import require_size
from bayeslmm.model.types import Specification
from bayeslmm.synonyms import elsewhere

Floats = NDArray[np.float64]
WIDE = 2.5  # sds of the predictor, or units of a link's scale
_FAR = 500.0  # of logs, whose exponentials floats hold
LEAST = 1e-3  # of the response's spread: the smallest mean of links for positive means


@dataclass(frozen=True, slots=True)
class Predictor:
    """About where a linear predictor is, and how far it reaches."""

    centre: float
    slope: float
    effect: float


def family_of(spec: Specification) -> tuple[Family, Link]:
    """The family and the link that a specification names.

    Raises
    ------
    ModelError
        An unknown family, a link that it doesn't have, or a parameter that it doesn't have.
    """
    if not isinstance(spec.family, str) or spec.family not in FAMILIES:
        raise ModelError(
            f"Unknown family {spec.family!r}", hint=nearest(str(spec.family), FAMILIES, "family")
        )
    family = FAMILIES[spec.family]
    if spec.link is not None and spec.link not in family.links:
        raise ModelError(
            f"Family {family.name!r} has no link {spec.link!r}",
            allowed=family.links,
            hint=_link_elsewhere(str(spec.link), family),
        )
    names = [a.name for a in family.auxiliaries if not a.ordered]
    for name in spec.dpar:
        if name not in names:
            allowed = ", ".join(names) or "none"
            raise ModelError(f"Family {family.name!r} has no parameter {name!r}", allowed=allowed)
    return family, LINKS[spec.link or family.links[0]]


def _link_elsewhere(name: str, family: Family) -> str | None:
    found = elsewhere(name, "link")
    return f"Did you mean {found!r}?" if found in family.links else None


def check_inputs(family: Family, link: Link, given: Mapping[str, Any], dpar: object) -> None:
    """Refuse row-wise inputs that contradict each other or the family."""
    if "weights" in given and "known_sd" in given:
        raise ModelError(
            "weights and known_sd can't be combined",
            hint="Divide the known standard deviations by sqrt(weight) and leave out weights=",
        )
    if "known_sd" in given and family.name != "gaussian":
        raise ModelError("known_sd= needs a Gaussian response", got=family.name)
    if "known_sd" in given and dpar:
        raise ModelError("known_sd= and a predictor of sigma can't be combined: leave out dpar=")
    if "trials" in given and not family.takes_trials:
        takers = ", ".join(f.name for f in FAMILIES.values() if f.takes_trials)
        raise ModelError(f"Family {family.name!r} takes no trials", allowed=takers)
    if family.takes_trials and "trials" not in given:
        raise ModelError(
            f"Family {family.name!r} needs the number of trials of each row",
            hint="Give trials= as a column's name or an array; for single trials use 'bernoulli'",
        )


def check_rows(design: Design, family: Family) -> None:
    """Refuse inputs and responses outside their ranges, naming the first row."""
    extras = design.extras
    weights, known, trials = (extras.get(k) for k in ("weights", "known_sd", "trials"))
    if weights is not None:
        if np.any(weights < 0):
            raise DataError("Weights can't be negative", got=_where(design, weights < 0, weights))
        if not np.any(weights > 0):
            raise DataError(
                "All weights are zero", hint="A weight of zero leaves a row out of the likelihood"
            )
    if known is not None and np.any(known <= 0):
        raise DataError(
            "Known standard deviations must be positive", got=_where(design, known <= 0, known)
        )
    if trials is not None:
        bad = (trials < 0) | (trials != np.floor(trials))
        if bad.any():
            raise DataError(
                "Trials must be whole numbers, not negative", got=_where(design, bad, trials)
            )
    _check_categories(design, family)
    refused, allowed = family.refused(design.y, trials)
    if refused.any():
        raise DataError(
            f"The response {design.formula.response!r} is not valid for family {family.name!r}",
            got=_where(design, refused, design.y),
            allowed=allowed,
        )


def _check_categories(design: Design, family: Family) -> None:
    found = design.categories
    if not found:
        return
    if family.categorical and len(found) < 2:
        raise DataError(
            f"The response {design.formula.response!r} has only one category", got=str(found[0])
        )
    if not family.categorical and len(found) != 2:
        raise DataError(
            f"The response {design.formula.response!r} has {len(found)} categories, and family "
            f"{family.name!r} takes two",
            got=", ".join(map(str, found[:5])),
            hint="Use family='categorical' or family='ordinal' for more",
        )


def _where(design: Design, bad: NDArray[np.bool_], values: Floats) -> str:
    first = int(np.flatnonzero(bad)[0])
    return f"{values[first]:g} at row {design.index[first]} ({int(bad.sum())} such rows)"


def describe(design: Design, family: Family, link: Link) -> Response:
    """What default priors may know of the response.

    Raises
    ------
    DataError
        A response that doesn't vary, where its spread is the scale of all else.
    """
    y = family.linear(design.y)
    if design.has_offset and link.name == "identity":
        y = y - design.offset
    of_y = extent(y[:, None])
    require_size(of_y.size, [design.formula.response], "The response")
    spread = float(of_y.sd[0])
    constant = spread == 0.0 or spread <= 1e-14 * of_y.size[0]
    if constant and link.name == "identity" and not family.categorical:
        raise DataError(
            f"The response {design.formula.response!r} is constant: it has no variance to model",
            got=f"{y[0]:g} in all {len(y)} rows",
        )
    robust = 1.4826 * median(y, around=median(y))
    return Response(y, _mean(design, y, link), spread, robust if robust > 0 else spread)


def _mean(design: Design, y: Floats, link: Link) -> float:
    """The mean of totals: of y, of y over trials, or over what the offset multiplies."""
    trials = design.extras.get("trials")
    if trials is not None:
        return float(y.sum() / max(trials.sum(), 1.0))
    total = float(y.sum())
    if link.name == "log" and design.has_offset and total > 0:
        logarithm = np.log(total) - special.logsumexp(design.offset)
        return float(np.exp(np.clip(logarithm, -_FAR, _FAR)))
    return total / len(y)


def predictor(response: Response, family: Family, link: Link, trials: Floats | None) -> Predictor:
    """The scales of default priors: the response's own on an identity link, else the link's."""
    if family.categorical:
        return Predictor(0.0, WIDE, WIDE)
    if link.name == "identity":
        return Predictor(response.mean, WIDE * response.spread, response.robust)
    typical = family.centre(response, trials)
    if link.name in ("log", "inverse", "sqrt"):  # these know positive means only
        typical = max(typical, LEAST * (response.spread or 1.0))
    return Predictor(float(link.forward(np.array([typical]))[0]), WIDE, WIDE)


def of_parameter(auxiliary: Auxiliary, link: Link, response: Response) -> Predictor:
    """The scales for a further parameter of the family, on its link: about its unit."""
    unit = auxiliary.unit(response)
    return Predictor(float(np.log(unit)) if link.name == "log" else 0.0, WIDE, WIDE)

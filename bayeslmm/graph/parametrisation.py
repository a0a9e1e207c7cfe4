"""Parametrisation of a factor's effects: chosen by the reliability of levels, or as requested.

- *noncentred*: standard normals z, scaled, ``u = L z``. Good where the rows say little of a
  level; where they say much, z and the scale are entangled.
- *centred*: u itself. The other way round (Papaspiliopoulos, Roberts & Sköld, 2007,
  Statistical Science 22(1), 59-73).
- *between*: what is drawn is u less what the rows make of it, in units of what they leave open,
  at every value of L: with D a level's information and e its linear term (see
  `bayeslmm.gaussian.reliability`), and R R' = I + L' D L,

      w = R' z - R⁻¹ L' e(beta, other effects),        z = L⁻¹ u.

  Were the response Gaussian with the working precision, w would be standard normal a
  posteriori whatever L and beta are; no more funnel on either side, and effects and coefficients
  don't fight over the mean (Kleppe, 2019, J. Comput. Graph. Stat. 28(3), 493-507; it becomes
  non-centred where D = 0 and centred where D is large). D and e are fixed numbers: whatever
  they are, the posterior is the same.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bayeslmm.errors import BayeslmmError, MethodError
from bayeslmm.gaussian.reliability import Said
from bayeslmm.gaussian.working import what_is_said
from bayeslmm.model import Model

PARAMETRISATIONS = ("auto", "centred", "noncentred")
MOST = 3  # coefficients a level that between is written out for
LITTLE, MUCH = 0.02, 0.5  # reliabilities


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """How the effects of a factor are drawn.

    Attributes
    ----------
    group : str
        The grouping factor.
    name : str
        ``"centred"``, ``"noncentred"`` or ``"between"``.
    text : str
        Which, and why.
    said : Said or None
        What ``between`` takes from the rows.
    """

    group: str
    name: str
    text: str
    said: Said | None = None


def choose(model: Model, parametrisation: str | Mapping[str, str] = "auto") -> dict[str, Choice]:
    """The parametrisation of every grouping factor of a predictor.

    Parameters
    ----------
    model : Model
    parametrisation : {"auto", "centred", "noncentred"} or mapping
        For all factors, or by factor; the others' are chosen.

    Returns
    -------
    dict of str to Choice
        In the order of the design's blocks.

    Raises
    ------
    MethodError
        An unknown parametrisation or factor.
    """
    groups = [b.group for b in model.design.blocks]
    asked = _asked(groups, parametrisation)
    for group in model.kin:
        if asked[group] == "centred":
            raise MethodError(
                f"Effects of {group!r} have a relationship matrix and can't be centred",
                allowed="noncentred, auto",
            )
        asked[group] = "noncentred"
    chosen = [group for group in groups if asked[group] == "auto"]
    said, why = _said(model) if chosen else (None, "")
    out = {}
    for index, group in enumerate(groups):
        if group in model.kin:
            text = (
                f"{group}'s effects use a noncentred parametrisation, because its levels are "
                "related."
            )
            out[group] = Choice(group, "noncentred", text)
        elif asked[group] != "auto":
            text = f"{group}'s effects use the requested parametrisation, {asked[group]}."
            out[group] = Choice(group, asked[group], text)
        elif said is None:
            text = f"{group}'s effects use a noncentred parametrisation, because {why}."
            out[group] = Choice(group, "noncentred", text)
        else:
            out[group] = _chosen(group, said[index])
    return out


def _asked(groups: list[str], parametrisation: str | Mapping[str, str]) -> dict[str, str]:
    given = (
        parametrisation
        if isinstance(parametrisation, Mapping)
        else dict.fromkeys(groups, parametrisation)
    )
    for group, value in given.items():
        if group not in groups:
            raise MethodError(
                f"parametrisation= has an unknown grouping factor {group!r}", allowed=groups
            )
        if value not in PARAMETRISATIONS:
            raise MethodError("Unknown parametrisation", got=repr(value), allowed=PARAMETRISATIONS)
    if isinstance(parametrisation, str) and parametrisation not in PARAMETRISATIONS:
        raise MethodError(
            "Unknown parametrisation", got=repr(parametrisation), allowed=PARAMETRISATIONS
        )
    return {group: given.get(group, "auto") for group in groups}


def _said(model: Model) -> tuple[tuple[Said, ...] | None, str]:
    """The levels' information, or why it is not available: the choice of a parametrisation must
    not fail."""
    if model.prefix:
        return None, f"the information about {model.prefix[:-1]} is not available"
    if not model.design.blocks:
        return (), ""
    trouble = (BayeslmmError, np.linalg.LinAlgError, ArithmeticError, ValueError)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            # fixed numbers that need not be right: independent residuals serve
            said = what_is_said(replace(model, residual=None, kin={}))
    except trouble:
        said = None
    if said is None or not all(_is_finite(s) for s in said):
        return None, "the working Gaussian model could not be computed"
    return said, ""


def _is_finite(said: Said) -> bool:
    numbers = (said.information, said.linear, said.by_beta, *(o.values for o in said.others))
    return all(bool(np.all(np.isfinite(x))) for x in numbers)


def _chosen(group: str, said: Said) -> Choice:
    reliability = said.reliability
    low, high = float(reliability.min()), float(reliability.max())
    why = f"level reliabilities {low:.2f} to {high:.2f}"
    if high < LITTLE:
        name = "noncentred"
    elif reliability.shape[1] <= MOST:
        name = "between"
    else:
        name = "centred" if float(np.median(reliability)) > MUCH else "noncentred"
        why = f"{why}, {reliability.shape[1]} coefficients"
    kind = "partly centred" if name == "between" else name
    text = f"{group}'s effects use a {kind} parametrisation ({why}); this affects speed only."
    return Choice(group, name, text, said if name == "between" else None)

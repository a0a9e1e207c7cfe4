"""The covariance structure of a term of a formula."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayeslmm.covariance import PATTERNS, STRUCTURES, Correlation, Patterned, Places, Structure
from bayeslmm.design import Part, RandomBlock
from bayeslmm.errors import ModelError


def structure_of(part: Part, coefs: tuple[str, ...]) -> Structure:
    """The structure of a term's coefficients.

    Parameters
    ----------
    part : Part
    coefs : tuple of str
        Their names.

    Raises
    ------
    ModelError
        Settings that can't be.
    """
    if part.structure in STRUCTURES:
        return STRUCTURES[part.structure]
    options = dict(part.options)
    pattern = pattern_of(part.structure, options)
    at = np.array(part.at) if part.at else np.arange(float(len(coefs)))[:, None]
    inside = tuple(c.partition("[")[2].removesuffix("]") or c for c in coefs)
    labels = inside if len(set(inside)) == len(coefs) else coefs
    homogeneous = bool(options.get("hom", pattern.homogeneous))
    places = Places(labels, at)
    pattern.parameters(places)  # raises errors for invalid places
    return Patterned(pattern, places, homogeneous)


def sd_names(block: RandomBlock) -> tuple[str, ...]:
    """The name of each coefficient's standard deviation, length k.

    It is the coefficient's own, or one for all coefficients of a term: what stands before the
    brackets of their names, ``visit`` for ``visit[1]``, ``visit[2]``; with the structure around it,
    ``ar1(visit)``, where another coefficient of the factor has that name.
    """
    out = list(block.coefs)
    for part in block.parts:
        coefs = tuple(block.coefs[c] for c in part.columns)
        if len(structure_of(part, coefs).free_sds(len(coefs))) == len(coefs):
            continue
        shared = "+".join(dict.fromkeys(c.partition("[")[0] for c in coefs))
        if shared in {*out} - {*coefs}:
            shared = f"{part.structure}({shared})"
        for c in part.columns:
            out[c] = shared
    return tuple(out)


def pattern_of(name: str, options: Mapping[str, Any]) -> Correlation:
    """A correlation pattern with its settings.

    Raises
    ------
    ModelError
        Settings that can't be.
    """
    own = {key: value for key, value in options.items() if key != "hom"}
    if "k" in own:
        if own["k"] < 1:
            raise ModelError(
                "k of fa() must be a number of factors", got=f"{own['k']:g}", allowed="1, 2, …"
            )
        own["k"] = int(own["k"])
    return PATTERNS[name](**own)

"""Numbers of covariance patterns that ended at the edge of their range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import Correlation, Patterned, Places
from bayeslmm.gaussian.profile import Profile
from bayeslmm.gaussian.variances import theta_slices

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limit:
    """One of them.

    Attributes
    ----------
    place : int
        Of its coordinate.
    text : str
        What it is, and where it ended.
    """

    place: int
    text: str


def at_limits(problem: Profile, x: Floats) -> list[Limit]:
    """Every number at an edge, at the coordinates x of a fit, shape (d,)."""
    model, out = problem.model, []
    theta = x[: len(problem.units)] * problem.units
    for term, where in zip(model.terms, theta_slices(model), strict=True):
        structure = term.structure
        if isinstance(structure, Patterned):
            values = structure.natural(theta[None, where], len(term.columns))[0]
            out += _found(structure.pattern, structure.places, values, where.stop, term.group)
    residual = model.residual
    if residual is not None and residual.correlated is not None:
        c = residual.correlated
        values = residual.natural(x[None, len(problem.units) :])[1][0, len(residual.functions) :]
        out += _found(c.pattern, c.places, values, len(x), "the residuals")
    return out


def _found(
    pattern: Correlation, places: Places, values: Floats, stop: int, what: str
) -> list[Limit]:
    """Those of a pattern whose coordinates end before `stop`; joint ones bound each other."""
    if pattern.joint:
        return []
    first, out = stop - len(values), []
    names = [p.name for p in pattern.parameters(places)]
    for i, edge in enumerate(pattern.edges(values, places)):
        if edge is not None:
            text = f"{names[i]} of {what} is {values[i]:.4g}, next to {edge}"
            out.append(Limit(first + i, text))
    return out

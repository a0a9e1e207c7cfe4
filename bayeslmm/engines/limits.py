"""Estimates on the boundary: numbers of patterns at the edge of their range, and no residual."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import Correlation, Patterned, Places
from bayeslmm.gaussian.profile import Profile
from bayeslmm.gaussian.variances import theta_slices
from bayeslmm.model import Model

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
            text = f"{names[i]} of {what} is {values[i]:.4g}, close to its bound {edge}"
            out.append(Limit(first + i, text))
    return out


def ceilings(x: Floats, upper: Floats) -> tuple[int, ...]:
    """Coordinates of standard deviations that are about infinite beside sigma."""
    return tuple(int(i) for i in np.flatnonzero(x >= upper))


def no_residual(model: Model, ceiling: tuple[int, ...], sigma: float) -> str:
    """The text of a fit whose sigma is on its boundary, with the coordinates at their ceiling."""
    which = [
        f"({', '.join(term.coefs)} | {term.group})"
        for term, where in zip(model.terms, theta_slices(model), strict=True)
        if any(where.start <= i < where.stop for i in ceiling)
    ]
    return (
        f"The residual standard deviation is estimated as 0: the effects {' and '.join(which)} "
        f"account for all variation. The fit is reported close to that boundary, at sigma = "
        f"{sigma:.3g}, where the log-likelihood is nearly at its supremum; sigma has no standard "
        "error there. If each row has a separate effect, the same structure in residual= is a "
        "simpler form of this model."
    )

"""Numbers of covariance patterns that ended at the edge of their range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import Parameter, Patterned
from bayeslmm.gaussian.profile import Profile
from bayeslmm.gaussian.variances import theta_slices

Floats = NDArray[np.float64]
NEAR = 1e-4  # of the way between two bounds
FAR = 1e3  # times where an unbounded number begins


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
        if isinstance(structure, Patterned) and not structure.pattern.joint:
            values = structure.natural(theta[None, where], len(term.columns))[0]
            first = where.stop - len(values)
            out += _found(structure.parameters, values, first, term.group)
    residual = model.residual
    if residual is not None and not (
        residual.correlated is not None and residual.correlated.pattern.joint
    ):
        values = residual.natural(x[None, len(problem.units) :])[1][0]
        out += _found(residual.parameters, values, len(x) - len(values), "the residuals")
    return out


def _found(parameters: tuple[Parameter, ...], values: Floats, first: int, what: str) -> list[Limit]:
    out = []
    for i, (p, value) in enumerate(zip(parameters, values, strict=True)):
        edge = _edge(p, float(value))
        if edge is not None:
            out.append(Limit(first + i, f"{p.name} of {what} is {value:.4g}, next to {edge}"))
    return out


def _edge(p: Parameter, value: float) -> str | None:
    """Which edge a value is at, if at any."""
    if np.isfinite(p.upper):
        share = (value - p.lower) / (p.upper - p.lower)
        if share < NEAR or share > 1 - NEAR:
            return f"{p.lower if share < 0.5 else p.upper:g}"
    elif np.isfinite(p.lower):
        if value > FAR * p.start:
            return "infinity"
        if value - p.lower < p.start / FAR:
            return f"{p.lower:g}"
    return None

"""Wald intervals of variance parameters that are so wide that they carry no information."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import Parameter
from bayeslmm.fit.tree import Components, Interval
from bayeslmm.model import Model
from bayeslmm.model.names import group_names, residual_names

Floats = NDArray[np.float64]
RATIO = 1e4  # of a standard deviation's bounds
COVERED = 0.999  # of the range of a number between two bounds


def uninformative(model: Model, said: Components) -> list[str]:
    """A sentence for every variance parameter that the data don't bound, with its interval."""
    out: list[str] = []
    for i, g in enumerate(group_names(model)):
        out += _wide(said.sd[i], [f"{g.sd}[{c}]" for c in g.coefs])
        out += _wide(said.cor[i], [f"{g.cor}[{p}]" for p in g.pair_labels], [(-1.0, 1.0)])
        numbers = [p for t in model.terms if t.block == i for p in t.structure.parameters]
        out += _wide(said.par[i], [f"{g.par}[{p}]" for p in g.pars], _bounds(numbers))
    residual = residual_names(model)
    if said.sigma is not None:
        names = [f"sigma[{s}]" for s in residual.strata] if residual.stratum else ["sigma"]
        out += _wide(said.sigma, names)
    if said.residual_par is not None and model.residual is not None:
        names = [f"residual_par[{p}]" for p in residual.pars]
        out += _wide(said.residual_par, names, _bounds(model.residual.parameters))
    return list(dict.fromkeys(out))


def _bounds(parameters: list[Parameter] | tuple[Parameter, ...]) -> list[tuple[float, float]]:
    return [(p.lower, p.upper) for p in parameters]


def _wide(
    value: Interval, names: list[str], bounds: list[tuple[float, float]] | None = None
) -> list[str]:
    lower, upper = np.atleast_1d(value.lower), np.atleast_1d(value.upper)
    every = (bounds or [(0.0, np.inf)]) * (len(names) if len(bounds or [0]) == 1 else 1)
    found: dict[tuple[float, float], list[str]] = {}  # a shared sd has one sentence
    for name, a, b, (least, most) in zip(names, lower, upper, every, strict=False):
        if _is_wide(float(a), float(b), least, most):
            found.setdefault((float(a), float(b)), []).append(name)
    return [
        f"{_shared(same)} is weakly identified: the 95 % Wald interval is {a:.2g} to {b:.2g}. "
        "Choose a simpler structure, or use method 'exact' with an informative prior."
        for (a, b), same in found.items()
    ]


def _shared(names: list[str]) -> str:
    rest = len(names) - 1
    return names[0] if not rest else f"{names[0]} (shared by {rest} more)"


def _is_wide(lower: float, upper: float, least: float, most: float) -> bool:
    if np.isnan(lower) or np.isnan(upper):
        return False  # no interval; another note gives the reason
    if np.isfinite(most) and np.isfinite(least):
        return upper - lower > COVERED * (most - least)
    return bool(np.isfinite(least) and (upper - least) > RATIO * max(lower - least, 1e-300))

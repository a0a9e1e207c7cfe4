"""A model's parameters: what they are called, their shapes and bounds, and values from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.errors import DataError, MethodError, nearest
from bayeslmm.fit.covariances import covariance_of
from bayeslmm.fit.tree import SAMPLE
from bayeslmm.graph.response import cutpoint_labels
from bayeslmm.model import Model
from bayeslmm.model.effects import EFFECTS
from bayeslmm.model.names import (
    RESIDUAL_PAR,
    GroupNames,
    effect_parameters,
    group_names,
    residual_names,
)
from bayeslmm.predict.patterns import fill_correlations

Floats = NDArray[np.float64]
Values = dict[str, Floats]  # by the tree's names, S points first
SLACK = 1e-8  # below zero, for the eigenvalues of a singular correlation matrix


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """A variable of the tree.

    Attributes
    ----------
    coords : dict
        Labels by dimension, in order.
    lower, upper : float
        Its bounds.
    edge : bool
        Whether it may lie on them.
    optional : bool
        Whether it can be drawn from the others: random effects.
    """

    coords: dict[str, Any]
    lower: float = -np.inf
    upper: float = np.inf
    edge: bool = True
    optional: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(labels) for labels in self.coords.values())

    def allows(self, value: Floats) -> bool:
        """Whether all numbers are finite and within the bounds."""
        within = (value >= self.lower) & (value <= self.upper)
        if not self.edge:
            within &= (value > self.lower) & (value < self.upper)
        return bool(np.all(np.isfinite(value) & within))


def parameters_of(model: Model) -> dict[str, Parameter]:
    """Every variable of a posterior's tree but those that follow from others, by name."""
    out: dict[str, Parameter] = {}
    residual = residual_names(model)
    for m in (model, *model.dpars.values()):
        lead: dict[str, Any] = {}
        if m is model and m.family.categorical == "unordered":
            lead = {"category": [str(c) for c in m.design.categories[1:]]}
        coefs = [m.design.coefs[i] for i in m.columns]
        out[f"{m.prefix}beta"] = Parameter(lead | {f"{m.prefix}coef": coefs})
        for g in group_names(m):
            out |= _of_group(m, g, lead)
    for a in model.family.auxiliaries:
        if a.name in model.parameters and a.ordered:
            out[a.name] = Parameter({f"{a.name}_between": cutpoint_labels(model)})
        elif a.name in model.parameters:
            coords = residual.coords() if a.name == "sigma" and residual.stratum else {}
            coords = {dim: labels for dim, labels in coords.items() if dim == residual.stratum}
            out[a.name] = Parameter(coords, a.lower, a.upper, edge=a.name in ("sigma", "zi"))
    if residual.pars:
        out[RESIDUAL_PAR] = Parameter({residual.par_dim: list(residual.pars)})
    return out


def _of_group(model: Model, g: GroupNames, lead: dict[str, Any]) -> dict[str, Parameter]:
    by_coef = lead | {g.coef_dim: list(g.coefs)}
    out = {
        g.u: Parameter(lead | {g.label: g.levels, g.coef_dim: list(g.coefs)}, optional=True),
        g.sd: Parameter(lead | {g.sd_dim: list(g.sds)}, 0.0),
    }
    if g.pairs:
        derived = bool(g.pars)  # where they follow from patterns' numbers
        out[g.cor] = Parameter(lead | {g.pair_dim: g.pair_labels}, -1.0, 1.0, optional=derived)
    if g.pars:
        out[g.par] = Parameter(lead | {g.par_dim: list(g.pars)})
    kind = model.random.get(g.group, "normal")
    if kind != "normal":
        bounds = EFFECTS[kind].extras(g.group, g.coefs)
        for name in effect_parameters(model, g):
            short = name.removesuffix(f"_{g.label}")
            _, lower, upper = bounds[f"{short}_{g.group}"]
            out[name] = Parameter(by_coef if short == "shift" else lead, lower, upper, edge=False)
    return out


def read_parameters(model: Model, given: Any) -> Values:
    """Values at one point, as a user or a fit has them, with a leading axis of length 1.

    Parameters
    ----------
    model : Model
    given : mapping or Dataset
        By the tree's names. A Dataset may hold other variables too, such as standard errors.

    Raises
    ------
    MethodError
        A parameter that is missing, or that the model doesn't have.
    DataError
        Values of another shape, or out of range.
    """
    wanted = parameters_of(model)
    if isinstance(given, xr.Dataset):
        given = {str(name): given[name] for name in wanted if name in given}
    if not isinstance(given, Mapping):
        raise MethodError("Parameters must be a dict by name", got=type(given).__name__)
    for name in given:
        if name not in wanted:
            raise MethodError(
                f"The model has no parameter {name!r}", hint=nearest(str(name), wanted)
            )
    missing = [
        n for n, p in wanted.items() if n not in given and not p.optional and 0 not in p.shape
    ]
    if missing:
        raise MethodError(f"Parameters are missing: {', '.join(missing)}")
    found = {
        name: _array(name, given[name], p) if name in given else np.empty(p.shape)
        for name, p in wanted.items()
        if name in given or 0 in p.shape
    }
    _check(model, wanted, found)
    values = {name: value[None] for name, value in found.items()}
    for m in (model, *model.dpars.values()):
        fill_correlations(m, values)
    return values


def _array(name: str, value: Any, parameter: Parameter) -> Floats:
    """One parameter's numbers in the tree's order and shape."""
    ordered = _in_order(name, value, parameter)
    try:
        array = np.asarray(ordered, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name} must be numbers", got=repr(value)[:80]) from None
    if array.ndim == 0 and np.prod(parameter.shape, dtype=int) == 1:
        array = array.reshape(parameter.shape)
    if array.shape != parameter.shape:
        axes = ", ".join(parameter.coords) or "one number"
        allowed = f"{parameter.shape} ({axes})"
        raise DataError(f"{name} has the wrong shape", got=array.shape, allowed=allowed)
    return array


def _in_order(name: str, value: Any, parameter: Parameter) -> Any:
    """Values that carry labels in the order of ours; others as they are."""
    if isinstance(value, xr.DataArray):
        if set(SAMPLE) & set(value.dims):
            raise DataError(
                f"{name} has draws, and parameters must be a single point",
                hint="Use .isel(chain=0, draw=0), or .mean(['chain', 'draw'])",
            )
        if set(value.dims) != set(parameter.coords):
            return value.values
        labels = {dim: ours for dim, ours in parameter.coords.items() if dim in value.coords}
        _same_labels(name, {dim: value[dim].values for dim in labels}, labels)
        return value.sel(labels).transpose(*parameter.coords).values
    if isinstance(value, pd.Series):
        value = value.to_dict()
    if isinstance(value, Mapping):
        dim = next(reversed(parameter.coords), "")
        ours = list(parameter.coords.get(dim, []))
        _same_labels(name, {dim: list(value)}, {dim: ours})
        return [value[label] for label in ours]
    return value


def _same_labels(name: str, got: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    for dim, labels in ours.items():
        if set(got[dim]) != set(labels):
            what = (
                f"{name} has the wrong labels along {dim}" if dim else f"{name} must be one number"
            )
            raise DataError(what, got=list(got[dim]), allowed=list(labels) or None)


def _check(model: Model, wanted: dict[str, Parameter], found: Values) -> None:
    """Bounds, ordered cutpoints, and correlations that belong together."""
    for m in (model, *model.dpars.values()):
        for g in group_names(m):
            if (
                g.pairs and g.cor in found and np.any(found[g.sd] == 0)
            ):  # no correlation with what doesn't vary
                found[g.cor] = np.nan_to_num(found[g.cor])
    for name, value in found.items():
        if not wanted[name].allows(value):
            raise DataError(f"{name} is out of its range", got=value.tolist())
    for a in model.family.auxiliaries:
        if a.ordered and a.name in found and np.any(np.diff(found[a.name]) <= 0):
            raise DataError(f"{a.name} must increase", got=found[a.name].tolist())
    for m in (model, *model.dpars.values()):
        for g in group_names(m):
            if g.pairs and g.cor in found:
                matrix = covariance_of(np.ones_like(found[g.sd]), found[g.cor], g)
                if np.linalg.eigvalsh(matrix).min() < -SLACK:
                    raise DataError(
                        f"{g.cor} are not valid correlations: their matrix has a "
                        "negative eigenvalue",
                        got=found[g.cor].tolist(),
                    )

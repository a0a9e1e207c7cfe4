"""Correlation patterns and structured residuals in a PyMC model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import Correlation, Parameter, Patterned, Places
from bayeslmm.gaussian.noise import noise_of
from bayeslmm.gaussian.residual_density import ResidualDensity
from bayeslmm.graph.mapped import SmallMap, mapped
from bayeslmm.graph.numbers import f64
from bayeslmm.graph.priors import (
    NODES,
    FreeValues,
    correlation_cholesky,
    correlation_values,
    scalar,
    scalar_values,
    vector,
    vector_values,
)
from bayeslmm.graph.products import below_diagonal
from bayeslmm.model import Model, Term
from bayeslmm.model.names import RESIDUAL_PAR, GroupNames, residual_names
from bayeslmm.priors import Prior

Floats = NDArray[np.float64]


def pattern_root(model: Model, term: Term, g: GroupNames) -> tuple[Any, Any]:
    """Cholesky factor, (k, k), of the correlations of a term's coefficients, and the pattern's
    numbers, (d,)."""
    import pytensor.tensor as pt

    structure, k = term.structure, len(term.columns)
    assert isinstance(structure, Patterned)
    pattern, places = structure.pattern, structure.places
    if not structure.parameters:
        return pt.as_tensor_variable(f64(np.eye(k))), None
    priors = [model.priors[key] for key in term.par_keys]
    values = _numbers(f"{g.prefix}{g.label}", pattern, places, priors)

    def root(points: Floats) -> Floats:
        return pattern.root(points, places).reshape(len(points), k * k)

    small = SmallMap(f"{pattern.name} root", root, *_bounds(structure.parameters), k * k)
    return mapped(small, values).reshape((k, k)), values


def _bounds(parameters: Sequence[Parameter]) -> tuple[Floats, Floats]:
    return np.array([p.lower for p in parameters]), np.array([p.upper for p in parameters])


def _numbers(label: str, pattern: Correlation, places: Places, priors: Sequence[Prior]) -> Any:
    """A pattern's numbers, (d,), each with its prior.

    Where they bound each other, what is drawn are free coordinates between -1 and 1, and the
    density is brought back to the numbers by its Jacobian.
    """
    import pymc as pm
    import pytensor.tensor as pt

    parameters = pattern.parameters(places)
    if not pattern.joint:
        return pt.stack(
            [bounded_node(f"{label}_{p.name}", p, prior) for p, prior in
             zip(parameters, priors, strict=True)]
        )  # fmt: skip
    d = len(parameters)
    partial = pm.Uniform(f"{label}_partial", f64(-np.ones(d)), f64(np.ones(d)), shape=d)

    def natural(points: Floats) -> Floats:
        values, log_jacobian = pattern.constrain(np.arctanh(points), places)
        own = np.log((1 - points) * (1 + points)).sum(axis=1)  # of tanh, which was counted in
        return np.column_stack([values, log_jacobian - own])

    small = SmallMap(f"{pattern.name} numbers", natural, -np.ones(d), np.ones(d), d + 1)
    found = mapped(small, partial)
    values = found[:d]
    density = found[d] + d * np.log(2.0)
    for i, prior in enumerate(priors):
        if prior.name != "flat":
            distribution, fields = NODES[prior.name]
            arguments = {a: f64(getattr(prior, field)) for a, field in fields.items()}
            density = density + pm.logp(getattr(pm, distribution).dist(**arguments), values[i])
    pm.Potential(f"{label}_partial_jacobian", density)
    return values


def number_values(
    label: str, pattern: Correlation, places: Places, priors: Sequence[Prior], values: Floats
) -> FreeValues:
    """Values of the free variables that `_numbers` makes, from the numbers', shape (..., d)."""
    parameters = pattern.parameters(places)
    if pattern.joint:
        flat = np.tanh(pattern.free(values.reshape(-1, values.shape[-1]), places))
        name = f"{label}_partial"
        return {name: ((f"{name}_dim_0",), flat.reshape(values.shape))}
    out: FreeValues = {}
    for i, (p, prior) in enumerate(zip(parameters, priors, strict=True)):
        out |= scalar_values(f"{label}_{p.name}", prior, values[..., i])
    return out


def bounded_node(name: str, p: Parameter, prior: Prior) -> Any:
    """A number within its bounds, open to any prior."""
    import pymc as pm

    if np.isfinite(p.upper):
        if prior.name == "flat":
            return pm.Uniform(name, f64(p.lower), f64(p.upper))
        return scalar(name, prior, positive=False)
    return scalar(name, prior, positive=bool(np.isfinite(p.lower)))


def residual_parameters(model: Model, sigma: Any) -> Any:
    """Sigma, by stratum, and the structure's numbers, one vector; deterministics in the model.

    Parameters
    ----------
    model : Model
    sigma : tensor or None
        As `residual_sd` made it.
    """
    import pymc as pm
    import pytensor.tensor as pt

    residual, names = model.residual, residual_names(model)
    assert residual is not None
    parts = [] if sigma is None else [sigma if model.strata is not None else sigma[None]]
    values = []
    for f, key in zip(residual.functions, model.residual_keys, strict=False):
        values.append(bounded_node(f"residual_{f.kind}_{f.name}", f.parameter, model.priors[key]))
    numbers = [pt.stack(values)] if values else []
    if residual.correlated is not None and residual.correlated.parameters:
        c = residual.correlated
        if model.residual_cor_key is not None:
            k = len(c.places)
            factor = correlation_cholesky(
                "residual_corr_cholesky", model.priors[model.residual_cor_key], k
            )
            numbers.append(below_diagonal(factor, k))
        else:
            priors = [model.priors[key] for key in model.residual_keys[len(values) :]]
            numbers.append(_numbers("residual", c.pattern, c.places, priors))
    if numbers:
        joined = numbers[0] if len(numbers) == 1 else pt.concatenate(numbers)
        parts.append(pm.Deterministic(RESIDUAL_PAR, joined, dims=names.par_dim))
    return pt.concatenate(parts) if parts else pt.as_tensor_variable(f64(np.empty(0)))


def residual_values(model: Model, values: Floats) -> FreeValues:
    """Values of the free variables that `residual_parameters` makes beside sigma, from the
    structure's numbers, shape (..., d)."""
    residual = model.residual
    assert residual is not None
    out: FreeValues = {}
    count = len(residual.functions)
    for i, f in enumerate(residual.functions):
        prior = model.priors[model.residual_keys[i]]
        out |= scalar_values(f"residual_{f.kind}_{f.name}", prior, values[..., i])
    if residual.correlated is None or not residual.correlated.parameters:
        return out
    c, own = residual.correlated, values[..., count:]
    if model.residual_cor_key is not None:
        return out | correlation_values("residual_corr_cholesky", own, len(c.places))
    priors = [model.priors[key] for key in model.residual_keys[count:]]
    return out | number_values("residual", c.pattern, c.places, priors, own)


def residual_density(model: Model) -> ResidualDensity:
    """log N(e; 0, R) of the rows in the likelihood, and draws of it."""
    noise = noise_of(model)
    assert noise is not None
    place = np.searchsorted(np.flatnonzero(model.used), noise.rows)
    return ResidualDensity(noise, place, model.sigma_known)


def stratified_sd(model: Model) -> Any:
    """sigma by stratum."""
    names = residual_names(model)
    priors = [model.priors[key] for key in model.sigma_keys]
    return vector("sigma", priors, names.stratum, positive=True)


def stratified_values(model: Model, sigma: Floats) -> FreeValues:
    """Values of the free variables that `stratified_sd` makes, from sigma's, (..., strata)."""
    priors = [model.priors[key] for key in model.sigma_keys]
    return vector_values("sigma", priors, residual_names(model).stratum, sigma)

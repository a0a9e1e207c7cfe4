"""A PyMC node for every prior density."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.errors import PriorError
from bayeslmm.graph.correlations import cholesky_transform, pair_cholesky
from bayeslmm.graph.numbers import f64
from bayeslmm.graph.scaled import scaled
from bayeslmm.priors import LKJ, OnVariance, Prior

Floats = NDArray[np.float64]
#: Free variables by name, each with its dimensions beside the draws' and its values, draws leading.
FreeValues = dict[str, tuple[tuple[str, ...], Floats]]
INSIDE = 1e-12  # how far correlation matrices are kept from singular ones

# For each density the PyMC distribution, and which field of ours each of its arguments is.
NODES: dict[str, tuple[str, dict[str, str]]] = {
    "normal": ("Normal", {"mu": "mu", "sigma": "sigma"}),
    "student_t": ("StudentT", {"nu": "nu", "mu": "mu", "sigma": "sigma"}),
    "cauchy": ("Cauchy", {"alpha": "mu", "beta": "sigma"}),
    "laplace": ("Laplace", {"mu": "mu", "b": "b"}),
    "half_normal": ("HalfNormal", {"sigma": "sigma"}),
    "half_student_t": ("HalfStudentT", {"nu": "nu", "sigma": "sigma"}),
    "half_cauchy": ("HalfCauchy", {"beta": "sigma"}),
    "exponential": ("Exponential", {"lam": "rate"}),
    "gamma": ("Gamma", {"alpha": "alpha", "beta": "beta"}),
    "inverse_gamma": ("InverseGamma", {"alpha": "alpha", "beta": "beta"}),
    "lognormal": ("LogNormal", {"mu": "mu", "sigma": "sigma"}),
    "uniform": ("Uniform", {"lower": "lower", "upper": "upper"}),
    "beta": ("Beta", {"alpha": "alpha", "beta": "beta"}),
}


def vector(
    name: str,
    priors: Sequence[Prior],
    dims: str,
    *,
    positive: bool,
    unit: Floats | None = None,
) -> Any:
    """A vector with one prior an element; one random variable where the densities agree.

    `unit`, of the vector's shape, is what samplers see it in.
    """
    import pymc as pm
    import pytensor.tensor as pt

    kinds = {prior.name for prior in priors}
    if kinds == {"on_variance"}:
        variance = vector(f"{name}_squared", _inner(priors), dims, positive=True)
        return pm.Deterministic(name, pt.sqrt(variance), dims=dims)
    if len(kinds) == 1:
        return _variable(name, priors, dims, positive, unit)
    units = [None] * len(priors) if unit is None else [np.asarray(u) for u in unit]
    parts = [
        scalar(f"{name}_{i}", prior, positive=positive, unit=u)
        for i, (prior, u) in enumerate(zip(priors, units, strict=True))
    ]
    return pm.Deterministic(name, pt.stack(parts), dims=dims)


def scalar(name: str, prior: Prior, *, positive: bool, unit: Floats | None = None) -> Any:
    """A single number with a prior; `unit` is what samplers see it in."""
    import pymc as pm
    import pytensor.tensor as pt

    if prior.name == "on_variance":
        variance = scalar(f"{name}_squared", _inner([prior])[0], positive=True)
        return pm.Deterministic(name, pt.sqrt(variance))
    return _variable(name, [prior], None, positive, unit)


def vector_values(name: str, priors: Sequence[Prior], dims: str, values: Floats) -> FreeValues:
    """Values of the free variables that `vector` makes, from the vector's, shape (..., length)."""
    kinds = {prior.name for prior in priors}
    if kinds == {"on_variance"}:
        return vector_values(f"{name}_squared", _inner(priors), dims, values**2)
    if len(kinds) == 1:
        return {name: ((dims,), values)}
    parts = (scalar_values(f"{name}_{i}", p, values[..., i]) for i, p in enumerate(priors))
    return {key: value for part in parts for key, value in part.items()}


def scalar_values(name: str, prior: Prior, values: Floats) -> FreeValues:
    """Values of the free variable that `scalar` makes, from the number's."""
    if prior.name == "on_variance":
        return scalar_values(f"{name}_squared", _inner([prior])[0], values**2)
    return {name: ((), values)}


def _inner(priors: Sequence[Prior]) -> list[Prior]:
    """The densities of the variances."""
    return [prior.inner for prior in priors if isinstance(prior, OnVariance)]


def _variable(
    name: str,
    priors: Sequence[Prior],
    dims: str | None,
    positive: bool,
    unit: Floats | None = None,
) -> Any:
    """One random variable, a scalar without dims, from priors of one kind."""
    import pymc as pm

    kind = priors[0].name
    options: dict[str, Any] = {}
    if unit is not None and all(prior.support == "real" for prior in priors):
        options["transform"] = scaled(unit)
    if kind == "flat":
        return (pm.HalfFlat if positive else pm.Flat)(name, dims=dims, **options)
    if kind not in NODES:
        raise PriorError(f"Prior {kind!r} has no PyMC node for {name!r}", allowed=sorted(NODES))
    distribution, fields = NODES[kind]
    arguments: dict[str, Any] = {}
    for argument, field in fields.items():
        values = [getattr(prior, field) for prior in priors]
        arguments[argument] = f64(values[0] if dims is None else values)
    return getattr(pm, distribution)(name, dims=dims, **arguments, **options)


def correlation_cholesky(name: str, prior: Prior, k: int) -> Any:
    """Cholesky factor of a k x k LKJ correlation matrix."""
    import pymc as pm

    assert isinstance(prior, LKJ)
    if k == 2:
        return pair_cholesky(name.removesuffix("_cholesky"), prior.eta)
    return pm.LKJCorr(name, n=k, eta=f64(prior.eta), default_transform=cholesky_transform(k))


def correlation_name(name: str, k: int) -> str:
    """The free variable that `correlation_cholesky` makes: a pair's correlation is one itself."""
    return name.removesuffix("_cholesky") if k == 2 else name


def correlations_of(values: Floats, k: int) -> Floats:
    """The inverse of `correlation_values`, shape (..., k (k - 1) / 2)."""
    if k == 2:
        return values[..., None]
    matrix = values @ np.swapaxes(values, -1, -2)
    i, j = np.tril_indices(k, -1)
    return np.asarray(matrix[..., i, j])


def correlation_values(name: str, correlations: Floats, k: int) -> FreeValues:
    """Values of the free variable that `correlation_cholesky` makes.

    Parameters
    ----------
    name : str
    correlations : ndarray, shape (..., k (k - 1) / 2)
        Below the diagonal, rows first.
    k : int
    """
    if k == 2:
        return {correlation_name(name, k): ((), correlations[..., 0])}
    matrix = np.zeros((*correlations.shape[:-1], k, k)) + np.eye(k)
    i, j = np.tril_indices(k, -1)
    matrix[..., i, j] = matrix[..., j, i] = correlations
    # rounding may take the least eigenvalue of a singular matrix below zero
    least = np.linalg.eigvalsh(matrix)[..., 0]
    shrunk = np.clip((INSIDE - least) / (1 - INSIDE - least), INSIDE, 1.0)[..., None]
    matrix[..., i, j] = matrix[..., j, i] = (1 - shrunk) * correlations
    return {name: ((f"{name}_dim_0", f"{name}_dim_1"), np.linalg.cholesky(matrix))}

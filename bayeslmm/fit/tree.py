"""The DataTree of a fit: the same names whatever the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.errors import FitError
from bayeslmm.fit.finite import not_finite
from bayeslmm.gaussian.effects import EffectMoments
from bayeslmm.model import Model
from bayeslmm.model.names import RESIDUAL_PAR, group_names, residual_names, response_name

Floats = NDArray[np.float64]
SAMPLE = ("chain", "draw")
PREDICTION_SEED = "prediction_seed"


@dataclass(frozen=True, slots=True)
class FitValues:
    """The result of an engine.

    Attributes
    ----------
    method : str
    tree : DataTree
        Groups ``estimate`` and/or ``posterior`` with ``sample_stats``; ``effects`` where the
        random effects have moments but no draws.
    scalars : dict
        Numbers about the whole fit: ``loglik``, ``n_parameters``, ``converged``, …
    notes : tuple of str
        Notes and warnings issued during the fit.

    Raises
    ------
    FitError
        A NaN or an infinity that is not documented, by name.
    """

    method: str
    tree: xr.DataTree
    scalars: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        bad = not_finite(self.tree, self.scalars)
        if bad:
            more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
            raise FitError(
                f"Method {self.method!r} gives no finite value of {', '.join(bad[:5])}{more}",
                hint="Rescale columns with extreme units (scale(x)), remove collinear columns, or "
                "give narrower priors",
            )


def prediction_seed(seed: int | None) -> dict[str, float]:
    """The scalar that makes a fit's predictions as reproducible as its draws: a whole number
    below 2³² that depends on the fit's seed alone; nothing where there was none."""
    if seed is None:
        return {}
    return {PREDICTION_SEED: int(np.random.SeedSequence(seed).generate_state(1)[0])}


@dataclass(frozen=True, slots=True)
class Draws:
    """Posterior draws in plain arrays, (chain, draw) leading.

    Attributes
    ----------
    columns : ndarray of intp, shape (p,)
        Which of the design's fixed columns beta has.
    beta : ndarray, shape (C, D, p)
    u, sd : tuple of ndarray, shapes (C, D, J, k) and (C, D, sds), by block
        u is empty where its draws weren't kept.
    cor : tuple of ndarray, shape (C, D, pairs), by block
    sigma : ndarray, shape (C, D) or (C, D, strata), or None where it is known
    par : tuple of ndarray, shape (C, D, numbers), by block
        Of covariance patterns.
    residual_par : ndarray, shape (C, D, numbers), or None
    """

    columns: NDArray[np.intp]
    beta: Floats
    u: tuple[Floats, ...]
    sd: tuple[Floats, ...]
    cor: tuple[Floats, ...]
    sigma: Floats | None
    par: tuple[Floats, ...]
    residual_par: Floats | None = None


def posterior_dataset(model: Model, draws: Draws) -> xr.Dataset:
    """Draws under the names of the contract."""
    out: dict[str, Any] = {"beta": ((*SAMPLE, "coef"), draws.beta)}
    coords: dict[str, Any] = {
        "chain": np.arange(draws.beta.shape[0]),
        "draw": np.arange(draws.beta.shape[1]),
        "coef": [model.design.coefs[i] for i in draws.columns],
    }
    kept = draws.u if draws.u else [None] * len(draws.sd)
    effects: dict[str, Any] = {}
    parts = zip(group_names(model), kept, draws.sd, draws.cor, draws.par, strict=True)
    for g, u, sd, cor, par in parts:
        if u is not None:
            effects[g.u] = ((*SAMPLE, g.label, g.coef_dim), u)
        out[g.sd] = ((*SAMPLE, g.sd_dim), sd)
        if g.pairs:
            out[g.cor] = ((*SAMPLE, g.pair_dim), cor)
        if g.pars:
            out[g.par] = ((*SAMPLE, g.par_dim), par)
        coords |= g.coords()
    residual = residual_names(model)
    if draws.sigma is not None:
        out["sigma"] = ((*SAMPLE, *residual.sigma_dims), draws.sigma)
    if residual.pars:
        out[RESIDUAL_PAR] = ((*SAMPLE, residual.par_dim), draws.residual_par)
    coords |= residual.coords()
    return _dataset(out | effects, coords)


def effects_dataset(model: Model, columns: NDArray[np.intp], found: EffectMoments) -> xr.Dataset:
    """Posterior means and covariances where draws of random effects weren't kept."""
    coefs = [model.design.coefs[i] for i in columns]
    coords: dict[str, Any] = {"coef": coefs, "coef2": coefs}
    out: dict[str, Any] = {
        "beta": (("coef",), found.beta),
        "beta_cov": (("coef", "coef2"), found.beta_cov),
    }
    for i, g in enumerate(group_names(model)):
        level, other = (g.label, g.coef_dim), f"{g.coef_dim}2"
        out[g.u] = (level, found.u[i])
        out[f"{g.u}_cov"] = ((*level, other), found.u_cov[i])
        out[f"{g.u}_beta_cov"] = ((*level, "coef"), found.u_beta_cov[i])
        coords |= g.coords() | {other: list(g.coefs)}
    return _dataset(out, coords)


def _dataset(variables: dict[str, Any], coords: dict[str, Any]) -> xr.Dataset:
    """A dataset with coordinates for all dimensions of its variables."""
    used = {dim for dims, _ in variables.values() for dim in dims}
    return xr.Dataset(variables, {name: v for name, v in coords.items() if name in used})


@dataclass(frozen=True, slots=True)
class Interval:
    """A parameter's estimate with its standard error and bounds, elementwise."""

    estimate: Floats
    std_error: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True, slots=True)
class Components:
    """Estimates of the variance parameters.

    Attributes
    ----------
    sd, cor, par : tuple of Interval, by block
    sigma : Interval or None
        By stratum where it has some.
    residual_par : Interval or None
    """

    sd: tuple[Interval, ...]
    cor: tuple[Interval, ...]
    par: tuple[Interval, ...]
    sigma: Interval | None
    residual_par: Interval | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A fit without draws in plain arrays.

    Attributes
    ----------
    columns : ndarray of intp, shape (p,)
        Which of the design's fixed columns were estimated.
    beta, beta_cov : ndarray, shapes (p,) and (p, p)
    u, u_cov, u_beta_cov, u_cov_given_beta : tuple of ndarray, by block
        Shapes (J, k), (J, k, k), (J, k, p), (J, k, k).
    said : Components
        Of the variance parameters.
    """

    columns: NDArray[np.intp]
    beta: Floats
    beta_cov: Floats
    u: tuple[Floats, ...]
    u_cov: tuple[Floats, ...]
    u_beta_cov: tuple[Floats, ...]
    u_cov_given_beta: tuple[Floats, ...]
    said: Components


def estimate_dataset(model: Model, e: Estimate) -> xr.Dataset:
    """Estimates under the names of the contract, without chain and draw."""
    coefs = [model.design.coefs[i] for i in e.columns]
    coords: dict[str, Any] = {"coef": coefs, "coef2": coefs}
    out: dict[str, Any] = {"beta": (("coef",), e.beta), "beta_cov": (("coef", "coef2"), e.beta_cov)}
    for i, g in enumerate(group_names(model)):
        level, other = (g.label, g.coef_dim), f"{g.coef_dim}2"
        out[g.u] = (level, e.u[i])
        out[f"{g.u}_cov"] = ((*level, other), e.u_cov[i])
        out[f"{g.u}_cov_given_beta"] = ((*level, other), e.u_cov_given_beta[i])
        out[f"{g.u}_beta_cov"] = ((*level, "coef"), e.u_beta_cov[i])
        out |= _with_interval(g.sd, (g.sd_dim,), e.said.sd[i])
        if g.pairs:
            out |= _with_interval(g.cor, (g.pair_dim,), e.said.cor[i])
        if g.pars:
            out |= _with_interval(g.par, (g.par_dim,), e.said.par[i])
        coords |= g.coords() | {other: list(g.coefs)}
    residual = residual_names(model)
    if e.said.sigma is not None:
        out |= _with_interval("sigma", residual.sigma_dims, e.said.sigma)
    if e.said.residual_par is not None and residual.pars:
        out |= _with_interval(RESIDUAL_PAR, (residual.par_dim,), e.said.residual_par)
    return xr.Dataset(out, coords | residual.coords())


def _with_interval(name: str, dims: tuple[str, ...], value: Interval) -> dict[str, Any]:
    return {
        name: (dims, value.estimate),
        f"{name}_std_error": (dims, value.std_error),
        f"{name}_lower": (dims, value.lower),
        f"{name}_upper": (dims, value.upper),
    }


def sample_stats_dataset(
    stats: Mapping[str, NDArray[Any]], attributes: Mapping[str, float]
) -> xr.Dataset:
    """Per-draw statistics, shape (C, D) each, and numbers about the whole sample."""
    data = {name: (SAMPLE, values) for name, values in stats.items()}
    return xr.Dataset(data, attrs=dict(attributes))


def observed_dataset(model: Model) -> xr.Dataset:
    """The response by row."""
    return xr.Dataset(
        {response_name(model): (("row",), model.design.y)},
        coords={"row": np.arange(model.design.n)},
    )


def tree_of(model: Model, **groups: xr.Dataset | None) -> xr.DataTree:
    """The groups that are there, with the observed data beside them."""
    present: dict[str, xr.Dataset] = {name: ds for name, ds in groups.items() if ds is not None}
    present["observed_data"] = observed_dataset(model)
    return xr.DataTree.from_dict({f"/{name}": ds for name, ds in present.items()})

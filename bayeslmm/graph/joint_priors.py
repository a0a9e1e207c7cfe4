"""PyMC nodes of the priors over all slopes, or all standard deviations, together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.graph.numbers import f64
from bayeslmm.graph.patterns import stratified_sd, stratified_values
from bayeslmm.graph.priors import FreeValues, scalar, scalar_values
from bayeslmm.model import Model, shared_variance
from bayeslmm.priors import R2D2, Horseshoe, JointPrior

Floats = NDArray[np.float64]
Scales = Callable[[Any, str, str, int, Any], Any]


def joint_slopes(name: str, prior: JointPrior, dims: str, count: int, unit: Any) -> Any:
    """Slopes with a joint prior, shape (count,), as a deterministic of z and the scales.

    Parameters
    ----------
    name, dims : str
    prior : JointPrior
    count : int
    unit : ndarray or tensor, shape (count,)
        The slope that moves the predictor by one unit of its scale over a column's sd.
    """
    import pymc as pm

    z = pm.Normal(f"{name}_z", f64(0.0), f64(1.0), dims=dims)
    return pm.Deterministic(
        name, z * _SCALES[prior.name](prior, name, dims, count, unit), dims=dims
    )


def _horseshoe(prior: Horseshoe, name: str, dims: str, count: int, unit: Any) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    local = pm.HalfStudentT(f"{name}_local", nu=f64(prior.df), sigma=f64(1.0), dims=dims)
    tau = pm.HalfStudentT(f"{name}_global", nu=f64(prior.df_global), sigma=f64(prior.global_scale))
    shape, scale = prior.slab
    slab = pm.InverseGamma(f"{name}_slab", f64(shape), f64(scale))
    return unit * tau * local * pt.sqrt(slab / (slab + tau**2 * local**2))


def _r2d2(prior: R2D2, name: str, dims: str, count: int, unit: Any) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    alpha, beta = prior.share
    r2 = pm.Beta(f"{name}_R2", f64(alpha), f64(beta))
    phi = pm.Dirichlet(f"{name}_phi", f64([prior.concentration] * count), dims=dims)
    return unit * pt.sqrt(phi * r2 / (1.0 - r2))


_SCALES: dict[str, Scales] = {"horseshoe": _horseshoe, "r2d2": _r2d2}


def residual_sd(model: Model) -> Any:
    """sigma, from its own prior or as its part of the total variance; made when first asked for."""
    import pymc as pm

    here = pm.modelcontext(None)
    if "sigma" in here.named_vars:
        return here["sigma"]
    if model.strata is not None:
        return stratified_sd(model)
    shared = shared_sds(model)
    if "sigma" in shared:
        return pm.Deterministic("sigma", shared["sigma"])
    return scalar("sigma", model.priors["sigma"], positive=True)


def shared_sds(model: Model) -> dict[str, Any]:
    """By key, the standard deviations that share out a total variance; none without such a prior.

    The total's root and the shares are drawn when the first of them is asked for.
    """
    import pymc as pm
    import pytensor.tensor as pt

    found = shared_variance(model)
    if found is None:
        return {}
    prior, keys = found
    here, count = pm.modelcontext(None), len(keys)
    total, share = f"{model.prefix}total_sd", f"{model.prefix}variance_share"
    if total not in here.named_vars:
        dims = f"{model.prefix}variance_component"
        here.add_coord(dims, shared_coords(model)[dims])
        pm.HalfStudentT(total, nu=f64(prior.nu), sigma=f64(prior.spread))
        if count > 1:  # one component has it all
            pm.Dirichlet(share, f64(prior.weights(count)), dims=dims)
    root = pt.sqrt(here[share]) if count > 1 else f64([1.0])
    sds = here[total] * root / f64(prior.unit(count))
    return {key: sds[i] for i, key in enumerate(keys)}


def shared_coords(model: Model) -> dict[str, list[str]]:
    """Coordinates of the parts of a total variance; none without one."""
    found = shared_variance(model)
    keys = [] if found is None else [f"{model.prefix}{key}" for key in found[1]]
    return {f"{model.prefix}variance_component": keys} if keys else {}


def shared_values(model: Model, sds: Mapping[str, Floats]) -> FreeValues:
    """Values of the free variables that `shared_sds` makes, from the sds by key, draws leading."""
    found = shared_variance(model)
    if found is None:
        return {}
    prior, keys = found
    parts = np.stack([sds[key] for key in keys], axis=-1) * prior.unit(len(keys))
    total = np.sqrt(np.sum(parts**2, axis=-1))
    out: FreeValues = {f"{model.prefix}total_sd": ((), total)}
    if len(keys) > 1:
        shares = (parts / total[..., None]) ** 2
        dims = (f"{model.prefix}variance_component",)
        out[f"{model.prefix}variance_share"] = (dims, shares)
    return out


def residual_sd_values(model: Model, sigma: Floats) -> FreeValues:
    """Values of the free variables that `residual_sd` makes, none where sigma shares a total
    variance; from sigma's, shape (...) or (..., strata)."""
    if model.strata is not None:
        return stratified_values(model, sigma)
    found = shared_variance(model)
    if found is not None and "sigma" in found[1]:
        return {}
    return scalar_values("sigma", model.priors["sigma"], sigma)

"""PyMC nodes of the priors over all slopes together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bayeslmm.graph.numbers import f64
from bayeslmm.priors import R2D2, Horseshoe, JointPrior

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

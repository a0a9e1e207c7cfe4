"""X beta in a PyMC model, with the intercept where its prior is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.graph.joint_priors import joint_slopes, residual_sd
from bayeslmm.graph.numbers import f64
from bayeslmm.graph.priors import FreeValues, scalar, scalar_values, vector, vector_values
from bayeslmm.graph.products import by_vector
from bayeslmm.model import Model
from bayeslmm.model.units import coefficient_units, column_scales, joint_units
from bayeslmm.priors import JointPrior

Floats = NDArray[np.float64]


def fixed_coords(model: Model) -> dict[str, Any]:
    """Coordinates of a predictor's fixed part."""
    coefs = [model.design.coefs[i] for i in model.columns]
    coords: dict[str, Any] = {f"{model.prefix}coef": coefs}
    slopes = [coef for coef in coefs if coef != "Intercept"]
    if slopes and len(slopes) < len(coefs):
        coords[f"{model.prefix}slope"] = slopes
    return coords


def fixed_part(model: Model) -> Any:
    """X beta and the offset, shape (n,)."""
    import pymc as pm
    import pytensor.tensor as pt

    prefix, priors = model.prefix, model.priors
    columns = list(model.columns)
    coefs = [model.design.coefs[i] for i in columns]
    mean = _offset(model)
    if not coefs:
        return mean
    values = f64(model.design.X[model.used][:, columns])
    X = pm.Data(f"{prefix}X", values, dims=("row", f"{prefix}coef"))
    if "Intercept" not in coefs:
        beta = _slopes(model, coefs, f"{prefix}beta", f"{prefix}coef")
        return mean + by_vector(X, beta, values.size)
    key = "Intercept" if "Intercept" in priors else "Intercept_centred"
    where = coefs.index("Intercept")
    unit = coefficient_units(model)[where]
    at_zero = scalar(f"{prefix}{key}", priors[key], positive=False, unit=unit)
    parts = at_zero[None]
    if len(coefs) > 1:
        slope = _slopes(model, coefs, f"{prefix}slope_effect", f"{prefix}slope")
        if key == "Intercept_centred":
            means = np.delete(model.design.X[:, columns].mean(axis=0), where)
            at_zero = at_zero - pt.sum(f64(means) * slope)
        parts = pt.concatenate([slope[:where], at_zero[None], slope[where:]])
    beta = pm.Deterministic(f"{prefix}beta", parts, dims=f"{prefix}coef")
    return mean + by_vector(X, beta, values.size)


def fixed_values(model: Model, beta: Floats) -> FreeValues:
    """Values of the free variables that `fixed_part` makes, from beta's, shape (..., p); none
    of priors that are joint over the slopes, whose scales aren't told by them."""
    prefix, priors = model.prefix, model.priors
    columns = list(model.columns)
    coefs = [model.design.coefs[i] for i in columns]
    if not coefs or isinstance(priors.get("beta"), JointPrior):
        return {}
    if "Intercept" not in coefs:
        return _slope_values(model, coefs, f"{prefix}beta", f"{prefix}coef", beta)
    key = "Intercept" if "Intercept" in priors else "Intercept_centred"
    where = coefs.index("Intercept")
    at_zero, slope = beta[..., where], np.delete(beta, where, axis=-1)
    if key == "Intercept_centred":
        means = np.delete(model.design.X[:, columns].mean(axis=0), where)
        at_zero = at_zero + slope @ means
    out = scalar_values(f"{prefix}{key}", priors[key], at_zero)
    if len(coefs) > 1:
        out |= _slope_values(model, coefs, f"{prefix}slope_effect", f"{prefix}slope", slope)
    return out


def _slope_values(
    model: Model, coefs: list[str], name: str, dims: str, values: Floats
) -> FreeValues:
    """Of the free variables that `_slopes` makes."""
    priors = [model.priors[f"beta[{coef}]"] for coef in coefs if coef != "Intercept"]
    return vector_values(name, priors, dims, values)


def _slopes(model: Model, coefs: list[str], name: str, dims: str) -> Any:
    """The coefficients but the intercept, each with its prior or all with one."""
    kept = [i for i, coef in enumerate(coefs) if coef != "Intercept"]
    joint = model.priors.get("beta")
    if isinstance(joint, JointPrior):
        unit: Any = joint_units(model, None)
        if joint.name == "r2d2" and model.has_sigma:
            unit = residual_sd(model) * f64(
                1.0 / column_scales(model.design.X[:, list(model.columns)])[kept]
            )
        return joint_slopes(name, joint, dims, len(kept), unit)
    priors = [model.priors[f"beta[{coefs[i]}]"] for i in kept]
    return vector(name, priors, dims, positive=False, unit=coefficient_units(model)[kept])


def _offset(model: Model) -> Any:
    import pymc as pm

    offset = model.design.rows.offset[model.used]
    if not np.any(offset):
        return f64(np.zeros(int(model.used.sum())))
    return pm.Data(f"{model.prefix}offset", f64(offset), dims="row")

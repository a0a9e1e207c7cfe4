"""X beta in a PyMC model, with the intercept where its prior is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.graph.joint_priors import joint_slopes, residual_sd
from bayeslmm.graph.numbers import f64
from bayeslmm.graph.priors import FreeValues, scalar, scalar_values, vector, vector_values
from bayeslmm.graph.products import by_vector
from bayeslmm.model import Model, coefficient_map, column_of
from bayeslmm.model.types import is_coefficient
from bayeslmm.model.units import centred_scales, coefficient_units, joint_units
from bayeslmm.priors import CENTRED, JointPrior, Prior

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
    A = coefficient_map(model)[np.ix_(columns, columns)]
    if "Intercept" not in coefs:
        beta = _slopes(model, coefs, A, f"{prefix}beta", f"{prefix}coef")
        return mean + by_vector(X, beta, values.size)
    key = "Intercept" if "Intercept" in priors else f"Intercept{CENTRED}"
    where = coefs.index("Intercept")
    unit = coefficient_units(model)[where]
    at_zero = scalar(f"{prefix}{key}", priors[key], positive=False, unit=unit)
    parts = at_zero[None]
    if len(coefs) > 1:
        slopes = [i for i in range(len(coefs)) if i != where]
        own = A[np.ix_(slopes, slopes)]
        slope = _slopes(model, coefs, own, f"{prefix}slope_effect", f"{prefix}slope")
        if key != "Intercept":
            at_zero = at_zero - pt.sum(f64(A[where, slopes]) * slope)
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
    own = beta @ coefficient_map(model)[np.ix_(columns, columns)].T  # where the priors are
    if "Intercept" not in coefs:
        return _slope_values(model, coefs, f"{prefix}beta", f"{prefix}coef", own)
    key = "Intercept" if "Intercept" in priors else f"Intercept{CENTRED}"
    where = coefs.index("Intercept")
    out = scalar_values(f"{prefix}{key}", priors[key], own[..., where])
    if len(coefs) > 1:
        slope = np.delete(own, where, axis=-1)
        out |= _slope_values(model, coefs, f"{prefix}slope_effect", f"{prefix}slope", slope)
    return out


def _slope_values(
    model: Model, coefs: list[str], name: str, dims: str, values: Floats
) -> FreeValues:
    """Of the free variables that `_slopes` makes."""
    slopes = [c for c in model.columns if model.design.coefs[c] != "Intercept"]
    own = coefficient_map(model)[np.ix_(slopes, slopes)]
    moved = not np.array_equal(own, np.eye(len(own)))
    return vector_values(
        f"{name}{CENTRED}" if moved else name, _slope_priors(model, coefs), dims, values
    )


def _slopes(model: Model, coefs: list[str], A: Floats, name: str, dims: str) -> Any:
    """The coefficients but the intercept, as the user sees them.

    The priors are on `A slopes`. Where that differs, it is the free variable, with ``_centred`` at
    the end of its name; `beta` is known under its own name all the same.
    """
    import pymc as pm

    if np.array_equal(A, np.eye(len(A))):
        return _with_priors(model, coefs, name, dims)
    free = _with_priors(model, coefs, f"{name}{CENTRED}", dims)
    slopes = by_vector(f64(np.linalg.inv(A)), free, A.size)
    whole = name == f"{model.prefix}beta"
    return pm.Deterministic(name, slopes, dims=dims) if whole else slopes


def _with_priors(model: Model, coefs: list[str], name: str, dims: str) -> Any:
    """The coefficients but the intercept where their priors are, each with its own or all with
    one."""
    kept = [i for i, coef in enumerate(coefs) if coef != "Intercept"]
    joint = model.priors.get("beta")
    if isinstance(joint, JointPrior):
        unit: Any = joint_units(model, None)
        if joint.name == "r2d2" and model.has_sigma:
            unit = residual_sd(model) * f64(1.0 / centred_scales(model)[list(model.columns)][kept])
        return joint_slopes(name, joint, dims, len(kept), unit)
    priors = _slope_priors(model, coefs)
    return vector(name, priors, dims, positive=False, unit=coefficient_units(model)[kept])


def _slope_priors(model: Model, coefs: list[str]) -> list[Prior]:
    by_column = {
        column_of(key, model): prior for key, prior in model.priors.items() if is_coefficient(key)
    }
    return [
        by_column[c] for c, name in zip(model.columns, coefs, strict=True) if name != "Intercept"
    ]


def _offset(model: Model) -> Any:
    import pymc as pm

    offset = model.design.rows.offset[model.used]
    if not np.any(offset):
        # of any number of rows, so that new ones can be set
        return f64(0.0) if model.columns else f64(np.zeros(int(model.used.sum())))
    return pm.Data(f"{model.prefix}offset", f64(offset), dims="row")

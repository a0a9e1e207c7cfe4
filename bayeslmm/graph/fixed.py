"""X beta in a PyMC model, with the intercept where its prior is."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayeslmm.graph.numbers import f64
from bayeslmm.graph.priors import scalar, vector
from bayeslmm.graph.scaled import coefficient_units
from bayeslmm.model import Model


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
    X = pm.Data(
        f"{prefix}X", f64(model.design.X[model.used][:, columns]), dims=("row", f"{prefix}coef")
    )
    slopes = [priors[f"beta[{coef}]"] for coef in coefs if coef != "Intercept"]
    unit = coefficient_units(model)
    if "Intercept" not in coefs:
        return mean + X @ vector(
            f"{prefix}beta", slopes, f"{prefix}coef", positive=False, unit=unit
        )
    key = "Intercept" if "Intercept" in priors else "Intercept_centred"
    where = coefs.index("Intercept")
    at_zero = scalar(f"{prefix}{key}", priors[key], positive=False, unit=unit[where])
    unit = np.delete(unit, where)
    parts = at_zero[None]
    if slopes:
        name, dim = f"{prefix}slope_effect", f"{prefix}slope"
        slope = vector(name, slopes, dim, positive=False, unit=unit)
        if key == "Intercept_centred":
            means = np.delete(model.design.X[:, columns].mean(axis=0), where)
            at_zero = at_zero - pt.dot(f64(means), slope)
        parts = pt.concatenate([slope[:where], at_zero[None], slope[where:]])
    return mean + X @ pm.Deterministic(f"{prefix}beta", parts, dims=f"{prefix}coef")


def _offset(model: Model) -> Any:
    import pymc as pm

    offset = model.design.rows.offset[model.used]
    if not np.any(offset):
        return f64(np.zeros(int(model.used.sum())))
    return pm.Data(f"{model.prefix}offset", f64(offset), dims="row")

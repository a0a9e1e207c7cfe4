"""Coefficients of middle size: what priors and samplers measure coefficients in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.model.types import Model

Floats = NDArray[np.float64]


def coefficient_units(model: Model) -> Floats:
    """For each fixed column the coefficient that moves the predictor by about its own spread.

    That is sd(y)/sd(x) on an identity link and 1/sd(x) on others, x the column with numeric
    variables at their means: whatever the units and origins of covariates are, a step of one in
    these is of middle size.
    """
    return np.asarray(model.unit / centred_scales(model)[list(model.columns)])


def centred_scales(model: Model) -> Floats:
    """Standard deviation of each column of the centred design, 1 for a constant one, (p,)."""
    design = model.design
    out = column_scales(design.X)
    for j in design.centred.reshaped:
        out[j] = column_scales(design.centred.column(j, design.columns)[:, None])[0]
    return out


def column_scales(X: Floats) -> Floats:
    """Standard deviation of each column, 1 for a constant one."""
    sd, size = X.std(axis=0), np.abs(X).max(axis=0, initial=0.0)
    return np.asarray(np.where(sd > 1e-12 * size, sd, 1.0))


def joint_units(model: Model, sigma: Floats | None) -> Floats:
    """For the slopes of a joint prior that knows sigma: sigma/sd(x), else `coefficient_units`.

    Parameters
    ----------
    model : Model
    sigma : ndarray, shape (S,), or None
    """
    slopes = [i for i, c in enumerate(model.columns) if model.design.coefs[c] != "Intercept"]
    if sigma is None:
        return coefficient_units(model)[slopes]
    scales = centred_scales(model)[list(model.columns)][slopes]
    return np.asarray(np.asarray(sigma)[..., None] / scales)

"""The variance parameters of a tree as the closed-form room takes them."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.fit.covariances import covariance_of
from bayeslmm.fit.tree import SAMPLE
from bayeslmm.gaussian.variances import Variances, off_zero
from bayeslmm.model import Model
from bayeslmm.model.names import RESIDUAL_PAR, group_names

Floats = NDArray[np.float64]


def variances_of(model: Model, source: xr.Dataset) -> Variances:
    """Covariances, sigma and the residuals' coordinates: one point of estimates, or every draw.

    Parameters
    ----------
    model : Model
    source : Dataset
        ``posterior``, ``estimate``, or means of the former.
    """
    size = int(np.prod([source.sizes[d] for d in SAMPLE if d in source.dims], dtype=int))

    def flat(name: str) -> Floats:
        values = source[name]
        lead = [d for d in SAMPLE if d in values.dims]
        return np.asarray(values.transpose(*lead, ...).values, dtype=np.float64).reshape(size, -1)

    covariances = []
    for g in group_names(model):
        cor = flat(g.cor) if g.pairs else np.empty((size, 0))
        covariances.append(covariance_of(flat(g.sd), cor, g))
    sigma = np.ones((size, 1)) if model.sigma_known else flat("sigma")
    delta = delta_of(model, source, sigma, size)
    return off_zero(model, Variances(tuple(covariances), sigma[:, 0], delta))


def delta_of(model: Model, source: xr.Dataset, sigma: Floats, size: int) -> Floats | None:
    """Coordinates of the residuals' structure, shape (S, d), by strata's sds, shape (S, m)."""
    if model.residual is None:
        return None
    values = np.empty((size, 0))
    if model.residual.parameters:
        own = source[RESIDUAL_PAR]
        lead = [d for d in SAMPLE if d in own.dims]
        values = own.transpose(*lead, ...).values.astype(np.float64).reshape(size, -1)
    return model.residual.delta(sigma, values)

"""Standard deviations and correlations of covariance matrices, in the order of the names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.model.names import GroupNames

Floats = NDArray[np.float64]


def sds_and_correlations(covariance: Floats, names: GroupNames) -> tuple[Floats, Floats]:
    """From covariances (..., k, k) to sds (..., sds) and the pairs' correlations (..., pairs).

    A correlation with a coefficient of no variance is NaN.
    """
    sd = np.sqrt(np.clip(np.einsum("...ii->...i", covariance), 0.0, None))
    if not names.pairs:
        return sd[..., names.sd_first], np.empty((*sd.shape[:-1], 0))
    i, j = np.array(names.pairs).T
    scale = sd[..., i] * sd[..., j]
    with np.errstate(invalid="ignore", divide="ignore"):
        cor = np.where(scale > 0, covariance[..., i, j] / scale, np.nan)
    return sd[..., names.sd_first], np.clip(cor, -1.0, 1.0)


def covariance_of(sd: Floats, cor: Floats, names: GroupNames) -> Floats:
    """The inverse of `sds_and_correlations`: (..., sds) and (..., pairs) to (..., k, k)."""
    sd = sd[..., names.sd_of]
    correlation = np.zeros((*sd.shape, sd.shape[-1])) + np.eye(sd.shape[-1])
    for position, (i, j) in enumerate(names.pairs):
        correlation[..., i, j] = correlation[..., j, i] = np.nan_to_num(cor[..., position])
    return np.asarray(sd[..., :, None] * correlation * sd[..., None, :])

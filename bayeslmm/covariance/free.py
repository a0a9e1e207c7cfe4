"""Any correlation matrix: a number for every two places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.covariance.correlation import Correlation, Floats, Parameter, Places
from bayeslmm.covariance.vine import correlation_cholesky, partial_correlations
from bayeslmm.priors import Flat


@dataclass(frozen=True)
class Free(Correlation):
    """`us` among residuals; coordinates are the partial correlations' (see `vine`)."""

    name: ClassVar[str] = "us"
    homogeneous: ClassVar[bool] = False
    whole: ClassVar[bool] = True
    joint: ClassVar[bool] = True

    def parameters(self, places: Places) -> tuple[Parameter, ...]:
        rows, columns = np.tril_indices(len(places), -1)
        return tuple(
            Parameter(f"cor({places.labels[b]},{places.labels[a]})", -1.0, 1.0, 0.0, Flat())
            for a, b in zip(rows, columns, strict=True)
        )

    def constrain(self, z: Floats, places: Places) -> tuple[Floats, Floats]:
        factor, log_jacobian = correlation_cholesky(z, len(places))
        lower = np.tril_indices(len(places), -1)
        return (factor @ factor.swapaxes(1, 2))[:, lower[0], lower[1]], log_jacobian

    def free(self, values: Floats, places: Places) -> Floats:
        flat = values.reshape(-1, values.shape[-1])
        roots = np.linalg.cholesky(self.matrix(flat, places))
        z = np.array([np.arctanh(partial_correlations(one)) for one in roots])
        return z.reshape(values.shape)

    def matrix(self, values: Floats, places: Places) -> Floats:
        k = len(places)
        out = np.tile(np.eye(k), (len(values), 1, 1))
        rows, columns = np.tril_indices(k, -1)
        out[:, rows, columns] = values
        out[:, columns, rows] = values
        return out

    def guess(self, correlation: Floats, places: Places) -> Floats:
        return np.asarray(correlation[np.tril_indices(len(places), -1)])

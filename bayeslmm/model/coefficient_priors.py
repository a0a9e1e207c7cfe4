"""The priors of beta as normal rows: what the closed forms take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.model.types import Model, is_coefficient
from bayeslmm.priors import NormalMixture

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PriorRows:
    """Independent statements `rows[r] @ beta ~ N(location[r], scale[r]²/lambda[r])`.

    `lambda[r] ~ Gamma(nu[r]/2, nu[r]/2)`; `nu` infinite is the plain normal. Coefficients
    with a flat prior have no row. The map from beta to all rows and flat coefficients is
    unit-triangular, so no Jacobian enters.

    Attributes
    ----------
    rows : ndarray, shape (r, p)
    location, scale, nu : ndarray, shape (r,)
    """

    rows: Floats
    location: Floats
    scale: Floats
    nu: Floats

    @property
    def n_flat(self) -> int:
        """How many coefficients are flat."""
        return int(self.rows.shape[1] - self.rows.shape[0])

    def on(self, columns: Sequence[int]) -> PriorRows:
        """The rows over some of the columns; a statement about none of them goes."""
        rows = self.rows[:, list(columns)]
        kept = np.any(rows != 0, axis=1)
        return PriorRows(rows[kept], self.location[kept], self.scale[kept], self.nu[kept])

    @property
    def heavy(self) -> NDArray[np.intp]:
        """The rows that are scale mixtures: one more unknown each."""
        return np.flatnonzero(np.isfinite(self.nu))


def unreachable(model: Model) -> list[str]:
    """Keys of coefficient priors that are no scale mixtures of normals."""
    return [
        key
        for key in model.priors
        if is_coefficient(key) and model.priors[key].normal_mixture() is None
    ]


def prior_rows(model: Model) -> PriorRows:
    """The rows of a model's coefficient priors; every one must be a scale mixture of normals."""
    coefs = model.design.coefs
    rows, mixtures = [], []
    for key, prior in model.priors.items():
        if not is_coefficient(key):
            continue
        mixture = prior.normal_mixture()
        assert mixture is not None, "engines refuse such priors first"
        if np.isinf(mixture.scale):
            continue
        rows.append(_row(key, model, coefs))
        mixtures.append(mixture)
    return _stack(rows, mixtures, len(coefs))


def isotropic(p: int, kappa: float) -> PriorRows:
    """The rows of beta ~ N(0, I/kappa); none at kappa = 0."""
    if kappa == 0:
        return _stack([], [], p)
    return _stack(list(np.eye(p)), [NormalMixture(0.0, kappa**-0.5, np.inf)] * p, p)


def _row(key: str, model: Model, coefs: tuple[str, ...]) -> Floats:
    if key == "Intercept_centred":
        return model.design.X.mean(axis=0)
    name = "Intercept" if key == "Intercept" else key[len("beta[") : -1]
    return np.eye(len(coefs))[coefs.index(name)]


def _stack(rows: list[Floats], mixtures: list[NormalMixture], p: int) -> PriorRows:
    values = np.array(mixtures, dtype=np.float64).reshape(len(rows), 3)
    return PriorRows(
        np.array(rows, dtype=np.float64).reshape(len(rows), p),
        values[:, 0],
        values[:, 1],
        values[:, 2],
    )

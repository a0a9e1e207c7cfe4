"""The priors of beta as normal rows: what the closed forms take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.model.types import Model, is_coefficient
from bayeslmm.priors import CENTRED, JointPrior, NormalMixture

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PriorRows:
    """Independent statements `rows[r] @ beta ~ N(location[r], scale[r]²/lambda[r])`.

    `lambda[r] ~ Gamma(nu[r]/2, nu[r]/2)`; `nu` infinite is the plain normal. Coefficients
    with a flat prior have no row. The map from beta to all rows and flat coefficients is
    unit-triangular in the order of the columns' degrees, so no Jacobian enters.

    Attributes
    ----------
    own : ndarray of intp, shape (r,)
        The column whose coefficient each row is of, beside others of higher degree.
    rows : ndarray, shape (r, p)
    location, scale, nu : ndarray, shape (r,)
    """

    own: NDArray[np.intp]
    rows: Floats
    location: Floats
    scale: Floats
    nu: Floats

    @property
    def n_flat(self) -> int:
        """How many coefficients are flat."""
        return int(self.rows.shape[1] - self.rows.shape[0])

    def on(self, columns: Sequence[int]) -> PriorRows:
        """The rows over some of the columns; those of the other columns' coefficients go."""
        columns = list(columns)
        kept = np.isin(self.own, columns)
        place = {column: i for i, column in enumerate(columns)}
        own = np.array([place[c] for c in self.own[kept].tolist()], dtype=np.intp)
        rows = self.rows[np.ix_(kept, columns)]
        return PriorRows(own, rows, self.location[kept], self.scale[kept], self.nu[kept])

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
    own, mixtures = [], []
    for key, prior in model.priors.items():
        if not is_coefficient(key):
            continue
        mixture = prior.normal_mixture()
        assert mixture is not None, "engines refuse such priors first"
        if np.isinf(mixture.scale):
            continue
        own.append(key)
        mixtures.append(mixture)
    places = [column_of(key, model) for key in own]
    rows = [_row(key, c, model) for key, c in zip(own, places, strict=True)]
    return _stack(places, rows, mixtures, model.design.p)


def isotropic(p: int, kappa: float) -> PriorRows:
    """The rows of beta ~ N(0, I/kappa); none at kappa = 0."""
    if kappa == 0:
        return _stack([], [], [], p)
    one = NormalMixture(0.0, kappa**-0.5, np.inf)
    return _stack(list(range(p)), list(np.eye(p)), [one] * p, p)


def column_of(key: str, model: Model) -> int:
    """The fixed column whose coefficient a prior's key is of."""
    name = key.removesuffix(CENTRED)
    return model.design.coefs.index(name if name == "Intercept" else name[len("beta[") : -1])


def coefficient_map(model: Model) -> Floats:
    """A of `A beta`, the coefficients that the priors are on, shape (p, p).

    Rows are of the coefficient at the centre, or of the user's own; of the users' intercept
    ``Intercept_centred`` is the value at the means of the columns. A is unit-triangular in the
    order of the columns' degrees: log|det A| = 0.
    """
    out = np.eye(model.design.p)
    for key in model.priors:
        if is_coefficient(key) and key != "beta":
            column = column_of(key, model)
            out[column] = _row(key, column, model)
    if isinstance(model.priors.get("beta"), JointPrior):
        slopes = [c for c, name in enumerate(model.design.coefs) if name != "Intercept"]
        out[slopes] = model.design.centred.U[slopes]
    return out


def _row(key: str, column: int, model: Model) -> Floats:
    if key == f"Intercept{CENTRED}":
        return model.design.X.mean(axis=0)
    if key.endswith(CENTRED):
        return model.design.centred.U[column]
    return np.eye(model.design.p)[column]


def _stack(own: list[int], rows: list[Floats], mixtures: list[NormalMixture], p: int) -> PriorRows:
    values = np.array(mixtures, dtype=np.float64).reshape(len(rows), 3)
    return PriorRows(
        np.array(own, dtype=np.intp),
        np.array(rows, dtype=np.float64).reshape(len(rows), p),
        values[:, 0],
        values[:, 1],
        values[:, 2],
    )

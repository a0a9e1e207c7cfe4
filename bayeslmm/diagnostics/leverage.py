"""Leverages: the diagonal of the matrix that takes y to the fitted values.

With C = [X Z] and Var(beta, u | y) = sigma² M⁻¹ at the estimated variances, the fitted values are
C M⁻¹ C' (sigma² R⁻¹) y, and with f = C (beta, u)

    h_i = sum_j (R⁻¹)_ij Cov(f_i, f_j),

over the rows j whose residuals depend on row i's: for independent ones w_i Var(f_i) / sigma².
Without random terms it is the hat matrix of (generalised) least squares (Hoaglin & Welsch, 1978,
Am. Stat. 32(1)), and the leverages sum to the rank of X; with them, to the effective number of
parameters (Hodges & Sargent, 2001, Biometrika 88(2)).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.errors import FitError
from bayeslmm.fit.variances import variances_of
from bayeslmm.gaussian.equations import FactorPoint, equations
from bayeslmm.gaussian.noise import Noise, noise_of
from bayeslmm.gaussian.posterior import linear_variance
from bayeslmm.gaussian.variances import Variances, lambdas_from_covariances
from bayeslmm.model import Model

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
METHODS = ("ml", "reml", "anova")
STRETCH = 50_000


def leverage(model: Model, tree: xr.DataTree, method: str) -> pd.Series[float]:
    """Leverage of every row, index of the table; zero where its weight is.

    Parameters
    ----------
    model : Model
    tree : DataTree
    method : str
        That made it.

    Raises
    ------
    FitError
        A fit with a prior, or residuals that correlate across the levels of a factor.
    """
    if method not in METHODS:
        raise FitError(
            f"A fit by {method!r} has no leverages: its fitted values are not linear in y alone",
            hint=f"Leverages are available from {', '.join(map(repr, METHODS))}",
        )
    e = tree["estimate"].dataset
    columns = tuple(model.design.coefs.index(c) for c in e["coef"].values)
    at = variances_of(model, e)
    system = equations(model, columns)
    factor = system.at(lambdas_from_covariances(system.moments.coordinates, at))
    noise = noise_of(model)
    fitted = _Fitted(model, factor, columns)
    if noise is None:
        values = model.precision_weights * fitted.variance(np.arange(model.design.n))
    else:
        values = _structured(model, noise, at, fitted)
    return pd.Series(values, index=pd.Index(model.design.index), name="leverage")


class _Fitted:
    """Var(f_i) and Var(f_i + f_j) over sigma², f the fitted values."""

    def __init__(self, model: Model, factor: FactorPoint, columns: tuple[int, ...]) -> None:
        self.model = model
        self.factor = factor
        self.X = model.design.X[:, columns]

    def variance(self, rows: Ints, also: Ints | None = None) -> Floats:
        out = np.empty(len(rows))
        for a in range(0, len(rows), STRETCH):
            part = slice(a, a + STRETCH)
            taken = [rows[part]] if also is None else [rows[part], also[part]]
            fixed = np.sum([self.X[r] for r in taken], axis=0)
            random = tuple(
                (b.codes[taken[0]], np.sum([b.values[r] for r in taken], axis=0))
                for b in self.model.design.blocks
            )
            out[part] = linear_variance(self.factor, 1.0, fixed, random)
        return out


def _structured(model: Model, noise: Noise, at: Variances, fitted: _Fitted) -> Floats:
    """Under structured residuals, by pairs of rows that depend on each other."""
    assert at.delta is not None
    entries = np.ravel(noise.precision(at.delta))
    i, j = noise.pattern
    own, other = noise.rows[i], noise.rows[j]
    met = own != other
    for block in model.design.blocks:
        if np.any(block.codes[own] != block.codes[other]):
            raise FitError(
                "Leverages are not available, because residuals are correlated across levels of "
                f"{block.group!r}"
            )
    alone = fitted.variance(np.arange(model.design.n))
    covariance = alone[own]
    above = own < other  # the covariance of a pair is found once: it is symmetric
    pairs = own[above], other[above]
    both = (fitted.variance(*pairs) - alone[pairs[0]] - alone[pairs[1]]) / 2
    n = model.design.n
    keys = pairs[0] * n + pairs[1]
    order = np.argsort(keys)
    wanted = np.minimum(own, other)[met] * n + np.maximum(own, other)[met]
    covariance[met] = both[order][np.searchsorted(keys[order], wanted)]
    return np.bincount(own, entries * covariance, minlength=n)

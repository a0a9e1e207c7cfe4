"""No pooling, complete pooling and what lies between, for one grouping factor.

With `Z_j`, `W_j` the random-effect covariates and precision weights of level j's rows:

    no pooling   a_j = (Z_j'W_j Z_j)⁻¹ Z_j'W_j (y_j - offset_j)
    population   b_j = (Z_j'W_j Z_j)⁻¹ Z_j'W_j X_j beta
    shrunken     b_j + u_j,    u_j = Omega (Omega + sigma² (Z_j'W_j Z_j)⁻¹)⁻¹ (a_j - b_j)

the last where the factor is the only one (de Leeuw & Kreft, 1986, J. Educ. Stat. 11(1), 57-85;
Robinson, 1991, Stat. Sci. 6(1), 15-32).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.design import aliasing
from bayeslmm.engines.given import given_variances
from bayeslmm.errors import MethodError
from bayeslmm.gaussian.equations import equations
from bayeslmm.gaussian.posterior import covariance
from bayeslmm.gaussian.variances import Variances, lambdas_from_covariances
from bayeslmm.model import Model

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]


def no_pooling(model: Model, index: int) -> Floats:
    """Least squares of each level's rows alone, shape (J, k); NaN where they can't tell.

    Raises
    ------
    MethodError
        A response that isn't Gaussian on the identity link.
    """
    if model.family.name != "gaussian" or model.link.name != "identity":
        raise MethodError(
            "Estimates without pooling are least squares, which need a Gaussian response on the "
            f"identity link, not {model.family.name} on {model.link.name}",
            hint="plot_ranef shows the effects of any fit",
        )
    block = model.design.blocks[index]
    y = model.design.y - model.design.offset
    out = np.full((block.n_levels, block.n_coefs), np.nan)
    for level, rows in _rows_of(model, index):
        root = np.sqrt(model.precision_weights[rows])
        z = block.values[rows] * root[:, None]
        if len(aliasing(z, block.coefs).kept) == block.n_coefs:
            out[level] = _least_squares(z, y[rows] * root)
    return out


def population_map(model: Model, index: int) -> Floats:
    """The matrices that take beta to each level's population coefficients, shape (J, k, p).

    A fixed column that is a random-effect covariate too goes to its own coefficient; the others
    are projected on the level's covariates. Where these are collinear within the level, the
    first ones take it all.
    """
    design, block = model.design, model.design.blocks[index]
    out = np.zeros((block.n_levels, block.n_coefs, design.p))
    own = _own_columns(model, index)
    for c, i in own.items():
        out[:, c, i] = 1.0
    rest = [i for i in range(design.p) if i not in own.values()]
    if not rest:
        return out
    for level, rows in _rows_of(model, index):
        weights = model.precision_weights[rows]
        root = np.sqrt(weights if weights.any() else np.ones(len(rows)))[:, None]
        z = block.values[rows] * root
        kept = list(aliasing(z, block.coefs).kept)
        out[level][np.ix_(kept, rest)] = _least_squares(z[:, kept], design.X[rows][:, rest] * root)
    return out


def reliability(model: Model, tree: xr.DataTree, index: int) -> Floats:
    """`1 - Var(u | y, beta) / Var(u)` of every level and coefficient, shape (J, k).

    At the variances of a fit: estimates, or posterior means of standard deviations and
    correlations. 0 where the variance is 0: all is pooled.
    """
    at, _ = given_variances(model, tree)
    left = _variance_left(model, at, index)
    prior = np.diag(at.covariances[index][0])
    share = np.divide(left, prior, out=np.ones_like(left), where=prior > 0)
    return np.clip(1.0 - share, 0.0, 1.0)


def _variance_left(model: Model, at: Variances, index: int) -> Floats:
    system = equations(model, tuple(model.aliasing.kept))
    factor = system.at(lambdas_from_covariances(system.moments.coordinates, at))
    left = covariance(factor, float(at.sigma[0] ** 2)).u_given_beta[index]
    return np.asarray(np.einsum("jaa->ja", left))


def _rows_of(model: Model, index: int) -> Iterator[tuple[int, Rows]]:
    block = model.design.blocks[index]
    order = np.argsort(block.codes, kind="stable")
    ends = np.searchsorted(block.codes[order], np.arange(block.n_levels + 1))
    for level in range(block.n_levels):
        yield level, order[ends[level] : ends[level + 1]]


def _own_columns(model: Model, index: int) -> dict[int, int]:
    """Random coefficient to the fixed column of the same name and numbers."""
    design, block = model.design, model.design.blocks[index]
    return {
        c: design.coefs.index(name)
        for c, name in enumerate(block.coefs)
        if name in design.coefs
        and np.array_equal(design.X[:, design.coefs.index(name)], block.values[:, c])
    }


def _least_squares(z: Floats, target: Floats) -> Floats:
    q, r = np.linalg.qr(z)
    return np.asarray(np.linalg.solve(r, q.T @ target))

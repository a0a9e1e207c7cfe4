"""Predictions from estimates: the equations at the estimated variances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.design import RandomBlock, Rows
from bayeslmm.errors import MethodError
from bayeslmm.fit.tables import half_width
from bayeslmm.fit.variances import variances_of
from bayeslmm.gaussian.equations import equations
from bayeslmm.gaussian.posterior import linear_variance
from bayeslmm.gaussian.variances import Variances, lambdas_from_covariances
from bayeslmm.model import Model
from bayeslmm.model.names import group_names
from bayeslmm.predict.kriging import at_estimates
from bayeslmm.predict.residuals import Conditional, conditionals, new_residuals

Floats = NDArray[np.float64]
Blocks = Sequence[RandomBlock | None]


def plug_in(
    model: Model,
    e: xr.Dataset,
    rows: Rows,
    blocks: Blocks,
    new_levels: str,
    residual: Floats | None,
) -> Floats:
    """Estimates, standard errors and bounds by row, shape (n, 4).

    Parameters
    ----------
    model : Model
    e : Dataset
        The fit's estimates.
    rows : Rows
    blocks : sequence of RandomBlock or None
        The rows' block of each factor, None for one left out.
    new_levels : {"error", "draw", "zero"}
    residual : ndarray, shape (n,), optional
        Residual standard deviations over sigma, for new observations.
    """
    at = variances_of(model, e)
    blocks, left = _at_places(model, e, blocks, new_levels)
    X = rows.X[:, _columns(model, e)]
    estimate = X @ e["beta"].values + rows.offset
    for g, block in zip(group_names(model), blocks, strict=True):
        if block is not None:
            estimate = estimate + _known_effects(e[g.u].values, block)
    variance = left + _variance(model, at, e, X, blocks, blocks, new_levels)
    if residual is not None:
        variance = variance + at.sigma[0] ** 2 * residual**2
    return _bounds(estimate, variance, e)


def plug_in_response(
    model: Model,
    e: xr.Dataset,
    rows: Rows,
    blocks: Blocks,
    new_levels: str,
    new: Any,
    base: Floats,
) -> Floats:
    """The same for new observations whose residuals go with observed ones.

    The best linear unbiased prediction (Goldberger, 1962): with A the weights of the observed
    residuals of a group in the new one, `c'theta + A (y - C theta)` has the variance of
    `(c - C'A')'theta` plus the unexplained variance of the residual.

    Parameters
    ----------
    model, e, rows, blocks, new_levels
        As in `plug_in`.
    new : table or None
        The rows as they were given; None for new observations at the model's training rows, which
        are replicates with independent residuals.
    base : ndarray, shape (n,)
        1/sqrt(weight), or the known sd.

    Raises
    ------
    MethodError
        Groups of residuals that reach over levels of a factor.
    """
    at = variances_of(model, e)
    assert at.delta is not None and model.residual is not None
    if new is None:
        ratios, values, _ = model.residual.natural(at.delta)
        scale = base * model.residual.row_scales(ratios[0], values[0])
        if model.residual.known is not None:
            scale = scale * np.sqrt(np.diag(model.residual.known))
        return plug_in(model, e, rows, blocks, new_levels, scale)
    found = new_residuals(model, new, base)
    scale = found.scales(at.delta)[0]
    if any(b is None for b in blocks):
        return plug_in(model, e, rows, blocks, new_levels, scale)
    plain = plug_in(model, e, rows, blocks, new_levels, None)[:, 0]
    blocks, of_places = _at_places(model, e, blocks, new_levels)
    X = rows.X[:, _columns(model, e)].copy()
    own = [replace(b, values=b.values.copy(), codes=b.codes.copy()) for b in blocks if b]
    left = np.ones(len(X))
    resid = (
        model.design.y
        - plug_in(model, e, model.design.rows, model.design.blocks, "error", None)[:, 0]
    )
    for told in conditionals(model, found, at.delta):
        weights = told.weights[0]
        plain[told.new] += weights @ resid[told.observed]
        X[told.new] -= weights @ model.design.X[told.observed][:, _columns(model, e)]
        left[told.new] = told.left[0]
        _take_from_effects(model, own, told)
    variance = of_places + _variance(model, at, e, X, own, blocks, new_levels)
    return _bounds(plain, variance + at.sigma[0] ** 2 * scale**2 * left, e)


def _at_places(
    model: Model, e: xr.Dataset, blocks: Blocks, new_levels: str
) -> tuple[Blocks, Floats]:
    """The blocks with new places in terms of training places, and unexplained variances, (n,)."""
    out: list[RandomBlock | None] = []
    left: Floats = np.zeros(())
    for index, (g, block) in enumerate(zip(group_names(model), blocks, strict=True)):
        if block is None or not block.further:
            out.append(block)
            continue
        made, rest = at_estimates(model, index, g, block, e, new_levels)
        out.append(made)
        left = left + rest
    return out, left


def _take_from_effects(model: Model, own: list[RandomBlock], told: Conditional) -> None:
    """The covariates of the new rows' effects less what the observed residuals carry of them."""
    for block, seen in zip(own, model.design.blocks, strict=True):
        codes = np.unique(seen.codes[told.observed])
        if len(codes) > 1:
            raise MethodError(
                f"Residuals are correlated across levels of {seen.group!r}: the error of a "
                "new observation is not available from estimates",
                hint="Use kind='mean', or method='exact'",
            )
        known = block.codes[told.new] == codes[0]
        values = np.where(known[:, None], block.values[told.new], 0.0)
        block.values[told.new] = values - told.weights[0] @ seen.values[told.observed]
        block.codes[told.new] = codes[0]


def _columns(model: Model, e: xr.Dataset) -> list[int]:
    return [model.design.coefs.index(c) for c in e["coef"].values]


def _variance(
    model: Model,
    at: Variances,
    e: xr.Dataset,
    X: Floats,
    blocks: Blocks,
    asked: Blocks,
    new_levels: str,
) -> Floats:
    """Prediction error variance of `x'beta + z'u`; of unseen levels of the rows that were asked
    for, the population's."""
    system = equations(model, tuple(_columns(model, e)))
    factor = system.at(lambdas_from_covariances(system.moments.coordinates, at))
    taken = tuple(None if b is None else (b.codes, b.values) for b in blocks)
    variance = linear_variance(factor, float(at.sigma[0] ** 2), X, taken)
    for block, cov in zip(asked, at.covariances, strict=True):
        if block is not None and new_levels == "draw":
            unseen = block.codes < 0
            z = block.values[unseen]
            variance[unseen] += np.einsum("na,ab,nb->n", z, cov[0], z)
    return variance


def _bounds(estimate: Floats, variance: Floats, e: xr.Dataset) -> Floats:
    spread = np.sqrt(np.clip(variance, 0.0, None))
    half = half_width(e.attrs) * spread
    return np.stack([estimate, spread, estimate - half, estimate + half], axis=-1)


def _known_effects(u: Floats, block: RandomBlock) -> Floats:
    seen = block.codes >= 0
    out = np.zeros(len(block.codes))
    out[seen] = np.sum(u[block.codes[seen]] * block.values[seen], axis=1)
    return out

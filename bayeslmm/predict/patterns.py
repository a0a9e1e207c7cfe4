"""Covariance patterns and residual structures among a model's parameters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import Patterned, correlation_cholesky
from bayeslmm.gaussian.likelihood import LOG_2PI
from bayeslmm.gaussian.noise import noise_of
from bayeslmm.model import Model
from bayeslmm.model.names import RESIDUAL_PAR, GroupNames, group_names
from bayeslmm.priors import LKJ

Floats = NDArray[np.float64]
Values = dict[str, Floats]


def fill_correlations(model: Model, values: Values) -> None:
    """Correlations that follow from patterns' numbers, into `values`, S points first."""
    for index, g in enumerate(group_names(model)):
        if not g.pars or g.par not in values:
            continue
        size = len(values[g.par])
        found = values.get(g.cor, np.zeros((size, len(g.pairs)))).copy()
        first = 0
        for term in (t for t in model.terms if t.block == index):
            structure = term.structure
            if not isinstance(structure, Patterned):
                continue
            count = len(structure.parameters)
            own = values[g.par][:, first : first + count]
            first += count
            matrix = structure.pattern.matrix(own, structure.places)
            for place, (a, b) in enumerate(g.pairs):
                if a in term.columns and b in term.columns:
                    i, j = term.columns.index(a), term.columns.index(b)
                    found[:, place] = matrix[:, i, j]
        values[g.cor] = found


def draw_numbers(model: Model, g: GroupNames, size: int, rng: np.random.Generator) -> Values:
    """Draws of the numbers of a factor's patterns from their priors."""
    if not g.pars:
        return {}
    keys = [key for t in model.terms if t.group == g.group for key in t.par_keys]
    return {g.par: np.column_stack([model.priors[key].draw(rng, size) for key in keys])}


def draw_residual(model: Model, size: int, rng: np.random.Generator) -> Values:
    """Draws of what the residuals' structure has, from their priors: sigma by stratum too."""
    out: Values = {}
    residual = model.residual
    if residual is None:
        return out
    if model.strata is not None and model.has_sigma:
        drawn = [model.priors[key].draw(rng, size) for key in model.sigma_keys]
        out["sigma"] = np.column_stack(drawn)
    if residual.parameters:
        parts = [model.priors[key].draw(rng, size)[:, None] for key in model.residual_keys]
        if model.residual_cor_key is not None and residual.correlated is not None:
            prior, k = model.priors[model.residual_cor_key], len(residual.correlated.places)
            assert isinstance(prior, LKJ)
            root, _ = correlation_cholesky(np.arctanh(prior.draw_partial(rng, k, size)), k)
            lower = np.tril_indices(k, -1)
            parts.append((root @ root.swapaxes(1, 2))[:, lower[0], lower[1]])
        out[RESIDUAL_PAR] = np.concatenate(parts, axis=1)
    return out


def draw_residuals(model: Model, values: Values, rng: np.random.Generator) -> Floats:
    """Residuals of the model's rows at S points, shape (S, n); zero where a row has no weight."""
    residual = model.residual
    assert residual is not None
    size = len(next(iter(values.values())))
    sigma = values["sigma"].reshape(size, -1) if model.has_sigma else np.ones((size, 1))
    own = values.get(RESIDUAL_PAR, np.empty((size, 0)))
    strata = np.broadcast_to(sigma, (size, residual.n_strata))
    delta = residual.delta(strata, own)
    return sigma[:, :1] * draw_scaled(model, delta, rng)


def draw_scaled(model: Model, delta: Floats, rng: np.random.Generator) -> Floats:
    """Residuals over sigma of the model's rows at S points, delta of shape (S, d): (S, n)."""
    noise = noise_of(model)
    assert noise is not None
    out = np.zeros((len(delta), model.design.n))
    drawn = noise.draw(delta, rng.standard_normal((len(delta), len(noise.rows))))
    out[:, noise.rows] = drawn
    return out


def residual_log_likelihood(model: Model, residuals: Floats, values: Values) -> Floats:
    """log N(e; 0, R) at S points, shape (S,), of residuals of shape (S, n)."""
    residual, noise = model.residual, noise_of(model)
    assert residual is not None and noise is not None
    size = len(residuals)
    sigma = values["sigma"].reshape(size, -1) if model.has_sigma else np.ones((size, 1))
    own = values.get(RESIDUAL_PAR, np.empty((size, 0)))
    delta = residual.delta(np.broadcast_to(sigma, (size, residual.n_strata)), own)
    out = np.empty(size)
    n = len(noise.rows)
    for s in range(size):
        e = residuals[s, noise.rows][:, None] / sigma[s, 0]
        log_det, white = noise.whiten(delta[s : s + 1], e)
        out[s] = -0.5 * (n * LOG_2PI + float(np.sum(white**2)))
        out[s] -= log_det[0] + n * np.log(sigma[s, 0])
    return out

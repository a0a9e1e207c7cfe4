"""Priors of the user that dominate the data: narrower than the standard error from the data.

The data's own answer is the coefficients' under flat priors, at the posterior means of the
variances: generalised least squares in closed form. For other families than the Gaussian it is
that of the working Gaussian model about the posterior mean of the linear predictor (McCullagh and
Nelder, 1989, Generalized Linear Models, 2.5).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.errors import PriorWarning, warn
from bayeslmm.fit.covariances import covariance_of
from bayeslmm.gaussian.equations import equations
from bayeslmm.gaussian.variances import roots_from_own
from bayeslmm.gaussian.working import working_model
from bayeslmm.graph import own_scales, scales_in
from bayeslmm.model import Model, not_gaussian, prior_rows, unreachable
from bayeslmm.model.names import RESIDUAL_PAR, GroupNames, group_names, residual_names

Floats = NDArray[np.float64]
SAMPLE = ("chain", "draw")


def narrow_priors(model: Model, tree: xr.DataTree) -> list[str]:
    """A sentence for each such prior of a coefficient; it is warned of too.

    A prior counts where its standard deviation is below the standard error that the data give,
    and the posterior mean is further than that from the data's estimate.

    Parameters
    ----------
    model : Model
    tree : DataTree
        Of a Bayesian fit.
    """
    given = model.spec.priors
    if not isinstance(given, Mapping) or "posterior" not in tree or unreachable(model):
        return []
    if model.family.categorical or model.dpars or not any(map(_on_beta, given)):
        return []
    posterior = tree["posterior"].to_dataset()
    means = posterior.mean(SAMPLE)
    kept = list(model.aliasing.kept)
    rows = prior_rows(model).on(kept)
    try:
        estimates, variances = _flat(model, posterior, means, rows.rows)
    except (np.linalg.LinAlgError, KeyError, ValueError):
        return []
    beta = means["beta"].reindex(coef=[model.design.coefs[c] for c in kept], fill_value=0.0).values
    found = []
    for r, own in enumerate(rows.own):
        name, row = model.design.coefs[kept[own]], rows.rows[r]
        error, data = float(np.sqrt(variances[r])), float(estimates[r])
        here = float(row @ beta)
        if rows.scale[r] < error and abs(here - data) > error:
            found.append(
                f"The prior of {name!r} dominates the data: its standard deviation is "
                f"{rows.scale[r]:.3g}, the standard error from the data alone is {error:.3g}, "
                f"and the prior moves the estimate from {data:.4g} to {here:.4g}. If this is not "
                f"intended, leave {name!r} out of priors=: the default prior is wide."
            )
    return [warn(text, PriorWarning) for text in found]


def _on_beta(key: object) -> bool:
    return str(key).strip().startswith(("beta", "Intercept"))


def _flat(
    model: Model, posterior: xr.Dataset, means: xr.Dataset, rows: Floats
) -> tuple[Floats, Floats]:
    """Estimates and variances of linear combinations of coefficients, rows of shape (r, p), under
    flat priors at the posterior means of the variances; of the unaliased columns."""
    names = group_names(model)
    own = tuple(_mean_covariance(model, i, g, posterior) for i, g in enumerate(names))
    sigma, delta = np.ones(1), None
    if not_gaussian(model, "exact") is not None:
        eta = model.design.offset + model.design.X[:, list(model.columns)] @ _beta(model, means)
        for g, block in zip(names, model.design.blocks, strict=True):
            eta = eta + np.sum(block.values * means[g.u].values[block.codes], axis=1)
        model = working_model(model, eta, {n: means[n].values for n in model.parameters})
    elif not model.sigma_known:
        sigma = np.atleast_1d(means["sigma"].values)
    if model.residual is not None:
        pars = residual_names(model).pars
        values = means[RESIDUAL_PAR].values if pars else np.empty(0)
        delta = model.residual.delta(sigma[None], values[None])
    system = equations(model, model.aliasing.kept)
    about = system.moments.coordinates
    roots = roots_from_own(model, about, own, sigma[:1])
    factor = system.at(roots if delta is None else (*roots, delta[:, None, :]), sigma[:1] ** 2)
    inner = rows @ about.T
    variances = np.einsum("ri,ij,rj->r", inner, factor.inner_covariance, inner)
    return rows @ about.shift + inner @ factor.inner_beta[0], sigma[0] ** 2 * variances


def _mean_covariance(model: Model, index: int, g: GroupNames, posterior: xr.Dataset) -> Floats:
    """The posterior mean of the covariance of the effects that a factor's priors are on,
    (1, k, k)."""
    scales = scales_in(model, index, g, posterior)
    if scales is None:
        sd = posterior[g.sd].transpose(*SAMPLE, ...).values
        cor = posterior[g.cor].transpose(*SAMPLE, ...).values if g.pairs else sd[..., :0]
        scales = own_scales(model, index, g, sd, cor)
    covariance = covariance_of(*scales, g)
    return covariance.reshape(-1, *covariance.shape[-2:]).mean(axis=0)[None]


def _beta(model: Model, means: xr.Dataset) -> Floats:
    coefs = [model.design.coefs[c] for c in model.columns]
    return np.asarray(means["beta"].reindex(coef=coefs, fill_value=0.0).values)

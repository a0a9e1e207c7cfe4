"""Coefficients and random effects for draws of the variance parameters, whoever made those."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.engines.exact_draws import collect
from bayeslmm.errors import FitError, MethodError, check_seed, is_finite, warn
from bayeslmm.fit.covariances import covariance_of
from bayeslmm.fit.tree import SAMPLE
from bayeslmm.gaussian.target import Target, target
from bayeslmm.gaussian.variances import psi_of
from bayeslmm.graph import scales_in
from bayeslmm.graph.collapsed import MULTIPLIER, refusal
from bayeslmm.model import Model
from bayeslmm.model.names import RESIDUAL_PAR, GroupNames, group_names, residual_names

Floats = NDArray[np.float64]
INSIDE = 1e-12  # how far correlation matrices are kept from singular ones
LEAST_SD = 1e-80  # where a standard deviation is none: its logarithm still is a number


def recover(
    model: Model, tree: xr.DataTree, seed: int | None = None, memory: float = 1.0
) -> xr.DataTree:
    """The tree of a collapsed run with exact draws of beta and u beside those of the variances.

    Given the variances the posterior of (beta, u) is Gaussian, and one joint draw of it is made
    for each draw of them.

    Parameters
    ----------
    model : Model
    tree : DataTree
        With a group ``posterior`` that has the model's standard deviations, correlations and
        sigma under the tree's names, on (chain, draw).
    seed : int, optional
    memory : float
        GiB that draws of u may take; past it the tree has a group ``effects`` with their means
        and covariances (see method 'exact').

    Returns
    -------
    DataTree
        The same groups; ``posterior`` has beta and u too, and further variables stay.

    Raises
    ------
    MethodError
        A model whose (beta, u) can't be integrated out.
    FitError
        A tree without the variance parameters, or with those of another model.
    """
    check_seed(seed)
    out, notes = recovered(model, tree, seed, memory)
    for note in notes:
        warn(note)
    return out


def recovered(
    model: Model, tree: xr.DataTree, seed: int | None, memory: float
) -> tuple[xr.DataTree, tuple[str, ...]]:
    """The tree of `recover`, and its notes, without warnings."""
    reason = refusal(model)
    if reason is not None:
        raise MethodError(reason)
    check_memory(memory)
    if "posterior" not in tree:
        raise FitError(
            "The tree has no group 'posterior'",
            got=list(tree.children) or "no groups",
            hint="Sample it: with model.to_pymc(marginal=True): tree = pm.sample()",
        )
    posterior = tree["posterior"].to_dataset()
    if not set(SAMPLE) <= set(posterior.sizes):
        raise FitError(
            "The tree's posterior lacks the dimensions chain and draw", got=list(posterior.sizes)
        )
    density = target(model)
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    psi = _psi(density, posterior, shape[0] * shape[1])
    gathered = collect(density, psi, np.random.default_rng(seed), shape, memory, shuffle=False)
    groups = {name: node.to_dataset() for name, node in tree.children.items()}
    groups |= gathered.groups
    groups["posterior"] = _joined(model, gathered.groups["posterior"], posterior)
    out = xr.DataTree.from_dict({f"/{name}": ds for name, ds in groups.items()})
    out.attrs = dict(tree.attrs)
    return out, gathered.notes


def check_memory(memory: float) -> None:
    """Raise MethodError unless `memory` is a number of GiB."""
    if not is_finite(memory) or memory < 0:
        raise MethodError("memory must be a number of GiB", got=repr(memory), allowed="0 or more")


def _joined(model: Model, drawn: xr.Dataset, sampled: xr.Dataset) -> xr.Dataset:
    """beta and u as drawn, all else as it was sampled, on the sampler's chains and draws."""
    ours = ["beta", *(g.u for g in group_names(model))]
    drawn = drawn.assign_coords({dim: sampled[dim].values for dim in SAMPLE})
    kept = sampled.drop_vars([name for name in ours if name in sampled])
    kept = kept.drop_vars([c for c in kept.coords if c in drawn.coords])
    values = {str(name): value.transpose(*SAMPLE, ...) for name, value in kept.data_vars.items()}
    return drawn.assign(values).assign_attrs(sampled.attrs)


def _psi(density: Target, posterior: xr.Dataset, size: int) -> Floats:
    """The room's coordinates of every draw, shape (size, d)."""
    model = density.model
    covariances, own, names = [], [], group_names(model)
    for index, g in enumerate(names):
        sd = _flat(posterior, g.sd, size, len(g.sds))
        cor = _flat(posterior, g.cor, size, len(g.pairs)) if g.pairs else np.empty((size, 0))
        covariances.append(_inside(sd, cor, g))
        drawn = scales_in(model, index, g, posterior)
        own.append(None if drawn is None else _inside(*drawn, g))
    about = density.equations.moments.coordinates
    values = [_flat(posterior, g.par, size, len(g.pars)) if g.pars else None for g in names]
    parts = [psi_of(model, about, tuple(covariances), values, own)]
    sigma = np.ones((size, 1))
    if not model.sigma_known:
        strata = 1 if model.strata is None else len(model.strata.labels)
        sigma = _flat(posterior, "sigma", size, strata)
        parts.append(np.log(sigma[:, :1]))
    if model.residual is not None:
        pars = residual_names(model).pars
        found = _flat(posterior, RESIDUAL_PAR, size, len(pars)) if pars else np.empty((size, 0))
        parts.append(model.residual.delta(sigma, found))
    if len(density.rows.heavy):
        parts.append(np.log(_flat(posterior, MULTIPLIER, size, len(density.rows.heavy))))
    return np.concatenate([p.reshape(size, -1) for p in parts], axis=1)


def _inside(sd: Floats, cor: Floats, g: GroupNames) -> Floats:
    """Covariances, kept from singular ones."""
    return covariance_of(np.maximum(sd, LEAST_SD), (1 - INSIDE) * cor, g)


def _flat(posterior: xr.Dataset, name: str, size: int, width: int) -> Any:
    hint = "Sample it: with model.to_pymc(marginal=True): tree = pm.sample()"
    if name not in posterior:
        raise FitError(f"The tree has no draws of {name!r}", hint=hint)
    values = posterior[name].transpose(*SAMPLE, ...).values.reshape(size, -1).astype(np.float64)
    if values.shape[1] != width:
        raise FitError(
            f"The tree is of another model: the number of values of {name!r} differs",
            got=values.shape[1],
            allowed=str(width),
            hint=hint,
        )
    return values

"""What PyMC sampled, as the values of a fit: from the hierarchical or from the collapsed model."""

from __future__ import annotations

from collections.abc import Iterable

import xarray as xr

from bayeslmm.engines.contract import contract_dataset, with_own
from bayeslmm.engines.findings import findings
from bayeslmm.engines.recover import recovered
from bayeslmm.engines.sampling import statistics
from bayeslmm.errors import FitError
from bayeslmm.fit.tree import SAMPLE, FitValues, tree_of
from bayeslmm.graph import with_free_values
from bayeslmm.model import Model
from bayeslmm.model.names import contract_names, group_names

METHOD = "nuts"


def of_hierarchical(model: Model, tree: xr.DataTree, free: Iterable[str] | None) -> FitValues:
    """Of a run of `hierarchical(model)`.

    Parameters
    ----------
    model : Model
    tree : DataTree
        As `pymc.sample` gives it.
    free : iterable of str, optional
        The names of the free variables; by default those that the tree's names determine.
    """
    sampled, stats = tree["posterior"].to_dataset(), _statistics(tree)
    posterior = contract_dataset(model, sampled)
    remedy = "use method='exact' or marginal=True where they serve"
    scalars, said = findings(posterior, stats, remedy)
    if free is None:
        posterior = with_free_values(model, posterior)
    else:
        posterior = with_own(posterior, sampled, list(free))
    return FitValues(METHOD, tree_of(model, posterior=posterior, sample_stats=stats), scalars,
                     tuple(said))  # fmt: skip


def of_collapsed(model: Model, tree: xr.DataTree, seed: int | None, memory: float) -> FitValues:
    """Of a run of `collapsed(model)`; beta and u are drawn given each draw of the variances."""
    out, notes = recovered(model, tree, seed, memory)
    stats = _statistics(tree)
    posterior = out["posterior"].to_dataset()
    names = [n for n in contract_names(model) if n in posterior]
    own = {"beta", *(g.u for g in group_names(model))}
    chain = posterior[[n for n in names if n not in own]]
    scalars, said = findings(chain, stats, "give tighter priors to the variance parameters")
    posterior = posterior[[*names, *(n for n in posterior.data_vars if n not in names)]]
    posterior.attrs = {}
    effects = out["effects"].to_dataset() if "effects" in out else None
    whole = tree_of(model, posterior=posterior, effects=effects, sample_stats=stats)
    return FitValues(METHOD, whole, scalars, (*notes, *said))


def of_tree(model: Model, tree: xr.DataTree, seed: int | None, memory: float) -> FitValues:
    """Of a run of either, told apart by whether the random effects were sampled.

    Raises
    ------
    FitError
        A tree without draws, or of another model.
    """
    if "posterior" not in tree or not set(SAMPLE) <= set(tree["posterior"].sizes):
        raise FitError(
            "The tree has no posterior with chain and draw",
            hint="Sample inside the model: with model.to_pymc(): tree = pm.sample()",
        )
    posterior = tree["posterior"].to_dataset()
    ours = contract_names(model)
    effects = [g.u for m in (model, *model.dpars.values()) for g in group_names(m)]
    sampled = [f"{model.prefix}beta", *effects]
    if model.columns or effects:
        whole = all(n in posterior for n in sampled if n in effects or model.columns)
        if not whole and not any(n in posterior for n in sampled):
            found = of_collapsed(model, tree, seed, memory)
            how = "Sampled by PyMC with (beta, u) integrated out; they were drawn given each draw."
            return FitValues(found.method, found.tree, found.scalars, (how, *found.notes))
    missing = [n for n in ours if n not in posterior and not n.endswith("beta")]
    if missing:
        raise FitError(
            "The tree is not one of this model",
            got=f"no draws of {', '.join(missing)}",
            hint="Sample inside the model: with model.to_pymc(): tree = pm.sample()",
        )
    _require_sizes(model, posterior)
    found = of_hierarchical(model, tree, None)
    return FitValues(found.method, found.tree, found.scalars, ("Sampled by PyMC.", *found.notes))


def _require_sizes(model: Model, posterior: xr.Dataset) -> None:
    """Refuse effects and coefficients of another number than the model's."""
    for m in (model, *model.dpars.values()):
        wanted = {f"{m.prefix}coef": len(m.columns)}
        for g in group_names(m):
            wanted |= {g.label: len(g.levels), g.coef_dim: len(g.coefs)}
        for dim, size in wanted.items():
            if posterior.sizes.get(dim, size) != size:
                raise FitError(
                    f"The tree is of another model: {dim!r} has {posterior.sizes[dim]} labels",
                    allowed=str(size),
                )


def _statistics(tree: xr.DataTree) -> xr.Dataset:
    """The sampler's statistics; none where it kept none."""
    if "sample_stats" in tree:
        return statistics(tree["sample_stats"].to_dataset())
    posterior = tree["posterior"].to_dataset()
    return xr.Dataset(coords={dim: posterior[dim].values for dim in SAMPLE})

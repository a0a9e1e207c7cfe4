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
    remedy = "use method='exact' or marginal=True where they are available"
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
    """The values of a fit from a PyMC run, hierarchical if the random effects were sampled and
    collapsed if not.

    Raises
    ------
    FitError
        A tree without draws, or of another model.
    """
    if "posterior" not in tree or not set(SAMPLE) <= set(tree["posterior"].sizes):
        raise FitError(
            "The tree has no group 'posterior' with the dimensions chain and draw",
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
            how = (
                "The variance parameters were sampled by PyMC with (beta, u) integrated out; "
                "(beta, u) were drawn given each draw of them."
            )
            return FitValues(found.method, found.tree, found.scalars, (how, *found.notes))
    missing = [n for n in ours if n not in posterior and not n.endswith("beta")]
    if missing:
        raise FitError(
            "The tree is of another model: parameters of this model are missing",
            got=f"no draws of {', '.join(missing)}",
            hint="Sample inside the model: with model.to_pymc(): tree = pm.sample()",
        )
    _require_sizes(model, posterior)
    found = of_hierarchical(model, tree, None)
    notes = ("All parameters were sampled by PyMC.", *found.notes)
    return FitValues(found.method, found.tree, found.scalars, notes)


def _require_sizes(model: Model, posterior: xr.Dataset) -> None:
    """Raise FitError where the numbers of effects and coefficients differ from the model's."""
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
    """The sampler's statistics, an empty dataset where the tree has none."""
    if "sample_stats" in tree:
        return statistics(tree["sample_stats"].to_dataset())
    posterior = tree["posterior"].to_dataset()
    return xr.Dataset(coords={dim: posterior[dim].values for dim in SAMPLE})

"""Fits that an earlier version saved, in the form of this one."""

from __future__ import annotations

import xarray as xr

from bayeslmm.model import Model
from bayeslmm.model.names import GroupNames, group_names

SUFFIXES = ("", "_std_error", "_lower", "_upper")


def current(model: Model, tree: xr.DataTree) -> xr.DataTree:
    """The tree with one entry for a standard deviation that several coefficients share.

    Raises
    ------
    ValueError
        Coefficients in another order: text occasions used to be in the order of their text.
    """
    groups = {name: node.to_dataset() for name, node in tree.children.items()}
    for one in (model, *model.dpars.values()):
        for g in group_names(one):
            groups = {name: _once(g, dataset) for name, dataset in groups.items()}
            for dataset in groups.values():
                _check_order(g, dataset)
    return xr.DataTree.from_dict({f"/{name}": dataset for name, dataset in groups.items()})


def _once(g: GroupNames, dataset: xr.Dataset) -> xr.Dataset:
    for name in (f"{g.sd}{suffix}" for suffix in SUFFIXES):
        if name in dataset and g.sd_dim not in dataset[name].dims:
            values = dataset[name].isel({g.coef_dim: g.sd_first}).drop_vars(g.coef_dim)
            values = values.rename({g.coef_dim: g.sd_dim}).assign_coords({g.sd_dim: list(g.sds)})
            dataset = dataset.drop_vars(name).assign({name: values})
    return dataset


def _check_order(g: GroupNames, dataset: xr.Dataset) -> None:
    if g.coef_dim not in dataset.coords:
        return
    found = [str(name) for name in dataset[g.coef_dim].values]
    if found != list(g.coefs) and sorted(found) == sorted(g.coefs):
        raise ValueError(
            f"the coefficients of {g.group!r} are in the order of their text "
            f"({', '.join(found[:3])}), as in an earlier version of bayeslmm; fit the model again"
        )

"""The check of a method's results for undocumented NaN and infinite values.

Documented, and therefore allowed: standard errors and bounds at a boundary or where a posterior
has no variance (`_std_error`, `_lower`, `_upper`; covariances under a t posterior on 2 degrees of
freedom or fewer), correlations and pattern parameters of effects with a standard deviation of 0,
diagnostics of draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr

UNCERTAINTY = ("_std_error", "_lower", "_upper")
QUANTITIES = ("loglik", "deviance", "aic", "bic", "log_evidence", "log_evidence_error")


def not_finite(tree: xr.DataTree, scalars: Mapping[str, float]) -> list[str]:
    """Places with an undocumented NaN or infinity: ``posterior: beta[x2]``, ``loglik``.

    Parameters
    ----------
    tree : DataTree
    scalars : mapping

    Returns
    -------
    list of str
        The first place of each variable.
    """
    out = [name for name in QUANTITIES if not np.isfinite(scalars.get(name, 0.0))]
    for group in ("estimate", "effects", "posterior"):
        if group in tree.children:
            out += [f"{group}: {text}" for text in _of_dataset(tree[group].dataset)]
    return out


def _of_dataset(dataset: xr.Dataset) -> Iterator[str]:
    for key, variable in dataset.data_vars.items():
        name = str(key)
        if name.endswith(UNCERTAINTY) or variable.dtype.kind != "f":
            continue
        if "_cov" in name and dataset.attrs.get("dof", np.inf) <= 2:
            continue
        bad = ~np.isfinite(variable.values)
        if bad.any() and not _at_boundary(dataset, name):
            yield name + _place(variable, bad)


def _at_boundary(dataset: xr.Dataset, name: str) -> bool:
    """Whether these are correlations or pattern parameters, and a standard deviation is 0."""
    if not ("cor_" in name or name.endswith("_par")):
        return False
    sds = [v.values for k, v in dataset.data_vars.items() if "sd_" in str(k) or k == "sigma"]
    return any(np.any(values == 0) for values in sds)


def _place(variable: xr.DataArray, bad: np.ndarray) -> str:
    """The labels of the first one, without chain and draw."""
    where = np.argwhere(bad)[0]
    labels = [
        str(variable[dim].values[i]) if dim in variable.coords else str(i)
        for dim, i in zip(variable.dims, where, strict=True)
        if dim not in ("chain", "draw")
    ]
    return f"[{', '.join(labels)}]" if labels else ""

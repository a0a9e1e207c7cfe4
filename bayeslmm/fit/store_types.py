"""The contents of a saved fit: types of attributes, names and shapes of variables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import xarray as xr

from bayeslmm.fit.tree import SAMPLE, FitValues
from bayeslmm.model import Model
from bayeslmm.model.names import (
    RESIDUAL_PAR,
    contract_names,
    group_names,
    residual_names,
)

ESTIMATE, POSTERIOR, EFFECTS = "estimate", "posterior", "effects"


def attributes_of(found: Mapping[Any, Any], version: int) -> dict[str, Any]:
    """The attributes of a file of ours, read and of the types that they were written with.

    Raises
    ------
    ValueError
        They aren't.
    """
    if "format" not in found or "specification" not in found:
        raise ValueError("the netCDF file was not written by bayeslmm")
    if found["format"] != version:
        raise ValueError(
            f"its format is {found['format']}, and this version of bayeslmm reads {version}"
        )
    texts = ("method", "specification", "columns", "scalars", "notes")
    for key in texts:
        if not isinstance(found.get(key), str):
            raise ValueError(f"attribute {key!r} is missing or not text")
    out = {key: json.loads(found[key]) for key in texts[1:]} | {"method": found["method"]}
    _require(_specified(out["specification"]), "specification")
    _require(_dict_of(out["columns"], str), "columns")
    _require(_dict_of(out["scalars"], int | float), "scalars")
    _require(isinstance(out["notes"], list), "notes")
    _require(all(isinstance(note, str) for note in out["notes"]), "notes")
    return out


def _require(right: bool, key: str) -> None:
    if not right:
        raise ValueError(f"attribute {key!r} is not of the expected form")


def _dict_of(value: Any, kind: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(v, kind) for v in value.values())


def _specified(value: Any) -> bool:
    """A formula, and options that are text, or names with text."""
    if not isinstance(value, dict) or not isinstance(value.get("formula"), str):
        return False
    options = value.values()
    return all(v is None or isinstance(v, str) or _dict_of(v, str) for v in options)


def check_names(model: Model, values: FitValues) -> None:
    """Check that a tree has all variables of the model, with the right shapes.

    Raises
    ------
    ValueError
    """
    groups = {n: node.dataset for n, node in values.tree.children.items()}
    present = [groups[n] for n in (POSTERIOR, ESTIMATE, EFFECTS) if n in groups]
    if not any(n in groups for n in (POSTERIOR, ESTIMATE)):
        raise ValueError("it has neither a posterior nor an estimate")
    for name in contract_names(model):
        if not any(name in dataset for dataset in present) or (
            ESTIMATE in groups and name not in groups[ESTIMATE]
        ):
            raise ValueError(f"variable {name!r} of the fit is missing")
        if POSTERIOR in groups and name not in groups[POSTERIOR] and _drawn(name, groups):
            raise ValueError(f"variable {name!r} is missing in the posterior")
    for one in (model, *model.dpars.values()):
        for name, sizes in _sizes(one).items():
            for dataset in present:
                if name in dataset:
                    _check_sizes(name, dataset[name], sizes)


def _drawn(name: str, groups: Mapping[str, xr.Dataset]) -> bool:
    """Whether a posterior has draws of a variable: what was given has none, nor have effects
    that are stored by their moments."""
    given = ESTIMATE in groups and f"{name}_std_error" in groups[ESTIMATE]
    return not given and not (EFFECTS in groups and name in groups[EFFECTS])


def _sizes(model: Model) -> dict[str, dict[str, int]]:
    """Dimensions and sizes of a predictor's variables."""
    out: dict[str, dict[str, int]] = {}
    for g in group_names(model):
        k = len(g.coefs)
        out[g.u] = {g.label: len(g.levels), g.coef_dim: k}
        out[g.sd] = {g.sd_dim: len(g.sds)}
        if g.pairs:
            out[g.cor] = {g.pair_dim: len(g.pairs)}
        if g.pars:
            out[g.par] = {g.par_dim: len(g.pars)}
    residual = residual_names(model)
    if residual.pars and not model.prefix:
        out[RESIDUAL_PAR] = {residual.par_dim: len(residual.pars)}
    return out


def _check_sizes(name: str, found: xr.DataArray, sizes: dict[str, int]) -> None:
    got = {str(dim): size for dim, size in found.sizes.items() if dim not in SAMPLE}
    if found.dtype.kind != "f" or got != sizes:
        raise ValueError(f"{name!r} has dimensions {got} ({found.dtype}), and needs {sizes}")

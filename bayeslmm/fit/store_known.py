"""Known matrices of a model in its file."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from bayeslmm.covariance import precision_of
from bayeslmm.model import Known, Model, Relationship

KNOWN_GROUP = "model_known"


def has_known(model: Model) -> bool:
    """Whether a model has any."""
    return bool(model.kin) or (model.residual is not None and model.residual.known is not None)


def known_dataset(model: Model) -> xr.Dataset:
    """The matrices: a relationship by its precision's entries and levels."""
    out: dict[str, Any] = {}
    if model.residual is not None and model.residual.known is not None:
        out["residual"] = (("row", "row2"), model.residual.known)
    blocks = {b.group: b for b in model.design.blocks}
    for i, (group, found) in enumerate(model.kin.items()):
        levels = json.dumps(np.asarray(blocks[group].levels).tolist())
        attributes = {"group": group, "levels": levels, "size": found.size}
        dim = f"entry_{i}"
        out[f"relationship_{i}"] = (dim, found.values, attributes)
        out[f"rows_{i}"], out[f"columns_{i}"] = (dim, found.rows), (dim, found.columns)
    return xr.Dataset(out)


def read_known(dataset: xr.Dataset) -> Known:
    """What `known_dataset` wrote; the rows are those that were kept."""
    residual = dataset["residual"].values if "residual" in dataset else None
    relationships = {}
    for name, variable in dataset.data_vars.items():
        if not str(name).startswith("relationship_"):
            continue
        i = str(name).removeprefix("relationship_")
        rows, columns = dataset[f"rows_{i}"].values, dataset[f"columns_{i}"].values
        size = int(variable.attrs["size"])
        found = precision_of(rows, columns, variable.values, size, "The relationship")
        levels = np.array(json.loads(variable.attrs["levels"]))
        if levels.dtype.kind in "US":
            levels = levels.astype(object)
        relationships[str(variable.attrs["group"])] = Relationship(found, levels)
    return Known(residual, relationships)

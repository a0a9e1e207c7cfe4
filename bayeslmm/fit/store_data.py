"""The used columns of a model's table in a file, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslmm.design import Origin
from bayeslmm.model import Model
from bayeslmm.model.known import ROW

TUPLES = "tuples"


def data_dataset(model: Model) -> xr.Dataset:
    """The used columns: numbers as they are, times as days since their origin, and categories as
    codes with their levels."""
    design = model.design
    variables: dict[str, Any] = {}
    designs = [design, *(sub.design for sub in model.dpars.values())]
    frames = [one.columns.frame(declared=True) for one in designs]
    columns = {name: frame[name] for frame in frames for name in frame.columns}
    origins = {name: one for d in designs for name, one in d.columns.origins.items() if one}
    for i, (name, column) in enumerate(columns.items()):
        attributes: dict[str, Any] = {"name": str(name)}
        if name in origins:
            attributes["days_since"] = json.dumps(asdict(origins[name]))
        if isinstance(column.dtype, pd.CategoricalDtype):
            attributes["levels"] = json.dumps(column.cat.categories.tolist())
            attributes["ordered"] = int(bool(column.cat.ordered))
            variables[f"column_{i}"] = ("row", np.asarray(column.cat.codes, np.int64), attributes)
        else:
            variables[f"column_{i}"] = ("row", column.to_numpy(), attributes)
    for key, values in design.inputs.items():
        if key == ROW:
            continue
        attributes = {"name": key, "column": design.schema.sources.get(key, "")}
        variables[f"extra_{key}"] = ("row", values, attributes)
    variables["index"] = _index(design.index)
    return xr.Dataset(variables)


def _index(index: Any) -> tuple[str, Any, dict[str, str]]:
    """Row labels: numbers, or text; those of several levels each as a JSON list."""
    values = np.asarray(index)
    if values.dtype.kind in "iuf":
        return "row", values, {}
    if values.dtype.kind == "O" and any(isinstance(v, tuple) for v in values):
        rows = [json.dumps(list(v), default=_plain) for v in values]
        return "row", np.array(rows, dtype=object), {"kind": TUPLES}
    return "row", values.astype(str).astype(object), {}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)


def read_data(dataset: xr.Dataset) -> tuple[pd.DataFrame, dict[str, Any]]:
    """What `data_dataset` wrote: the table, and the inputs that are not columns.

    Raises
    ------
    ValueError, KeyError, TypeError
        It isn't.
    """
    columns: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    for key, variable in dataset.data_vars.items():
        if variable.dims != ("row",):
            raise ValueError(f"{key} of the table has dimensions {variable.dims}")
        if str(key).startswith("column_"):
            name = str(variable.attrs["name"])
            if name in columns:
                raise ValueError(f"the table has two columns {name!r}")
            columns[name] = _column(variable)
        elif str(key).startswith("extra_"):
            extras[str(variable.attrs["name"])] = _input(variable, columns)
    frame = pd.DataFrame(columns)
    labels = dataset["index"].values
    if dataset["index"].attrs.get("kind") == TUPLES:
        frame.index = pd.MultiIndex.from_tuples([tuple(json.loads(text)) for text in labels])
    else:
        frame.index = pd.Index(labels)
    return frame, extras


def _input(variable: xr.DataArray, columns: dict[str, Any]) -> Any:
    """A row-wise input as it was given: a column by its name, which new rows may have too."""
    column = str(variable.attrs["column"])
    if not column:
        return variable.values
    columns.setdefault(column, variable.values)
    return column


def _column(variable: xr.DataArray) -> Any:
    if "days_since" in variable.attrs:
        return Origin(**json.loads(variable.attrs["days_since"])).values(variable.values)
    if "levels" not in variable.attrs:
        return variable.values
    levels = json.loads(variable.attrs["levels"])
    if variable.dtype.kind not in "iu" or not isinstance(levels, list):
        raise ValueError(f"{variable.name} is not a factor's codes with a list of levels")
    return pd.Categorical.from_codes(
        variable.values.astype(np.int64), pd.Index(levels), ordered=bool(variable.attrs["ordered"])
    )

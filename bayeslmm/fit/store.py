"""A fit as one netCDF file: results, specification, data. Attributes are text or numbers."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslmm.errors import BayeslmmWarning, FileError
from bayeslmm.fit.store_known import KNOWN_GROUP, has_known, known_dataset, read_known
from bayeslmm.fit.tree import FitValues
from bayeslmm.model import Known, Model, Specification, build
from bayeslmm.model.known import ROW

FORMAT = 3
DATA_GROUP = "model_data"
OURS = (DATA_GROUP, KNOWN_GROUP)


def save(path: str | Path, model: Model, values: FitValues) -> None:
    """Write a fit to a file; an interrupted save leaves an old file whole.

    The file is written beside its place, synced, and moved into place in one step.

    Parameters
    ----------
    path : str or Path
    model : Model
    values : FitValues

    Raises
    ------
    FileError
        The folder isn't there or can't be written to.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileError(f"There is no folder {str(target.parent)!r} to save a fit in")
    groups = {name: node.dataset for name, node in values.tree.children.items()}
    tree = xr.DataTree.from_dict(
        {"/": xr.Dataset(attrs=_attributes(model, values)), f"/{DATA_GROUP}": _data(model)}
        | ({f"/{KNOWN_GROUP}": known_dataset(model)} if has_known(model) else {})
        | {f"/{name}": dataset for name, dataset in groups.items()}
    )
    try:
        _write(tree, target)
    except OSError as error:
        reason = error.strerror or error
        raise FileError(f"The fit could not be saved to {str(target)!r}", got=reason) from error
    _sync_folder(target.parent)


def _write(tree: xr.DataTree, target: Path) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        tree.to_netcdf(temporary, engine="h5netcdf")
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def load(path: str | Path) -> tuple[Model, FitValues]:
    """Read a saved fit: the model is made again from the file's own specification and data.

    Raises
    ------
    FileError
        No such file, or not one of ours.
    """
    if not Path(path).is_file():
        raise FileError(f"There is no file {str(path)!r}")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
        attributes = _own_attributes(tree)
        spec = Specification(**json.loads(attributes["specification"]))
        frame, arrays = _read_data(tree[DATA_GROUP].dataset)
        extras = arrays | json.loads(attributes["columns"])
        known = read_known(tree[KNOWN_GROUP].dataset) if KNOWN_GROUP in tree else Known()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(f"{str(path)!r} is not a saved fit that can be read", got=error) from error
    with warnings.catch_warnings():  # all of it was said when the model was first made
        warnings.simplefilter("ignore", BayeslmmWarning)
        model = build(spec, frame, extras, known)
    groups = {f"/{n}": node.dataset for n, node in tree.children.items() if n not in OURS}
    values = FitValues(
        attributes["method"],
        xr.DataTree.from_dict(groups),
        json.loads(attributes["scalars"]),
        tuple(json.loads(attributes["notes"])),
    )
    return model, values


def _own_attributes(tree: xr.DataTree) -> dict[str, Any]:
    """The attributes of a file of ours, in the format that this version reads."""
    found = tree.attrs.get("format")
    if found is None or "specification" not in tree.attrs:
        raise ValueError("netCDF that another program wrote")
    if found != FORMAT:
        raise ValueError(f"format {found}, and this version reads {FORMAT}")
    return {str(key): value for key, value in tree.attrs.items()}


def _attributes(model: Model, values: FitValues) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "method": values.method,
        "specification": json.dumps(model.describe()),
        "columns": json.dumps(dict(model.design.schema.sources)),
        "scalars": json.dumps(values.scalars),
        "notes": json.dumps(values.notes),
    }


def _data(model: Model) -> xr.Dataset:
    """The used columns: numbers as they are, categories as codes with their levels."""
    design = model.design
    variables: dict[str, Any] = {}
    designs = [design, *(sub.design for sub in model.dpars.values())]
    frames = [one.columns.frame(declared=True) for one in designs]
    columns = {name: frame[name] for frame in frames for name in frame.columns}
    for i, (name, column) in enumerate(columns.items()):
        attributes: dict[str, Any] = {"name": str(name)}
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
    variables["index"] = ("row", _storable(design.index))
    return xr.Dataset(variables)


def _storable(index: Any) -> Any:
    values = np.asarray(index)
    return values if values.dtype.kind in "iuf" else values.astype(str).astype(object)


def _read_data(dataset: xr.Dataset) -> tuple[pd.DataFrame, dict[str, Any]]:
    columns: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    for key, variable in dataset.data_vars.items():
        if str(key).startswith("column_"):
            columns[variable.attrs["name"]] = _column(variable)
        elif str(key).startswith("extra_"):
            extras[variable.attrs["name"]] = _input(variable, columns)
    frame = pd.DataFrame(columns)
    frame.index = pd.Index(dataset["index"].values)
    return frame, extras


def _input(variable: xr.DataArray, columns: dict[str, Any]) -> Any:
    """A row-wise input as it was given: a column by its name, which new rows may have too."""
    column = variable.attrs["column"]
    if not column:
        return variable.values
    columns.setdefault(column, variable.values)
    return column


def _column(variable: xr.DataArray) -> Any:
    if "levels" not in variable.attrs:
        return variable.values
    levels = json.loads(variable.attrs["levels"])
    return pd.Categorical.from_codes(
        variable.values.astype(np.int64), levels, ordered=bool(variable.attrs["ordered"])
    )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every system can sync a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

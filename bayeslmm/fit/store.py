"""A fit as one netCDF file: results, specification, data. Attributes are text or numbers."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path
from typing import Any

import xarray as xr

from bayeslmm.errors import FileError
from bayeslmm.files import write
from bayeslmm.fit.store_before import current
from bayeslmm.fit.store_data import data_dataset, read_data
from bayeslmm.fit.store_inside import check_inside
from bayeslmm.fit.store_known import KNOWN_GROUP, has_known, known_dataset, read_known
from bayeslmm.fit.store_seal import check_seal, sealed
from bayeslmm.fit.store_text import check_texts
from bayeslmm.fit.store_types import attributes_of, check_names
from bayeslmm.fit.tree import FitValues
from bayeslmm.model import Known, Model, Specification, build

FORMAT = 3
DATA_GROUP = "model_data"
OURS = (DATA_GROUP, KNOWN_GROUP)


def save(path: str | Path, model: Model, values: FitValues) -> None:
    """Write a fit to a file; an interrupted save leaves an existing file unchanged.

    Parameters
    ----------
    path : str or Path
    model : Model
    values : FitValues

    Raises
    ------
    FileError
        The folder does not exist or is not writable, the disk is full, or the fit has text that
        netCDF files can't store.
    """
    groups = {name: node.dataset for name, node in values.tree.children.items()}
    datasets = {
        "/": xr.Dataset(attrs=_attributes(model, values)),
        f"/{DATA_GROUP}": data_dataset(model),
    }
    if has_known(model):
        datasets[f"/{KNOWN_GROUP}"] = known_dataset(model)
    datasets |= {f"/{name}": dataset for name, dataset in groups.items()}
    check_texts(datasets)
    # released at once: a view outlived by its buffer is an error when garbage is collected
    with xr.DataTree.from_dict(datasets).to_netcdf(engine="h5netcdf") as view:
        content = sealed(view)
    write(path, content, "The fit")


def load(path: str | Path) -> tuple[Model, FitValues]:
    """Read a saved fit; the model is made again from the specification and data in the file.

    Raises
    ------
    FileError
        The file does not exist, is damaged, or is not a saved fit.
    """
    if not Path(path).is_file():
        raise FileError(f"There is no file {str(path)!r}")
    try:
        content = Path(path).read_bytes()  # HDF5 keeps a damaged file open, and reads it again
        check_seal(content)
        check_inside(content)
        return _read(content)
    except Exception as error:  # whatever HDF5, xarray and the parts of a model raise
        reason = error if str(error) else type(error).__name__
        raise FileError(f"{str(path)!r} can't be read as a saved fit", got=reason) from error


def _read(content: bytes) -> tuple[Model, FitValues]:
    with warnings.catch_warnings():  # these warnings were issued when the model was first made
        warnings.simplefilter("ignore")
        with xr.open_datatree(io.BytesIO(content), engine="h5netcdf") as opened:
            tree = opened.load()
        attributes = attributes_of(tree.attrs, FORMAT)
        frame, arrays = read_data(tree[DATA_GROUP].dataset)
        known = read_known(tree[KNOWN_GROUP].dataset) if KNOWN_GROUP in tree else Known()
        spec = Specification(**attributes["specification"])
        model = build(spec, frame, arrays | attributes["columns"], known)
        groups = {f"/{n}": node.dataset for n, node in tree.children.items() if n not in OURS}
        values = FitValues(
            attributes["method"],
            current(model, xr.DataTree.from_dict(groups)),
            attributes["scalars"],
            tuple(attributes["notes"]),
        )
        check_names(model, values)
    return model, values


def _attributes(model: Model, values: FitValues) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "method": values.method,
        "specification": json.dumps(model.describe()),
        "columns": json.dumps(dict(model.design.schema.sources)),
        "scalars": json.dumps(values.scalars),
        "notes": json.dumps(values.notes),
    }

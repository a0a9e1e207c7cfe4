"""Checks, before writing, that a file can store all text and names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayeslmm.errors import FileError


def check_texts(datasets: Mapping[str, xr.Dataset]) -> None:
    """Raise an error for text that is not valid Unicode or has a null character, with its place.

    Raises
    ------
    FileError
    """
    for dataset in datasets.values():
        for key, value in dataset.attrs.items():
            _check(value, f"attribute {key!r}")
        for name, variable in dataset.variables.items():
            _check(str(name), "the name of a variable")
            for dim in variable.dims:
                _check(str(dim), "the name of a dimension")
            for key, value in variable.attrs.items():
                _check(value, f"attribute {key!r} of {str(name)!r}")
            if variable.dtype.kind in "OU":
                for value in np.unique(variable.values.astype(str)):
                    _check(value, f"{str(name)!r}")


def _check(value: Any, where: str) -> None:
    if not isinstance(value, str):
        return
    bad = next((c for c in value if c == "\0" or "\ud800" <= c <= "\udfff"), None)
    if bad is not None:
        raise FileError(
            f"The fit can't be saved: {where} has a character that netCDF files can't store",
            got=f"{bad!r} in {value[:60]!r}",
            hint="Rename the level or column in the table, and fit again",
        )

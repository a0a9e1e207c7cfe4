"""Checks of an HDF5 file before its contents are read: only numbers and text inside the file.

HDF5 can point out of the file (external storage, external and virtual links), run filters that
it loads from elsewhere, and declare arrays of any size that take no room in the file.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

FILTERS = {1, 2, 3}  # deflate, shuffle, fletcher32
NETCDF = ("DIMENSION_LIST", "REFERENCE_LIST")  # references between variables and dimensions
MOST = 1 << 20  # bytes beyond what the file itself takes
RATIO = 20


def check_inside(content: bytes) -> None:
    """Raise an error for links, external storage, foreign types and arrays beyond the file size.

    Raises
    ------
    ValueError
        Any of these, by name. h5py raises other errors for damaged files.
    """
    import h5py

    limit = MOST + RATIO * len(content)
    with h5py.File(io.BytesIO(content), "r") as file:
        total = 0
        _check_attributes(file, "/", limit)
        for name, found in _objects(file):
            _check_attributes(found, name, limit)
            if isinstance(found, h5py.Dataset):
                _check_dataset(found, name)
                total += _bytes(found.shape, found.dtype)
                if total > limit:
                    raise ValueError(
                        f"the file takes {len(content)} bytes and declares more than "
                        f"{total} in {name}"
                    )


def _objects(file: Any) -> Iterator[tuple[str, Any]]:
    """Every group and data set once, with its name; only links that lead to an object inside."""
    import h5py

    waiting: list[tuple[str, Any]] = [("", file)]
    seen = {h5py.h5o.get_info(file.id).addr}
    while waiting:
        prefix, group = waiting.pop()
        for key in group:
            name = f"{prefix}/{key}"
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise ValueError(f"{name} is a link, and a saved fit holds none")
            found = group[key]
            address = h5py.h5o.get_info(found.id).addr
            if address in seen:
                raise ValueError(f"{name} is in the file under two names")
            seen.add(address)
            if isinstance(found, h5py.Group):
                waiting.append((name, found))
            elif not isinstance(found, h5py.Dataset):
                raise ValueError(f"{name} is neither a group nor an array")
            yield name, found


def _check_dataset(found: Any, name: str) -> None:
    settings = found.id.get_create_plist()
    if settings.get_external_count():
        raise ValueError(f"{name} is stored in another file")
    if found.is_virtual:
        raise ValueError(f"{name} is made of other files")
    filters = [settings.get_filter(i)[0] for i in range(settings.get_nfilters())]
    if not set(filters) <= FILTERS:
        raise ValueError(f"{name} needs filters that are not allowed: {filters}")
    if found.shape is None:
        raise ValueError(f"{name} has no shape")
    _check_type(found.dtype, name)


def _check_attributes(found: Any, name: str, limit: int) -> None:
    import h5py

    for index in range(h5py.h5a.get_num_attrs(found.id)):
        attribute = h5py.h5a.open(found.id, index=index)
        key = attribute.name.decode("utf-8")
        if key in NETCDF:
            continue
        _check_type(attribute.dtype, f"{name}, attribute {key!r}")
        if _bytes(attribute.shape, attribute.dtype) > limit:
            raise ValueError(f"{name}, attribute {key!r} is larger than the file")


def _check_type(dtype: Any, name: str) -> None:
    import h5py

    if dtype.kind not in "biufS" and h5py.check_string_dtype(dtype) is None:
        raise ValueError(f"{name} is of type {dtype}, and a saved fit holds numbers and text")


def _bytes(shape: tuple[int, ...] | None, dtype: Any) -> int:
    size = int(dtype.itemsize)
    for length in shape or ():
        size *= int(length)
    return size

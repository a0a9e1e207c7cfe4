"""Finds and reads model files: a specification, its data and reference answers in one TOML."""

from __future__ import annotations

from bayeslmm.gallery.shelf import (
    ModelFile,
    list_models,
    load_cells,
    load_dataset,
    load_model,
    read_model,
)
from bayeslmm.gallery.types import Reference, Tolerance, Value

__all__ = [
    "ModelFile",
    "Reference",
    "Tolerance",
    "Value",
    "list_models",
    "load_cells",
    "load_dataset",
    "load_model",
    "read_model",
]

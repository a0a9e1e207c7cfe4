"""The gallery of model files: reading one as a specification, as data or as a model."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bayeslmm.api import Model
from bayeslmm.compare import Cell
from bayeslmm.errors import BayeslmmWarning, FileError, GalleryError, nearest
from bayeslmm.gallery.reading import read_specification
from bayeslmm.gallery.table import read_table
from bayeslmm.gallery.types import Reference, Specification

_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, eq=False)
class ModelFile:
    """A model file, or one of its variants, with its data read.

    Attributes
    ----------
    name, title, description, citation : str
        Name and title, description, and source of the data.
    variant : str or None
        The variant that was asked for; None for the main model.
    variants : tuple of str
        The names of all its variants.
    data : DataFrame
        The data, with the right levels.
    keywords : dict
        The arguments of `Model` other than the data; ``formula`` is always there.
    references : tuple of Reference
        The reference answers for this model (this variant only).
    """

    name: str
    title: str
    description: str
    citation: str
    variant: str | None
    variants: tuple[str, ...]
    data: pd.DataFrame
    keywords: dict[str, Any]
    references: tuple[Reference, ...]


def list_models() -> tuple[str, ...]:
    """The names of the gallery's models, sorted."""
    return tuple(sorted(path.stem for path in _gallery().glob("*.toml")))


def read_model(name_or_path: str | os.PathLike[str], variant: str | None = None) -> ModelFile:
    """Read a model file with its data and reference answers, without making the model.

    Parameters
    ----------
    name_or_path : str or path
        A name in `list_models`, or the path to a TOML file (anything with a folder in it, or
        that ends in ``.toml``). Its data file is looked up from the TOML's folder.
    variant : str, optional
        One of the file's variants instead of its main model.

    Raises
    ------
    GalleryError
        No model of that name, or no such variant; the message suggests the nearest name.
    FileError
        A model or data file that is missing or malformed, or has an unknown key or value.
    """
    file = _specification(name_or_path)
    keywords = file.keywords_of(variant)
    return ModelFile(
        name=file.name,
        title=file.title,
        description=file.description,
        citation=file.citation,
        variant=variant,
        variants=tuple(each.name for each in file.variants),
        data=read_table(file.file, file.columns),
        keywords=keywords,
        references=tuple(each for each in file.references if each.variant == variant),
    )


def load_dataset(name_or_path: str | os.PathLike[str]) -> pd.DataFrame:
    """The data of a gallery model or of a TOML file, with the levels in order.

    Raises
    ------
    GalleryError, FileError
        As `read_model`.
    """
    file = _specification(name_or_path)
    return read_table(file.file, file.columns)


def load_model(name_or_path: str | os.PathLike[str], variant: str | None = None) -> Model:
    """A model from the gallery, or from your TOML file, ready to fit.

    Parameters
    ----------
    name_or_path, variant
        As in `read_model`.

    Raises
    ------
    GalleryError, FileError
        As `read_model`, and the errors of `Model`.
    """
    file = read_model(name_or_path, variant)
    return Model(data=file.data, **file.keywords)


def load_cells(name_or_path: str | os.PathLike[str]) -> dict[tuple[str, str], Cell]:
    """The models of a published table, by (row, column), for `bayeslmm.deviance_table`.

    Warnings about the models are kept as their notes and not issued, because a table may contain
    models whose likelihood has no maximum.

    Parameters
    ----------
    name_or_path
        As in `read_model`; the file's references give the place of each variant.

    Raises
    ------
    GalleryError, FileError
        As `load_model`; and a file without such a table.
    """
    file = _specification(name_or_path)
    data = read_table(file.file, file.columns)
    out: dict[tuple[str, str], Cell] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        for each in file.references:
            if each.printed is not None:
                model = Model(data=data, **file.keywords_of(each.variant))
                at = each.printed
                out[at.row, at.column] = Cell(model, at.text, at.remark)
    if not out:
        raise GalleryError(f"{file.name!r} has no published table (no [[reference]] with printed=)")
    return out


def _specification(name_or_path: str | os.PathLike[str]) -> Specification:
    path = Path(name_or_path)
    if not isinstance(name_or_path, str) or path.suffix == ".toml" or path.name != name_or_path:
        if path.is_dir():
            raise FileError(
                f"{str(path)!r} is a folder, not a model file",
                hint=f"Give the path of a TOML file, for example {str(path / 'model.toml')!r}",
            )
        if not path.exists():
            raise FileError(
                f"There is no model file {str(path)!r}",
                hint="The gallery's models have names without a path: " + ", ".join(list_models()),
            )
        return read_specification(path)
    names = list_models()
    if name_or_path not in names:
        raise GalleryError(
            f"The gallery has no model {name_or_path!r}", hint=nearest(name_or_path, names)
        )
    return read_specification(_gallery() / f"{name_or_path}.toml")


def _gallery() -> Path:
    """The models inside an installed package; in a checkout, those beside it."""
    for folder in (_PACKAGE / "models", _PACKAGE.parent / "models"):
        if any(folder.glob("*.toml")):
            return folder
    raise GalleryError("This installation has no gallery", hint="Reinstall bayeslmm")

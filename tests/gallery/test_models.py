"""The gallery's own files: they are whole, and their data have the right levels."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd
import pytest

from bayeslmm.errors import IdentifiabilityWarning
from bayeslmm.gallery import list_models, load_cells, load_dataset, load_model, read_model

PROJECT = Path(__file__).resolve().parents[2]
CASES = [(name, each) for name in list_models() for each in (None, *read_model(name).variants)]

WITHOUT_A_MAXIMUM = ("diagonal_free", "free_free", "random_free")

# data set: rows, columns and, by factor, (number of levels, first level, is ordered)
DATA = {
    "dyestuff": (30, ["Batch", "Yield"], {"Batch": (6, "A", False)}),
    "dyestuff2": (30, ["Batch", "Yield"], {"Batch": (6, "A", False)}),
    "eight_schools": (8, ["school", "y", "sigma"], {"school": (8, "A", False)}),
    "machines": (
        54,
        ["Worker", "Machine", "score"],
        {"Worker": (6, "6", True), "Machine": (3, "A", False)},
    ),
    "orthodont": (
        108,
        ["distance", "age", "Subject", "Sex"],
        {"Subject": (27, "M16", True), "Sex": (2, "Male", False)},
    ),
    "pastes": (
        60,
        ["strength", "batch", "cask", "sample"],
        {"batch": (10, "A", False), "cask": (3, "a", False), "sample": (30, "A:a", False)},
    ),
    "penicillin": (
        144,
        ["diameter", "plate", "sample"],
        {"plate": (24, "a", False), "sample": (6, "A", False)},
    ),
    "sleepstudy": (180, ["Reaction", "Days", "Subject"], {"Subject": (18, "308", False)}),
}


def test_the_gallery_is_complete():
    assert set(DATA) <= set(list_models())
    assert list(list_models()) == sorted(list_models())


@pytest.mark.parametrize(("name", "variant"), CASES)
def test_each_file_is_whole(name, variant):
    file = read_model(name, variant)
    assert file.name == name
    assert file.title and file.description and file.citation
    assert file.variant == variant
    assert not file.data.isna().any().any()
    assert file.keywords["formula"].split("~")[0].strip() in file.data.columns
    assert file.references, "a model of the gallery has an answer to compare with"
    for reference in file.references:
        assert reference.variant == variant
        assert reference.printed or (reference.fixef and reference.sd)


@pytest.mark.parametrize(("name", "variant"), CASES)
def test_each_file_makes_a_model(name, variant):
    with warnings.catch_warnings():
        if variant in WITHOUT_A_MAXIMUM:
            warnings.simplefilter("ignore", IdentifiabilityWarning)
        assert load_model(name, variant) is not None


def test_a_published_table_has_its_cells():
    cells = load_cells("potthoff_roy")
    file = read_model("potthoff_roy")
    assert len(cells) == 12 == len(file.variants) + 1
    assert cells["scalar", "free"].printed == "91(55)"
    for (row, column), cell in cells.items():
        if f"{row}_{column}" in file.variants:
            keywords = read_model("potthoff_roy", f"{row}_{column}").keywords
            assert cell.model.resolved.spec.residual == keywords.get("residual")


@pytest.mark.parametrize("name", DATA)
def test_data_have_their_levels(name):
    rows, columns, factors = DATA[name]
    data = load_dataset(name)
    assert (len(data), list(data.columns)) == (rows, columns)
    for column in columns:
        if column not in factors:
            assert pd.api.types.is_numeric_dtype(data[column])
            continue
        levels, first, ordered = factors[column]
        dtype = data[column].dtype
        assert isinstance(dtype, pd.CategoricalDtype)
        assert (len(dtype.categories), dtype.categories[0]) == (levels, first)
        assert bool(dtype.ordered) is ordered
        assert set(data[column]) == set(dtype.categories)


def test_datasets_are_fresh_each_time():
    data = load_dataset("sleepstudy")
    data["Days"] = 0
    assert load_dataset("sleepstudy")["Days"].max() == 9


def test_every_data_file_has_its_provenance():
    folder = PROJECT / "models" / "data"
    provenance = (folder / "PROVENANCE.md").read_text(encoding="utf-8")
    for path in folder.glob("*.csv"):
        assert f"`{path.name}`" in provenance

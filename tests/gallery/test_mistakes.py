"""Mistakes in model files: each is told with its place and with words that help."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bayeslmm.errors import FileError, GalleryError
from bayeslmm.gallery import load_dataset, load_model, read_model

SMALL = '[data]\nfile = "d.csv"\n[model]\nformula = "y ~ x + (1 | g)"\n'


def with_column(rest: str, name: str = "g") -> str:
    return SMALL + f"[data.columns.{name}]\n{rest}\n"


NAMES = {
    "near": ("sleepstduy", "Did you mean 'sleepstudy'?"),
    "capital": ("Orthodont", "Did you mean 'orthodont'?"),
    "far": ("zzz", "Available: "),
    "empty": ("", "Available: "),
}


@pytest.mark.parametrize(("name", "words"), NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("function", [load_model, load_dataset, read_model])
def test_unknown_name(function, name, words):
    with pytest.raises(GalleryError, match="gallery has no model") as caught:
        function(name)
    assert words in str(caught.value)


def test_unknown_variant():
    with pytest.raises(GalleryError, match=r"no variant 'intercpt'.*Did you mean 'intercept'"):
        read_model("sleepstudy", "intercpt")


@pytest.mark.parametrize("name", ["nowhere.toml", "folder/nowhere", Path("nowhere")])
def test_missing_model_file(name):
    with pytest.raises(FileError, match="no model file") as caught:
        load_model(name)
    assert "sleepstudy" in str(caught.value)


REFERENCE = SMALL + "[[reference]]\n"
SAID = REFERENCE + 'method = "ml"\nsource = "hand"\n'
BAD_TOML = {
    "malformed": ("[data\n", ["m.toml", "valid TOML", "line 1"]),
    "position": (SMALL + "\nfamily = gaussian\n", ["line 6, column 10"]),
    "twice": (SMALL + 'formula = "y ~ 1"\n', ["valid TOML", "line 5"]),
    "too deep": ("x = " + "[" * 5000 + "]" * 5000, ["m.toml", "too deeply"]),
    "empty": ("", ["'data' is missing"]),
    "no model": ('[data]\nfile = "d.csv"\n', ["m.toml", "'model' is missing"]),
    "no formula": ('[data]\nfile = "d.csv"\n[model]\n', ["model", "'formula' is missing"]),
    "no file": ('[data]\n[model]\nformula = "y ~ 1"\n', ["data", "'file' is missing"]),
    "unknown key": ("names = 'm'\n" + SMALL, ["unknown key 'names'", "Did you mean 'name'?"]),
    "unknown keyword": (SMALL + 'formulas = "y"\n', ["model", "Did you mean 'formula'?"]),
    "code": (SMALL + 'python = "print(1)"\n', ["model", "unknown key 'python'"]),
    "relationship": (SMALL + 'relationship = "A"\n', ["unknown key 'relationship'"]),
    "title": ("title = 3\n" + SMALL, ["title", "must be text", "a number (3)"]),
    "date": ("title = 2020-01-01\n" + SMALL, ["title", "must be text", "a date or time"]),
    "formula": ('[data]\nfile = "d.csv"\n[model]\nformula = ["y"]\n', ["model.formula", "a list"]),
    "empty text": (SMALL + 'family = " "\n', ["model.family", "text is empty"]),
    "data": ('data = "d.csv"\n[model]\nformula = "y ~ 1"\n', ["data", "must be a table"]),
    "prior": (SMALL + "priors = { sd = 5 }\n", ["model.priors.sd", "must be text"]),
    "priors": (SMALL + "priors = 5\n", ["model.priors", "must be a table"]),
    "missing": (SMALL + 'missing = "omit"\n', ["model.missing", "Allowed: drop, error"]),
    "variant": (SMALL + '[variant]\nname = "a"\n', ["variant", "must be a list"]),
    "variant name": (SMALL + "[[variant]]\n", ["variant[1]", "'name' is missing"]),
    "variant twice": (SMALL + "[[variant]]\nname = 'a'\n" * 2, ["variant[2]", "the name 'a'"]),
    "kind": (with_column('kind = "factor"'), ["data.columns.g.kind", "category, number"]),
    "levels": (with_column("levels = [1, 2]"), ["data.columns.g.levels[1]", "must be text"]),
    "level twice": (with_column('levels = ["a", "b", "a"]'), ["levels", "'a' occurs twice"]),
    "ordered": (with_column("ordered = 1"), ["data.columns.g.ordered", "true or false"]),
    "number": (with_column("kind = 'number'\nordered = true"), ["data.columns.g", "kind 'number'"]),
    "method": (REFERENCE + "method = 'REML'\nsource = 'x'\n", ["reference[1].method", "reml, ml"]),
    "source": (REFERENCE + "method = 'reml'\n", ["reference[1]", "'source' is missing"]),
    "for variant": (SAID + "variant = 'a'\n", ["reference[1].variant", "no variant 'a'"]),
    "loglik": (SAID + "loglik = true\n", ["reference[1].loglik", "must be a number"]),
    "nan": (SAID + "loglik = nan\n", ["reference[1].loglik", "finite"]),
    "estimate": (SAID + "sigma = { std_error = 1 }\n", ["sigma", "'estimate' is missing"]),
    "se": (SAID + "fixef = { x = { estimate = 1, se = 1 } }\n", ["fixef.x", "unknown key 'se'"]),
    "sd": (SAID + "sd = { x = 1 }\n", ["reference[1].sd.x", "must be a table"]),
    "printed": (SAID + "printed = { row = 'a' }\n", ["printed", "'column' is missing"]),
    "tolerance": (SAID + "tolerance = 0.1\n", ["reference[1].tolerance", "must be a table"]),
    "no data": (SMALL.replace("d.csv", "e.csv"), ["no data file", "e.csv", "folder of the model"]),
    "folder": (SMALL.replace("d.csv", "."), ["no data file"]),
    "address": (SMALL.replace("d.csv", "https://example.org/d.csv"), ["no data file"]),
    "other kind": (SMALL.replace("d.csv", "m.toml"), ["unknown kind", "Allowed: .csv, .parquet"]),
    "column": (with_column("", "notes"), ["no column 'notes'", "Did you mean 'note'?"]),
    "stray level": (with_column('levels = ["01"]'), ["'g', row 2", "Got: '02'", "Allowed: 01"]),
    "stray text": (with_column("kind = 'number'", "note"), ["'note', row 1", "Got: 'a'"]),
}


@pytest.mark.parametrize(("toml", "words"), BAD_TOML.values(), ids=BAD_TOML)
def test_bad_model_file(write, toml, words):
    with pytest.raises(FileError) as caught:
        load_model(write(toml))
    for word in words:
        assert word in str(caught.value)


BAD_CSV = {
    "empty": ("", "is empty"),
    "duplicate columns": ("y,x,y\n1,2,3\n", "two columns with the same name. Got: ['y']"),
    "too many values": ("y,x\n1,2,3\n4,5,6\n", "can't be read as CSV"),
    "ragged": ("y,x\n1,2\n3,4,5\n", "can't be read as CSV"),
    "encoding": ("y,x\n1,é\n".encode("latin-1"), "can't be read as CSV"),
}


@pytest.mark.parametrize(("csv", "words"), BAD_CSV.values(), ids=BAD_CSV)
def test_bad_csv(write, csv, words):
    with pytest.raises(FileError) as caught:
        load_dataset(write(SMALL, csv))
    assert words in str(caught.value)


def test_stray_value_in_a_parquet_file_with_row_names(write, tmp_path):
    pytest.importorskip("pyarrow")
    table = pd.DataFrame({"y": [1.0, 2.0], "g": ["a", "b"]}, index=["first", "second"])
    table.to_parquet(tmp_path / "d.parquet")
    for column in ('levels = ["a"]', 'kind = "number"'):
        with pytest.raises(FileError, match="column 'g', row"):
            load_dataset(write(with_column(column).replace("d.csv", "d.parquet")))


def test_bad_parquet(write, tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "d.parquet").write_bytes(b"not a table")
    with pytest.raises(FileError, match="can't be read as Parquet"):
        load_dataset(write(SMALL.replace("d.csv", "d.parquet")))


def test_model_file_that_is_not_text(tmp_path):
    (tmp_path / "m.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match="valid TOML"):
        load_model(tmp_path / "m.toml")

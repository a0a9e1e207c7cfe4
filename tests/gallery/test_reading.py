"""Model files of a user's own: what is read, and as what."""

from __future__ import annotations

import sys

import pandas as pd
import pytest

from bayeslmm.gallery import Tolerance, Value, load_dataset, load_model, read_model

SMALL = '[data]\nfile = "d.csv"\n[model]\nformula = "y ~ x + (1 | g)"\n'


def with_column(rest: str, name: str = "g") -> str:
    return SMALL + f"[data.columns.{name}]\n{rest}\n"


def test_the_smallest_file(write):
    file = read_model(write(SMALL))
    assert (file.name, file.title, file.variants, file.references) == ("m", "", (), ())
    assert file.keywords == {"formula": "y ~ x + (1 | g)"}
    assert list(file.data["g"]) == [1, 2, 2, 10]
    assert file.data["y"].isna().tolist() == [False, False, False, True]
    assert file.data["note"].isna().tolist() == [False, True, False, False]


def test_a_path_may_be_text_and_relative(write, monkeypatch):
    path = write(SMALL)
    monkeypatch.chdir(path.parent)
    assert len(load_dataset(str(path))) == len(load_dataset("m.toml")) == 4


def test_all_keywords(write):
    model = """
family = "student_t"
link = "identity"
residual = "ar1(x | g)"
weights = "x"
offset = "x"
known_sd = "x"
trials = "x"
missing = "error"
random = { g = "student_t" }
dpar = { sigma = "~ x" }
[model.priors]
beta = "normal(0, 5)"
"sd_g[x]" = "exponential(1)"
"""
    keywords = read_model(write(SMALL + model)).keywords
    assert keywords["priors"] == {"beta": "normal(0, 5)", "sd_g[x]": "exponential(1)"}
    assert (keywords["random"], keywords["dpar"]) == ({"g": "student_t"}, {"sigma": "~ x"})
    assert (keywords["residual"], keywords["missing"]) == ("ar1(x | g)", "error")
    assert len(keywords) == 12


def test_load_model_hands_everything_over(write, monkeypatch):
    got = {}
    shelf = sys.modules["bayeslmm.gallery.shelf"]
    monkeypatch.setattr(shelf, "Model", lambda **keywords: got.update(keywords) or "a model")
    assert load_model(write(SMALL + 'priors = "flat"\n')) == "a model"
    assert got.pop("data").shape == (4, 4)
    assert got == {"formula": "y ~ x + (1 | g)", "priors": "flat"}


def test_variants_replace_keywords_as_a_whole(write):
    toml = (
        SMALL
        + 'missing = "error"\n[model.priors]\nbeta = "flat"\nsd = "flat"\n'
        + '[[variant]]\nname = "a"\nformula = "y ~ 1 + (1 | g)"\n'
        + '[[variant]]\nname = "b"\ndescription = "B"\npriors = {}\n'
        + '[[reference]]\nvariant = "a"\nmethod = "ml"\nsource = "hand"\nloglik = -3\n'
    )
    path = write(toml)
    main, a, b = (read_model(path, variant) for variant in (None, "a", "b"))
    assert main.variants == ("a", "b")
    assert a.keywords == main.keywords | {"formula": "y ~ 1 + (1 | g)"}
    assert b.keywords == main.keywords | {"priors": {}}
    assert (main.references, b.references) == ((), ())
    assert a.references[0].loglik == -3.0
    assert a.references[0].tolerance == Tolerance()


def test_references(write):
    toml = (
        SMALL
        + '[[reference]]\nmethod = "posterior"\nsource = "hand"\nsigma = 2\n'
        + "tolerance = { cor = 0.01, mcse = 5 }\n"
        + '[reference.fixef]\n"f[B]" = { estimate = 1, std_error = 0.5, mcse = 0.1 }\n'
        + '[reference.sd."a:b"]\nIntercept = 3\n'
        + "[reference.cor.g]\nIntercept = { x = 0.5, z = -0.5 }\n"
        + "[reference.coef.g]\n308 = { x = 7 }\n"
    )
    (reference,) = read_model(write(toml)).references
    assert reference.sigma == Value(2.0)
    assert reference.fixef == {"f[B]": Value(1.0, 0.5, 0.1)}
    assert reference.sd == {("a:b", "Intercept"): Value(3.0)}
    assert reference.cor == {
        ("g", "Intercept", "x"): Value(0.5),
        ("g", "Intercept", "z"): Value(-0.5),
    }
    assert reference.coef == {("g", "308", "x"): Value(7.0)}
    assert reference.tolerance == Tolerance(cor=0.01, mcse=5.0)


def test_levels_are_text_as_it_stands_in_the_file(write):
    data = load_dataset(write(with_column('kind = "category"')))
    assert list(data["g"].cat.categories) == ["01", "02", "10"]
    assert not data["g"].cat.ordered


def test_levels_keep_their_order_and_may_be_unused(write):
    column = 'levels = ["10", "02", "01", "99"]\nordered = true'
    data = load_dataset(write(with_column(column)))
    assert list(data["g"].cat.categories) == ["10", "02", "01", "99"]
    assert data["g"].cat.ordered
    assert list(data["g"].cat.codes) == [2, 1, 1, 0]


def test_missing_levels_stay_missing(write):
    data = load_dataset(write(with_column('kind = "category"', "note")))
    assert list(data["note"].cat.categories) == ["a", "b"]
    assert data["note"].isna().tolist() == [False, True, False, False]


def test_data_may_lie_elsewhere(write, tmp_path):
    path = write(SMALL)
    folder = tmp_path / "models"
    folder.mkdir()
    for file in ("../d.csv", str(tmp_path / "d.csv").replace("\\", "/")):
        (folder / "m.toml").write_text(SMALL.replace("d.csv", file), encoding="utf-8")
        pd.testing.assert_frame_equal(load_dataset(folder / "m.toml"), load_dataset(path))


def test_spreadsheets_mark_and_number_columns(write):
    path = write(with_column('kind = "number"', "x"), b"\xef\xbb\xbfy,x\n1.5,1\n2.5,2\n")
    data = load_dataset(path)
    assert list(data.columns) == ["y", "x"]
    assert data["x"].tolist() == [1, 2]


def test_parquet(write, tmp_path):
    pytest.importorskip("pyarrow")
    toml = with_column('levels = ["2", "1"]').replace("d.csv", "d.parquet")
    toml += "[data.columns.f]\n[data.columns.c]\nordered = true\n"
    table = pd.DataFrame(
        {
            "y": [0.5, 1.5, 2.5],
            "g": [1, 2, 1],
            "f": [1.0, None, 2.0],
            "c": pd.Categorical(["lo", "hi", "lo"], categories=["lo", "hi"]),
        }
    )
    table.to_parquet(tmp_path / "d.parquet")
    data = load_dataset(write(toml))
    assert list(data["g"].cat.categories) == ["2", "1"]
    assert list(data["g"]) == ["1", "2", "1"]
    assert list(data["f"].cat.categories) == ["1", "2"]
    assert data["f"].isna().tolist() == [False, True, False]
    assert list(data["c"].cat.categories) == ["lo", "hi"]

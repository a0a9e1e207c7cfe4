"""Files that can't be read or written."""

from __future__ import annotations

from pathlib import Path

import pytest

import bayeslmm as bl
from bayeslmm.errors import FileError, FormulaError, GalleryError, PriorError
from tests.bad_input.cases import Bad, bad, check, foreign_file, reml, text_file, toml, written

CASES = [
    bad("load a fit that isn't there", FileError, "no file", "nowhere.nc")(
        lambda tmp: bl.load_fit(tmp / "nowhere.nc")
    ),
    bad("load a folder", FileError, "no file")(lambda tmp: bl.load_fit(tmp)),
    bad("load a text file as a fit", FileError, "fit.nc", "saved fit")(
        lambda tmp: bl.load_fit(text_file(tmp))
    ),
    bad(
        "load some other netCDF file", FileError, "other.nc", "saved fit", "not written by bayeslmm"
    )(lambda tmp: bl.load_fit(foreign_file(tmp))),
    bad("save to a missing folder", FileError, "no folder", "nowhere")(
        lambda tmp: reml().save(tmp / "nowhere" / "fit.nc")
    ),
    bad("save over a folder", FileError, "can't be saved", "is a folder")(
        lambda tmp: (tmp / "sub").mkdir() or reml().save(tmp / "sub")
    ),
    bad("unknown model of the gallery", GalleryError, "'sleepstduy'", "Did you mean 'sleepstudy'?")(
        lambda _: bl.load_model("sleepstduy")
    ),
    bad("missing model file", FileError, "no model file", "nowhere.toml")(
        lambda tmp: bl.load_model(tmp / "nowhere.toml")
    ),
    bad("malformed TOML", FileError, "m.toml", "valid TOML", "line 1")(
        lambda tmp: bl.load_model(written(tmp, "[data\n"))
    ),
    bad("unknown key in TOML", FileError, "'formulas'", "Did you mean 'formula'?")(
        lambda tmp: toml(tmp, 'formulas = "y ~ x"\n')
    ),
    bad("code in a TOML formula", FormulaError, "eval()")(
        lambda tmp: toml(tmp, 'formula = "y ~ eval(x)"\n')
    ),
    bad("bad prior in TOML", PriorError, "'cauch'", "Did you mean 'cauchy'?")(
        lambda tmp: toml(tmp, 'formula = "y ~ x"\npriors = { beta = "cauch(0, 1)" }\n')
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_a_mistake_is_named_with_words_that_help(case: Bad, tmp_path: Path) -> None:
    check(case, tmp_path)

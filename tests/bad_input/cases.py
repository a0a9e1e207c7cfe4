"""What the tables of bad input are made of: a small data set, models, and a row of a table.

A row is what the user did, the class of the error, and words that its message has.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import (
    BayeslmmError,
)

PLAIN = "y ~ x + (1 | g)"
SLOPES = "y ~ x + (x | g)"


@cache
def table() -> pd.DataFrame:
    """Six groups of four rows, a crossed factor, and columns to go wrong with."""
    rng = np.random.default_rng(20)
    g = np.repeat([f"g{i}" for i in range(6)], 4)
    x = np.tile([0.0, 1.0, 2.0, 3.0], 6) + 0.1 * rng.standard_normal(24)
    u = np.repeat(rng.standard_normal(6), 4)
    return pd.DataFrame(
        {
            "y": 10 + 0.5 * x + u + 0.5 * rng.standard_normal(24),
            "x": x,
            "twice": 2 * x,
            "g": g,
            "h": np.tile(["a", "b", "c", "d"], 6),
            "copy": np.char.add(g, "!"),
            "one": "only",
            "row": [f"r{i}" for i in range(24)],
            "words": "many words",
            "flat": 3.0,
            "w": rng.uniform(0.5, 2, 24),
            "s": rng.uniform(0.5, 2, 24),
            "when": pd.date_range("2020-01-01", periods=24),
        }
    )


def changed(**columns: Any) -> pd.DataFrame:
    """The table with some columns in place of its own."""
    return table().assign(**columns)


def with_value(column: str, value: Any, row: int = 2) -> pd.DataFrame:
    """The table with one value replaced."""
    out = table().copy()
    out.loc[row, column] = value
    return out


def model(formula: str = PLAIN, data: Any = None, **options: Any) -> bl.Model:
    """A model; what it warns of on the way isn't looked at here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        return bl.Model(formula, table() if data is None else data, **options)


@cache
def plain() -> bl.Model:
    return model()


@cache
def reml() -> bl.Fit:
    return plain().fit("reml")


@cache
def exact() -> bl.Fit:
    return plain().fit("exact", seed=1, draws=25, chains=2)


@cache
def known() -> bl.Fit:
    return model(known_sd="s").fit("ml")


def given(variances: Any, formula: str = PLAIN, **options: Any) -> bl.Fit:
    """Method conjugate at some variances."""
    return model(formula, priors="flat").fit("conjugate", variances=variances, draws=5, **options)


def new(**columns: Any) -> pd.DataFrame:
    """Two rows to predict."""
    return pd.DataFrame({"x": [1.0, 2.0], "g": ["g0", "g1"]} | columns)


def written(folder: Path, text: str) -> Path:
    """A model file beside a small data file."""
    table()[["y", "x", "g"]].to_csv(folder / "d.csv", index=False)
    (folder / "m.toml").write_text(text, encoding="utf-8")
    return folder / "m.toml"


def toml(folder: Path, rest: str) -> bl.Model:
    return bl.load_model(written(folder, '[data]\nfile = "d.csv"\n[model]\n' + rest))


def text_file(folder: Path) -> Path:
    (folder / "fit.nc").write_text("not a fit")
    return folder / "fit.nc"


def foreign_file(folder: Path) -> Path:
    """A netCDF file that some other program wrote."""
    path = folder / "other.nc"
    exact().tree["posterior"].to_dataset().to_netcdf(path, engine="h5netcdf")
    return path


class Bad(NamedTuple):
    """What is wrong, the error's class, the words, and how to do it (in a folder)."""

    what: str
    error: type[BayeslmmError]
    words: tuple[str, ...]
    call: Callable[[Path], Any]


def bad(what: str, error: type[BayeslmmError], *words: str) -> Callable[[Any], Bad]:
    return lambda call: Bad(what, error, words, call)


def check(case: Bad, folder: Path) -> None:
    """Assert that a mistake raises its error, with its words, in well-formed sentences."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        with pytest.raises(BayeslmmError) as caught:
            case.call(folder)
    assert caught.type is case.error
    message = str(caught.value)
    for words in case.words:
        assert words in message
    _check_sentence(message)


def _check_sentence(message: str) -> None:
    """A message begins with a word, ends like a sentence, and doubles no stop on the way."""
    text, *formula = message.split("\n")  # a formula may follow, with a mark below the mistake
    assert re.match(r"[\w'`]", text)
    assert text[-1] in ".?"
    assert not re.search(r"[.?!,:;][.?](\s|$)", text)
    assert not formula or formula[-1].strip() == "^"

"""Saving and loading: everything comes back, and an interrupted save loses nothing."""

from __future__ import annotations

import gc
import resource
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslmm as bl
from bayeslmm.errors import FileError, FitError
from bayeslmm.fit.store_text import check_texts

ByName = Callable[[str], bl.Fit]
SCALARS = ("sigma", "loglik", "deviance", "aic", "bic", "n_parameters", "converged", "singular")
SCALARS += ("log_evidence", "log_evidence_error")


def scalar(fit: bl.Fit, name: str) -> Any:
    """A number of the fit, or the words in which it says that it has none."""
    try:
        return getattr(fit, name)
    except FitError as error:
        return str(error)


def new_rows() -> pd.DataFrame:
    return pd.DataFrame(
        {"x": [1.0, -1.0], "sex": ["Male", "Female"], "g": [302, 999], "batch": "B"}
    )


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, rtol=1e-12, atol=1e-12)


def test_every_method_works_after_loading(fit: bl.Fit, tmp_path: Path) -> None:
    path = tmp_path / "fit.nc"
    fit.save(path)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        loaded = bl.load_fit(path)
    assert not said
    for table in ("fixef", "ranef", "coef", "varcorr", "vcov"):
        same(getattr(loaded, table)(), getattr(fit, table)())
    same(loaded.contrast({"x": 2.0}), fit.contrast({"x": 2.0}))
    same(loaded.predict(seed=3), fit.predict(seed=3))
    same(loaded.predict(kind="response", seed=3), fit.predict(kind="response", seed=3))
    for new_levels in ("draw", "zero"):
        choice = {"new_levels": new_levels, "seed": 3}
        same(loaded.predict(new_rows(), **choice), fit.predict(new_rows(), **choice))
    assert [scalar(loaded, name) for name in SCALARS] == [scalar(fit, name) for name in SCALARS]
    assert str(loaded.summary()) == str(fit.summary())
    assert loaded.method == fit.method and loaded.notes == fit.notes
    assert loaded.tree.groups == fit.tree.groups
    for group in fit.tree.children:
        xr.testing.assert_identical(loaded.tree[group].to_dataset(), fit.tree[group].to_dataset())


def test_conditional_variances_after_loading(by_name: ByName, tmp_path: Path) -> None:
    by_name("reml").save(tmp_path / "fit.nc")
    loaded = bl.load_fit(tmp_path / "fit.nc")
    same(loaded.ranef(given_beta=True), by_name("reml").ranef(given_beta=True))


def test_a_loaded_fit_gives_its_variances_and_is_saved_again(
    by_name: ByName, data: pd.DataFrame, tmp_path: Path
) -> None:
    by_name("reml").save(tmp_path / "one.nc")
    loaded = bl.load_fit(tmp_path / "one.nc")
    loaded.save(tmp_path / "two.nc")
    again = bl.load_fit(tmp_path / "two.nc")
    assert again.notes == by_name("reml").notes
    model = bl.Model("y ~ x + sex + (x | g) + (1 | batch)", data)
    fit = model.fit("conjugate", variances=again, kappa=0, seed=1, draws=5)
    same(fit.fixef(), by_name("reml").fixef())


def test_kinds_of_columns_come_back(tmp_path: Path) -> None:
    """Categories and their order, booleans, transforms, weights, offset and dropped rows."""
    rng = np.random.default_rng(2)
    n = 40
    dose = pd.Categorical(
        np.tile(["low", "mid", "high", "low"], 10), ["low", "mid", "high"], ordered=True
    )
    frame = pd.DataFrame(
        {
            "y y": rng.normal(size=n),
            "x": rng.uniform(1, 9, n),
            "dose": dose,
            "new": np.arange(n) % 2 == 0,
            "g": np.repeat([f"é{i}" for i in range(8)], 5),
            "w": rng.uniform(0.5, 2, n),
        }
    )
    frame.loc[3, "x"] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        formula = "`y y` ~ poly(x, 2) + center(x):new + dose + (1 | g)"
        model = bl.Model(formula, frame, weights="w", offset=rng.normal(size=n))
        fit = model.fit("reml")
        fit.save(tmp_path / "fit.nc")
        loaded = bl.load_fit(tmp_path / "fit.nc")
        assert loaded.notes == fit.notes
        same(loaded.fixef(), fit.fixef())
        same(loaded.predict(frame.iloc[5:9]), fit.predict(frame.iloc[5:9]))
        same(loaded.predict(), fit.predict())
    assert loaded.resolved.priors == fit.resolved.priors


def test_a_second_save_replaces_the_first(by_name: ByName, tmp_path: Path) -> None:
    path = tmp_path / "fit.nc"
    by_name("ml").save(path)
    by_name("reml").save(path)
    assert bl.load_fit(path).method == "reml"
    assert [p.name for p in tmp_path.iterdir()] == ["fit.nc"]


def test_a_full_disk_leaves_the_old_file_whole_and_no_litter(
    by_name: ByName, tmp_path: Path
) -> None:
    """A limit on the size of files stops a write in its middle, as a full disk does."""
    path = tmp_path / "fit.nc"
    by_name("ml").save(path)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(FileError, match="File too large"):
            by_name("reml").save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    gc.collect()  # an unfinished HDF5 file would end the process here
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["fit.nc"]
    assert bl.load_fit(path).method == "ml"


def test_a_file_of_a_later_format_is_told(by_name: ByName, tmp_path: Path) -> None:
    by_name("ml").save(tmp_path / "fit.nc")
    with xr.open_datatree(tmp_path / "fit.nc", engine="h5netcdf") as opened:
        tree = opened.load()
    tree.attrs["format"] = 99
    tree.to_netcdf(tmp_path / "later.nc", engine="h5netcdf")
    with pytest.raises(FileError, match="format is 99"):
        bl.load_fit(tmp_path / "later.nc")


def test_attributes_are_text_or_numbers(fit: bl.Fit, tmp_path: Path) -> None:
    fit.save(tmp_path / "fit.nc")
    with xr.open_datatree(tmp_path / "fit.nc", engine="h5netcdf") as tree:
        kinds = {type(v) for node in tree.subtree for v in node.attrs.values()}
    assert all(issubclass(kind, str | int | float | np.generic) for kind in kinds)


def test_odd_labels_come_back_or_are_refused_by_name(tmp_path: Path) -> None:
    """Row labels of several levels, a factor called ".", and text that is no Unicode."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"y": rng.normal(size=12), ".": list("abcd") * 3},
        index=pd.MultiIndex.from_product([["p", "q"], range(6)]),
    )
    path = tmp_path / "fit.nc"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        fit = bl.Model("y ~ 1 + (1 | `.`)", frame).fit("reml")
        fit.save(path)
        loaded = bl.load_fit(path)
        same(loaded.ranef(), fit.ranef())
        same(loaded.predict(), fit.predict())
        assert list(loaded.predict().index[:2]) == [("p", 0), ("p", 1)]
    odd = xr.Dataset({"beta": ("coef", [1.0])}, {"coef": ["\ud800"]})
    with pytest.raises(FileError, match="'coef' has a character that netCDF files can't store"):
        check_texts({"/posterior": odd})

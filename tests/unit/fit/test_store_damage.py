"""Damaged and hostile files of fits: refused in words, whatever is wrong with them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import FileError

OLD = Path(__file__).parents[2] / "reference" / "saved"
Change = Callable[[h5py.File], Any]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small saved fit with estimates and draws."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"x": rng.normal(size=24), "g": np.repeat(list("abcdef"), 4)})
    model = bl.Model("y ~ x + (1 | g)", table.assign(y=rng.normal(size=24) + table["x"]))
    path = tmp_path_factory.mktemp("saved") / "fit.nc"
    variances = {"sigma": 1.0, "sd_g": [0.5]}
    model.fit("conjugate", variances=variances, kappa=0, seed=1, draws=3, chains=2).save(path)
    return path.read_bytes()


def outcome(path: Path, content: bytes) -> str:
    """``loaded`` or ``refused``; anything else is an error of the test, warnings too."""
    path.write_bytes(content)
    try:
        fit = bl.load_fit(path)
    except FileError:
        return "refused"
    for table in (fit.fixef(), fit.ranef(), fit.varcorr()):
        assert np.isfinite(table["estimate"]).all()
    return "loaded"


def test_every_changed_byte_and_every_truncation_is_noticed(whole: bytes, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole) - 48, 60):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        assert outcome(tmp_path / "a", bytes(changed)) == "refused"
    for length in [0, 1, 8, 47, *rng.integers(48, len(whole) - 48, 12)]:
        assert outcome(tmp_path / "a", whole[:length]) == "refused"
    assert outcome(tmp_path / "a", whole[:-10]) == "loaded"  # of the checksum alone


def test_an_older_file_has_no_checksum_and_damage_is_refused_or_harmless(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    old = (OLD / "saved_reml.nc").read_bytes()
    ends = []
    for _ in range(24):
        changed = bytearray(old)
        start = int(rng.integers(0, len(old)))
        length = int(rng.choice([1, 8, 300]))
        part = changed[start : start + length]
        changed[start : start + length] = rng.bytes(len(part))
        ends.append(outcome(tmp_path / "a", bytes(changed)))
    assert ends.count("refused") > 4


@pytest.mark.parametrize("name", ["saved_reml.nc", "saved_exact.nc"])
def test_a_file_of_the_first_version_is_read(name: str) -> None:
    fit = bl.load_fit(OLD / name)
    expected = {"saved_reml.nc": 0.028395, "saved_exact.nc": -0.080540}[name]
    assert fit.fixef().loc["x", "estimate"] == pytest.approx(expected, abs=1e-6)
    assert list(fit.predict().index[:4]) == ["r0", "r1", "r2", "r4"]
    assert fit.resolved.design.frame["f"].cat.ordered


def without(name: str) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]

    return change


def with_values(name: str, values: Any) -> Change:
    """The variable with other values, on the dimensions that it has."""

    def change(file: h5py.File) -> None:
        attributes = {k: v for k, v in file[name].attrs.items() if k != "_Netcdf4Coordinates"}
        scales = [list(d.values()) for d in file[name].dims]
        del file[name]
        made = file.create_dataset(name, data=values)
        for key, value in attributes.items():
            if key not in ("DIMENSION_LIST", "REFERENCE_LIST"):
                made.attrs[key] = value
        for dim, found in zip(made.dims, scales, strict=True):
            if found:
                dim.attach_scale(found[0])

    return change


def nan_in(name: str) -> Change:
    def change(file: h5py.File) -> None:
        file[name][(0,) * file[name].ndim] = np.nan

    return change


def attribute(name: str, value: Any) -> Change:
    def change(file: h5py.File) -> None:
        file.attrs[name] = value

    return change


def specification(**parts: Any) -> Change:
    def change(file: h5py.File) -> None:
        found = json.loads(file.attrs["specification"]) | parts
        file.attrs["specification"] = json.dumps(found)

    return change


def external(file: h5py.File) -> None:
    """The table's index is what a file of the system holds."""
    del file["model_data/index"]
    file["model_data"].create_dataset(
        "index", (24,), dtype="i8", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
    )


def replaced_by(name: str, link: Any) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = link

    return change


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(24,), dtype="f8")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "x", shape=(24,))
    del file["model_data/index"]
    file["model_data"].create_virtual_dataset("index", layout)


def huge(file: h5py.File) -> None:
    """Terabytes that take no room in the file."""
    del file["estimate/u_g"]
    file["estimate"].create_dataset("u_g", (10**6, 10**6), dtype="f8", chunks=(1000, 1000))


def compressed(file: h5py.File) -> None:
    file["estimate"].create_dataset("zeros", data=np.zeros((500, 20000)), compression="gzip")


CHANGES: dict[str, tuple[Change, str]] = {
    "no posterior variable": (without("posterior/u_g"), "can't be read"),
    "no variable at all": (without("estimate/sd_g"), "'sd_g' of the fit is missing"),
    "no groups": (lambda f: [f.__delitem__(n) for n in ("posterior", "estimate")], "neither"),
    "NaN in draws": (nan_in("posterior/beta"), "posterior.*beta"),
    "NaN in an estimate": (nan_in("estimate/u_g"), "estimate.*u_g"),
    "text for numbers": (
        with_values("estimate/sd_g", np.array(["a"], dtype=h5py.string_dtype())),
        "sd_g",
    ),
    "whole numbers for an sd": (with_values("estimate/sd_g", np.array([1])), "sd_g"),
    "another number of rows": (with_values("model_data/column_0", np.zeros(5)), "can't be read"),
    "scalars that are text": (attribute("scalars", '{"loglik": "much"}'), "scalars"),
    "scalars that are a list": (attribute("scalars", "[1, 2]"), "scalars"),
    "notes that are a number": (attribute("notes", "3"), "notes"),
    "no method": (lambda f: f.attrs.__delitem__("method"), "method"),
    "a number for a method": (attribute("method", 3), "method"),
    "an unknown method": (attribute("method", "guess"), "guess"),
    "JSON that isn't": (attribute("columns", "{"), "can't be read"),
    "JSON that is too deep": (attribute("notes", "[" * 60_000), "can't be read"),
    "a specification without a formula": (attribute("specification", "{}"), "specification"),
    "a formula that is a list": (specification(formula=["y"]), "specification"),
    "an unknown option": (specification(family_name="gaussian"), "can't be read"),
    "another formula": (specification(formula="y ~ x + (x | g)"), "can't be read"),
    "a formula of other columns": (specification(formula="y ~ z"), "z"),
    "external storage": (external, "stored in another file"),
    "virtual storage": (virtual, "made of other files"),
    "external link": (
        replaced_by("model_data/index", h5py.ExternalLink("/etc/passwd", "/x")),
        "is a link",
    ),
    "soft link": (replaced_by("model_data/index", h5py.SoftLink("/estimate/beta")), "is a link"),
    "a cycle": (lambda f: f["estimate"].__setitem__("again", f["/"]), "under two names"),
    "a huge array": (huge, "declares more"),
    "a compressed bomb": (compressed, "declares more"),
    "a compound type": (
        lambda f: f.create_dataset("odd", data=np.zeros(3, "i4,f8")),
        "holds numbers and text",
    ),
    "an opaque type": (
        lambda f: f.create_dataset("odd", data=np.zeros(3, "V16")),
        "holds numbers and text",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_a_file_of_ours_never_holds_is_refused(
    case: str, whole: bytes, tmp_path: Path
) -> None:
    change, text = CHANGES[case]
    path = tmp_path / "fit.nc"
    path.write_bytes(whole[:-48])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with h5py.File(path, "r+") as file:
            change(file)
    with pytest.raises(FileError, match=text):
        bl.load_fit(path)


def test_a_file_that_xarray_wrote_again_is_read(whole: bytes, tmp_path: Path) -> None:
    import xarray as xr

    path = tmp_path / "fit.nc"
    path.write_bytes(whole)
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        tree.load().to_netcdf(tmp_path / "again.nc", engine="h5netcdf")
    one, other = bl.load_fit(path), bl.load_fit(tmp_path / "again.nc")
    pd.testing.assert_frame_equal(one.fixef(), other.fixef())

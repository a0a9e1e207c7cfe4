"""Times as days since the earliest: the same fits as of numbers, whatever they are stored as."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import bayeslmm as bl
from bayeslmm.design import learn
from bayeslmm.errors import DataError, DataWarning
from bayeslmm.formula import parse

FORMULA = "Reaction ~ Days + I(Days**2) + (Days | Subject)"
ZONE = dt.timezone(dt.timedelta(hours=5.5))
Times = pd.Series  # of naive datetimes


def _objects(times: Times, make: Callable[[dt.datetime], Any]) -> pd.Series:
    return pd.Series([make(t.to_pydatetime()) for t in times], dtype=object)


KINDS: dict[str, Callable[[Times], Any]] = {
    "nanoseconds": lambda t: t.astype("M8[ns]"),
    "seconds": lambda t: t.astype("M8[s]"),
    "zone": lambda t: t.dt.tz_localize("Asia/Tokyo"),
    "periods": lambda t: t.dt.to_period("D"),
    "dates": lambda t: _objects(t, dt.datetime.date),
    "objects": lambda t: _objects(t, lambda one: one),
    "objects with a zone": lambda t: _objects(t, lambda one: one.replace(tzinfo=ZONE)),
    "objects of periods": lambda t: t.dt.to_period("D").astype(object),
    "long ago": lambda t: _objects(t, lambda one: one.replace(year=1200)),
    "arrow": lambda t: t.astype("timestamp[us][pyarrow]"),
    "arrow with a zone": lambda t: t.astype("timestamp[s, UTC][pyarrow]"),
    "arrow dates": lambda t: _objects(t, dt.datetime.date).astype(pd.ArrowDtype(pa.date32())),
    "durations": lambda t: t - t.min(),
    "objects of durations": lambda t: (t - t.min()).astype(object),
    "arrow durations": lambda t: (t - t.min()).astype("duration[ms][pyarrow]"),
}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return bl.load_dataset("sleepstudy")


def _times(data: pd.DataFrame) -> Times:
    return pd.Timestamp("2020-02-25") + pd.to_timedelta(data["Days"], unit="D")


@pytest.mark.parametrize("kind", KINDS)
def test_any_times_are_days_since_the_first(kind: str, data: pd.DataFrame) -> None:
    """Over the end of a February of 29 days, twice: for the data and for new rows."""
    frame = data.assign(Days=KINDS[kind](_times(data)))
    words = r"Days is taken as days\." if "durations" in kind else "days since"
    with pytest.warns(DataWarning, match=words):
        design = learn(parse(FORMULA), frame)
    plain = learn(parse(FORMULA), data)
    assert len(design.notes) == 1
    np.testing.assert_array_equal(design.X, plain.X)
    np.testing.assert_array_equal(design.blocks[0].values, plain.blocks[0].values)
    later = frame[data["Days"] > 3]
    np.testing.assert_array_equal(design.apply(later).X, plain.X[data["Days"] > 3])


@pytest.mark.parametrize("table", [pl.DataFrame, pa.table])
def test_times_of_other_tables(table: Callable[[Any], Any], data: pd.DataFrame) -> None:
    columns = data.to_dict("list") | {"Days": [t.to_pydatetime() for t in _times(data)]}
    with pytest.warns(DataWarning, match="Days is taken as days since 2020-02-25"):
        design = learn(parse(FORMULA), table(columns))
    np.testing.assert_array_equal(design.X, learn(parse(FORMULA), data).X)


def test_a_fit_of_dates_is_one_of_days(data: pd.DataFrame, tmp_path: Path) -> None:
    """Hours and fractions of a second count; new rows and a saved fit keep the origin."""
    days = data["Days"] + 1e-6 * np.arange(len(data))
    origin = pd.Timestamp("2020-01-01 08:30:00.25")
    dates = origin + pd.to_timedelta(days, unit="D")
    words = r"Days is taken as days since 2020-01-01 08:30:00\.25\."
    with pytest.warns(DataWarning, match=words) as said:
        model = bl.Model(FORMULA, data.assign(Days=dates))
    assert len(said) == 1
    fit, plain = model.fit("reml"), bl.Model(FORMULA, data.assign(Days=days)).fit("reml")
    assert any("2020-01-01 08:30:00.25" in note for note in model.notes)
    assert fit.loglik == pytest.approx(plain.loglik, rel=1e-9)
    np.testing.assert_allclose(fit.fixef(), plain.fixef(), rtol=1e-7)
    new = pd.DataFrame({"Days": [origin + pd.Timedelta(days=20.5)], "Subject": ["308"]})
    number = new.assign(Days=[20.5])
    np.testing.assert_allclose(fit.predict(new), plain.predict(number), rtol=1e-7)
    fit.save(tmp_path / "fit.nc")
    again = bl.load_fit(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.model.resolved.design.X, model.resolved.design.X)
    np.testing.assert_array_equal(again.predict(new), fit.predict(new))
    assert again.model.notes == model.notes


def test_missing_times_drop_their_rows(data: pd.DataFrame) -> None:
    """And the first of the others is the origin."""
    dates = _times(data).where(data["Days"] > 0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        design = learn(parse("Reaction ~ Days"), data.assign(Days=dates))
    assert [str(one.message) for one in said] == [
        "18 of 180 rows have missing values (Days: 18) and were dropped.",
        "Days is taken as days since 2020-02-26.",
    ]
    np.testing.assert_array_equal(design.X[:, 1], data["Days"][data["Days"] > 0] - 1)
    with pytest.raises(DataError, match="18 of 180 rows have missing values"):
        learn(parse("Reaction ~ Days"), data.assign(Days=dates), missing="error")
    with pytest.raises(DataError, match="'Days' is missing in 18 of 180 new rows"):
        design.apply(data.assign(Days=dates))


NEW: list[tuple[str, Callable[[Times], Any], str]] = [
    ("numbers", lambda t: np.arange(len(t)), "contains no times.*such as 0.*Numbers have no date"),
    ("text", lambda t: t.astype(str), "contains no times"),
    ("a zone", lambda t: t.dt.tz_localize("UTC"), r"with a time zone.*dt\.tz_localize\(None\)"),
    ("durations", lambda t: t - t.min(), "holds durations"),
]


@pytest.mark.parametrize(("make", "words"), [c[1:] for c in NEW], ids=[c[0] for c in NEW])
def test_new_rows_of_another_kind(
    make: Callable[[Times], Any], words: str, data: pd.DataFrame
) -> None:
    times = _times(data)
    with pytest.warns(DataWarning, match="days since"):
        design = learn(parse("Reaction ~ Days"), data.assign(Days=times))
    with pytest.raises(DataError, match=f"(?s){words}"):
        design.apply(data.assign(Days=make(times)))
    plain = learn(parse("Reaction ~ Days"), data)
    with pytest.raises(DataError, match="'Days' holds times"):
        plain.apply(data.assign(Days=times))


def test_dates_are_places_of_residuals_and_covariates_of_further_parameters() -> None:
    rng = np.random.default_rng(2)
    rows = pd.DataFrame({"g": np.repeat(np.arange(8), 5), "t": np.tile([0.0, 1, 3, 4, 8], 8)})
    rows["y"] = rng.normal(size=8)[rows["g"]] + rng.normal(size=40)
    dated = rows.assign(t=pd.Timestamp("1999-12-30") + pd.to_timedelta(rows["t"], unit="D"))
    options = {"residual": "exp(t | g)"}
    plain = bl.Model("y ~ 1", rows, **options).fit("reml")
    with pytest.warns(DataWarning, match="t is taken as days since 1999-12-30"):
        fit = bl.Model("y ~ 1", dated, **options).fit("reml")
    assert fit.loglik == pytest.approx(plain.loglik, rel=1e-9)
    with pytest.warns(DataWarning, match="t is taken as days since 1999-12-30"):
        model = bl.Model("y ~ 1", dated, dpar={"sigma": "~ t"})
    design = model.resolved.dpars["sigma"].design
    np.testing.assert_array_equal(design.X[:, 1], rows["t"])


def test_the_hint_for_years_gives_their_dates() -> None:
    table = pd.DataFrame({"year": pd.date_range("2000", periods=8, freq="YS")})
    data = table.assign(y=np.sin(np.arange(8.0)))
    with pytest.warns(DataWarning, match="days since"):
        model = bl.Model("y ~ year", data)
    new = pd.DataFrame({"year": [2030, 2031]})
    fit = model.fit("ml")
    with pytest.raises(DataError, match="If these are years: ") as caught:
        fit.predict(new)
    target, _, call = str(caught.value).partition("If these are years: ")[2].partition(" = ")
    assert (target, call) == (
        "data['year']",
        "pd.to_datetime(data['year'].astype(int).astype(str), format=\"%Y\").",
    )
    new["year"] = pd.to_datetime(new["year"].astype(int).astype(str), format="%Y")
    dates = pd.DataFrame({"year": pd.to_datetime(["2030-01-01", "2031-01-01"])})
    pd.testing.assert_frame_equal(fit.predict(new), fit.predict(dates))
    with pytest.raises(DataError, match=r"pd\.to_datetime\(data\['year'\]\)\.$"):
        fit.predict(pd.DataFrame({"year": ["2030-01-01"]}))

"""Whole numbers beyond 64 bits: their levels stay apart, or the column is refused as a factor."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import bayeslmm as bl
from bayeslmm.errors import DataError

IDS = [2**63 + 2 * i + 1 for i in range(6) for _ in range(4)]  # as floats they are one
UNSIGNED = np.array(IDS, dtype=np.uint64)
RNG = np.random.default_rng(3)
DATA = {"y": RNG.normal(size=24) + np.repeat(np.arange(6.0), 4), "x": RNG.normal(size=24)}
COLUMNS = {
    "uint64": pd.Series(UNSIGNED),
    "UInt64": pd.Series(UNSIGNED).astype("UInt64"),
    "objects": pd.Series(IDS, dtype=object),
    "beyond uint64": pd.Series([v * 2**40 for v in IDS], dtype=object),
    "negative": pd.Series([-v for v in IDS], dtype=object),
    "categorical": pd.Series(pd.Categorical(IDS)),
    "arrow": pd.Series(UNSIGNED).astype(pd.ArrowDtype(pa.uint64())),
}


@pytest.fixture(scope="module")
def right() -> float:
    named = [f"g{v}" for v in IDS]
    return bl.Model("y ~ x + (1 | g)", pd.DataFrame(DATA | {"g": named})).fit("reml").loglik


@pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
def test_levels_stay_apart(column: pd.Series, right: float) -> None:
    fit = bl.Model("y ~ x + (1 | g)", pd.DataFrame(DATA | {"g": column})).fit("reml")
    assert fit.loglik == pytest.approx(right, abs=1e-10)
    assert set(fit.ranef()["level"]) == {str(v) for v in column}
    new = pd.DataFrame({"x": [0.0, 0.0], "g": column.iloc[[0, 23]].reset_index(drop=True)})
    first, last = fit.predict(new)["estimate"]
    assert first != last


def test_levels_of_polars_stay_apart(right: float) -> None:
    frame = pl.DataFrame(DATA | {"g": pl.Series(IDS, dtype=pl.UInt64)})
    wide = frame.with_columns(pl.col("g").cast(pl.Int128) * 2**40)
    for table in (frame, wide):
        fit = bl.Model("y ~ x + (1 | g)", table).fit("reml")
        assert fit.loglik == pytest.approx(right, abs=1e-10)


def test_as_another_kind_of_factor_they_are_refused() -> None:
    data = pd.DataFrame(DATA | {"g": COLUMNS["uint64"]})
    mixed = data.assign(g=pd.Series([*IDS[:-1], 0.5], dtype=object))
    with pytest.raises(DataError, match=r"astype\(str\)"):
        bl.Model("y ~ (1 | g)", mixed)
    for formula, options in (("y ~ C(g)", {}), ("y ~ x", {"residual": "diag(g)"})):
        with pytest.raises(DataError, match=r"astype\(str\)"):
            bl.Model(formula, data, **options)


def test_as_a_covariate_they_are_floats() -> None:
    big = pd.Series([2**70 + i * 2**60 for i in range(24)], dtype=object)
    model = bl.Model("y ~ z", pd.DataFrame(DATA | {"z": big}))
    np.testing.assert_array_equal(model.resolved.design.X[:, 1], [float(v) for v in big])
    with pytest.raises(DataError, match="beyond the range"):
        bl.Model("y ~ z", pd.DataFrame(DATA | {"z": [10**400 + i for i in range(24)]}))
    with pytest.raises(DataError, match="infinite"):
        bl.Model("y ~ z", pd.DataFrame(DATA | {"z": [Decimal("1e400")] * 24}))

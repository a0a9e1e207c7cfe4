"""Extents and medians of long columns: read in stretches, and what numpy says of the whole."""

from __future__ import annotations

import numpy as np
import pytest

import bayeslmm as bl
from bayeslmm.model.scales import STRETCH, extent, extents, median

RNG = np.random.default_rng(23)
LONG = 5 * STRETCH + 17
X = np.column_stack(
    [np.ones(LONG), RNG.normal(size=LONG) * 1e-6 + 3.0, RNG.normal(size=LONG) * 1e180]
)


@pytest.mark.parametrize("n", [2, 100, STRETCH, STRETCH + 1, LONG])
def test_extents_are_numpys(n: int) -> None:
    # columns of their own, which numpy sums pairwise; 1e-11: rounding around a mean of 3
    found = extent(np.ascontiguousarray(X[:n, :2]))
    for i, column in enumerate(X[:n, :2].T.copy()):
        assert found.low[i] == column.min()
        assert found.high[i] == column.max()
        assert found.sd[i] == pytest.approx(column.std(ddof=1), rel=1e-9, abs=1e-15)
    assert found.scale[0] == 1.0


def test_large_numbers_do_not_overflow_on_the_way() -> None:
    found = extent(X[:, 2:] * 1e-30)
    assert found.sd[0] == pytest.approx((X[:, 2] * 1e-30).std(ddof=1), rel=1e-12)
    assert extent(np.full((LONG, 1), 1e160)).scale[0] == 1.0


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e9 + 0.1])
def test_a_constant_column_has_scale_one_however_long(value: float) -> None:
    assert extent(np.full((LONG, 2), value)).scale.tolist() == [1.0, 1.0]


def test_one_row_has_no_spread() -> None:
    found = extent(np.array([[2.0, -3.0]]))
    assert found.sd.tolist() == [0.0, 0.0]
    assert found.size.tolist() == [2.0, 3.0]


VALUES = {
    "normal": RNG.normal(size=60_001),
    "even": RNG.normal(size=60_000),
    "heavy": RNG.standard_cauchy(size=80_000),
    "ties": RNG.poisson(3.0, size=70_000).astype(float),
    "two values": np.repeat([0.0, 1.0], 30_000),
    "in order": np.arange(100_000.0),
    "of a period": np.tile(np.arange(6.0), 10_000),
    "far off": RNG.normal(size=60_001) + 1e9,
    "few": RNG.normal(size=10),
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_medians_are_numpys_to_the_last_bit(values: np.ndarray) -> None:
    middle = median(values)
    assert middle == np.median(values)
    assert median(values, around=middle) == np.median(np.abs(values - middle))


def test_columns_that_are_shared_have_one_extent() -> None:
    design = bl.Model(
        "Reaction ~ Days + (Days | Subject)", bl.load_dataset("sleepstudy")
    ).resolved.design
    fixed, (random,) = extents(design)
    assert fixed is random
    assert fixed.high.tolist() == [1.0, 9.0]

"""Arrays that the machine can't hold are refused before they are made, with size and remedy."""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm import memory
from bayeslmm.errors import ModelError
from bayeslmm.gaussian import crossed
from bayeslmm.gaussian.moments import moments

GIB = 1 << 30


@pytest.fixture(autouse=True)
def _eight_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 8.0 * GIB)


def factors(n: int, **levels: int) -> pd.DataFrame:
    """Crossed factors of so many levels each, all of which occur."""
    rng = np.random.default_rng(0)
    columns = {
        name: rng.permutation(np.resize(np.arange(count), n)).astype(str)
        for name, count in levels.items()
    }
    return pd.DataFrame({"y": rng.normal(size=n), **columns})


CASES = {
    "a factor's effects by many groups": (
        "y ~ 1 + (f | g)", {}, factors(20_000, f=500, g=10_000), "56 GiB", r"\(1 \| f:g\)",
    ),
    "a factor's effects that correlate": (
        "y ~ 1 + (0 + f | g)", {}, factors(3_000, f=500, g=5), "351 GiB", r"fa\(\.\.\., k=2\)",
    ),
    "unstructured residuals of 1,500 occasions": (
        "y ~ 1", {"residual": "us(t | g)"},
        pd.DataFrame({"y": np.zeros(3000), "t": np.resize(np.arange(1500), 3000),
                      "g": np.arange(3000) // 1500}),
        "27.7 TiB", r"fa\(\.\.\., k=2\)",
    ),
    "one group of 40,000 residuals": (
        "y ~ 1", {"residual": "exp(t | 1)"},
        pd.DataFrame({"y": np.zeros(40_000), "t": np.arange(40_000.0)}),
        "35.8 GiB", r"ar1\(time \| group\)",
    ),
    "a fixed factor of many levels": (
        "y ~ f", {}, factors(25_000, f=20_000), "8.94 GiB", r"\(1 \| f\)",
    ),
    "fixed factors that are many columns together": (
        "y ~ a:b", {}, factors(400_000, a=60, b=60), "10.8 GiB", r"\(1 \| f\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_too_large_is_refused_with_size_and_remedy(case: str) -> None:
    formula, options, table, size, remedy = CASES[case]
    tracemalloc.start()
    try:
        with warnings.catch_warnings(), pytest.raises(ModelError, match=remedy) as caught:
            warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
            bl.Model(formula, table, **options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size in str(caught.value) and "this machine has 8 GiB" in str(caught.value)
    assert peak < 200e6


def test_crossed_factors_are_held_sparsely_where_dense_does_not_fit_and_refused_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        model = bl.Model("y ~ 1 + (1 | a) + (1 | b)", factors(1500, a=500, b=300))
    m = moments(model.resolved)
    monkeypatch.setattr(crossed, "_sparse_pays", lambda *_: False)
    dense = crossed.crossed(m)
    assert isinstance(dense.system.rest, crossed.DenseRest)
    factor = crossed.crossed(m, "sparse").system.rest.size
    assert 12 * factor < 8 * 300**2
    monkeypatch.setattr(memory, "available", lambda: (12 * factor + 8 * 300**2) / 2 / 0.8)
    sparse = crossed.crossed(m)
    assert isinstance(sparse.system.rest, crossed.SparseRest)
    point = (np.full((1, 1, 1), 0.7), np.full((1, 1, 1), 1.3))
    for one, other in zip(vars_of(dense.reduce(point)), vars_of(sparse.reduce(point)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
    monkeypatch.setattr(memory, "available", lambda: 1000.0)
    with pytest.raises(ModelError, match=r"300 by 300.*Merge rare levels"):
        crossed.crossed(m)


def vars_of(reduced: crossed.Reduced) -> tuple[np.ndarray, np.ndarray]:
    return reduced.log_det, reduced.tail

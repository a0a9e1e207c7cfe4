"""Fixed columns are found among a factor's covariates by their numbers, level by level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.design.level_maps import LevelMaps, level_maps


def maps_of(formula: str, data: pd.DataFrame, index: int = 0) -> LevelMaps:
    return level_maps(bl.Model(formula, data).resolved.design, index)


def table() -> pd.DataFrame:
    """Four levels: sex is constant in each, x and w vary; the third has two rows, the last one."""
    rng = np.random.default_rng(4)
    g = np.repeat(list("abcd"), [6, 5, 2, 1])
    x = rng.normal(size=14).round(2)
    sex = np.repeat(["f", "m", "m", "f"], [6, 5, 2, 1])
    w = rng.normal(size=14)
    return pd.DataFrame({"y": rng.normal(size=14), "g": g, "x": x, "sex": sex, "w": w})


@pytest.mark.filterwarnings("ignore::bayeslmm.errors.BayeslmmWarning")
def test_what_a_level_adds_counts_and_what_varies_within_levels_does_not() -> None:
    """With two rows or one, every column is a combination of intercept and x in those rows; w
    and its square aren't counted for that."""
    found = maps_of("y ~ x * sex + w + I(w**2) + (x | g)", table())
    names = ["Intercept", "x", "sex[m]", "w", "I(w**2)", "x:sex[m]"]
    assert list(found.included[[0, 1, 2, 5]]) == [True] * 4
    assert not found.included[[3, 4]].any()
    female, male = np.zeros((2, 6)), np.zeros((2, 6))
    for m in (female, male):
        m[0, names.index("Intercept")] = m[1, names.index("x")] = 1.0
    male[0, names.index("sex[m]")] = male[1, names.index("x:sex[m]")] = 1.0
    np.testing.assert_array_equal(found.maps[found.which], [female, male, male, female])


@pytest.mark.filterwarnings("ignore::bayeslmm.errors.BayeslmmWarning")
@pytest.mark.parametrize(
    ("fixed", "expected"),
    [
        ("center(x)", [[1, "-mean"], [0, 1]]),
        ("I(x / 1e12)", [[1, 0], [0, 1e-12]]),
        ("I(3 - 2 * x)", [[1, 3], [0, -2]]),
    ],
)
def test_combinations_of_covariates(fixed: str, expected: list[list[Any]]) -> None:
    data = table()
    mean = data["x"].mean()
    wanted = [[-mean if v == "-mean" else v for v in row] for row in expected]
    found = maps_of(f"y ~ {fixed} + (x | g)", data)
    assert found.included.all() and len(found.maps) == 1
    np.testing.assert_allclose(found.maps[0], wanted, rtol=1e-9, atol=0)


@pytest.mark.filterwarnings("ignore::bayeslmm.errors.BayeslmmWarning")
def test_dummies_of_levels_and_contrasts() -> None:
    """The intercept is the sum of a factor's dummies; a nested factor holds its parent's."""
    machines = bl.load_dataset("machines")
    found = maps_of("score ~ Machine + (0 + Machine | Worker)", machines)
    np.testing.assert_array_equal(found.maps[0], [[1, 0, 0], [1, 1, 0], [1, 0, 1]])
    nested = bl.Model("score ~ Machine + (1 | Worker/Machine)", machines).resolved.design
    outer, inner = level_maps(nested, 0), level_maps(nested, 1)
    assert list(outer.included) == [True, False, False]
    machine = [str(level).split(":")[1] for level in nested.blocks[1].levels]
    wanted = [[1, m == "B", m == "C"] for m in machine]
    np.testing.assert_array_equal(inner.maps[inner.which, 0], wanted)


def test_row_order_does_not_matter() -> None:
    data = table()
    shuffled = data.sample(frac=1.0, random_state=2)
    formula = "y ~ sex + x + poly(x, 2):sex + (x | g)"
    with pytest.warns(bl.errors.BayeslmmWarning):
        a, b = maps_of(formula, data), maps_of(formula, shuffled)
    np.testing.assert_array_equal(a.included, b.included)
    np.testing.assert_allclose(a.maps[a.which], b.maps[b.which], atol=1e-9)

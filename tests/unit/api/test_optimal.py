"""The search for optimal designs recovers those that are known."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import bayeslmm as bl
from bayeslmm.errors import (
    BayeslmmError,
    ColumnError,
    DataError,
    FormulaError,
    IdentifiabilityError,
    IdentifiabilityWarning,
    MethodError,
    PriorError,
)


def line(*extra: float) -> pd.DataFrame:
    return pd.DataFrame({"x": np.sort([*np.linspace(-1, 1, 21), *extra])})


def taken(found: Any) -> dict[float, int]:
    """How often each x is, to three digits."""
    x, counts = np.unique(found.rows["x"].round(3), return_counts=True)
    return dict(zip(x.tolist(), counts.tolist(), strict=True))


def of(found: Any, criterion: str) -> float:
    return float(getattr(found, criterion))


@pytest.mark.parametrize("n", [3, 6, 9])
def test_d_optimal_quadratic(n: int) -> None:
    """Equal weights at -1, 0, 1 (Fedorov, 1972, sec. 2.3); |X'X| = 4 (n/3)³."""
    found = bl.optimal_design("~ x + I(x**2)", line(), n, seed=1)
    assert taken(found) == {-1.0: n // 3, 0.0: n // 3, 1.0: n // 3}
    assert of(found, "D") == pytest.approx((4 * (n / 3) ** 3) ** (-1 / 3))
    assert found.d_efficiency == pytest.approx(1.0)
    assert found.value == found.D and found.agreeing >= 1


def test_d_optimal_cubic() -> None:
    """±1 and ±1/sqrt(5), the roots of (1 - x²) P3'(x) (Guest, 1958)."""
    found = bl.optimal_design(
        "y ~ x + I(x**2) + I(x**3)", line(5**-0.5, -(5**-0.5)), 8, seed=2, starts=20
    )
    assert taken(found) == {-1.0: 2, -0.447: 2, 0.447: 2, 1.0: 2}
    assert found.d_efficiency == pytest.approx(1.0)


def test_a_and_v_optimal_quadratic() -> None:
    """Weights 1/4, 1/2, 1/4 (Atkinson, Donev & Tobias, 2007, sec. 10.2)."""
    for criterion in ("A", "E"):
        found = bl.optimal_design("~ x + I(x**2)", line(), 8, criterion=criterion, seed=1)
        assert taken(found)[0.0] == 4 and taken(found)[1.0] == 2
    found = bl.optimal_design("~ x + I(x**2)", line(), 8, criterion="I", seed=1)
    assert found.criterion == "V" and taken(found) == {-1.0: 2, 0.0: 4, 1.0: 2}


def test_g_optimal_line() -> None:
    """Half of the rows at each end: the largest variance of the mean is p/n."""
    found = bl.optimal_design("~ x", line(), 6, criterion="G", seed=1)
    assert taken(found) == {-1.0: 3, 1.0: 3}
    assert of(found, "G") == pytest.approx(2 / 6)


@pytest.mark.parametrize("criterion", ["D", "A"])
def test_first_order_is_the_factorial(criterion: str) -> None:
    """Plackett & Burman (1946): X'X = n I at the corners of the cube."""
    grid = pd.DataFrame(product([-1.0, 0.0, 1.0], repeat=3), columns=list("abc"))
    found = bl.optimal_design("~ a + b + c", grid, 8, criterion=criterion, seed=3)
    X = np.column_stack([np.ones(8), found.rows])
    np.testing.assert_allclose(X.T @ X, 8 * np.eye(4), atol=1e-12)
    assert of(found, "A") == pytest.approx(4 / 8)
    full = bl.optimal_design("~ a * b * c", grid, 8, criterion=criterion, seed=3)
    corners = {tuple(row) for row in full.rows.to_numpy().tolist()}
    assert corners == set(product([-1.0, 1.0], repeat=3))


def test_categories_share_the_rows() -> None:
    candidates = {"treatment": list("abcabc"), "block": [1, 1, 1, 2, 2, 2]}
    found = bl.optimal_design("~ 0 + treatment", candidates, 9, seed=1)
    assert found.rows["treatment"].value_counts().to_dict() == {"a": 3, "b": 3, "c": 3}
    assert found.coefs == ("treatment[a]", "treatment[b]", "treatment[c]")


def test_no_repeats_and_tables_of_any_kind() -> None:
    data = line().assign(label=[f"row {i}" for i in range(21)]).set_index("label")
    found = bl.optimal_design("~ x", data, 4, repeats=False, seed=1)
    assert taken(found) == {-1.0: 1, -0.9: 1, 0.9: 1, 1.0: 1}
    assert list(found.rows.index) == ["row 0", "row 1", "row 19", "row 20"]
    assert found.counts.to_dict() == {0: 1, 1: 1, 19: 1, 20: 1}
    other = bl.optimal_design("~ x", pl.DataFrame({"x": data["x"].to_numpy()}), 4, seed=1)
    assert taken(other) == {-1.0: 2, 1.0: 2}
    ones = bl.optimal_design("~ 1", data, 3, seed=1)
    assert len(ones.rows) == 3 and of(ones, "D") == pytest.approx(1 / 3)


def test_the_same_seed_gives_the_same_design() -> None:
    grid = pd.DataFrame(np.random.default_rng(4).normal(size=(40, 4)), columns=list("abcd"))
    one, two = (
        bl.optimal_design("~ a + b + c + d", grid, 9, seed=5, starts=2, criterion="E")
        for _ in range(2)
    )
    pd.testing.assert_frame_equal(one.rows, two.rows)


def test_a_prior_takes_rows_from_what_is_known() -> None:
    """A strong prior of the slope leaves the mean alone to estimate; any two rows do."""
    found = bl.optimal_design("~ x", line(), 2, prior=np.diag([0.0, 1e6]), criterion="A", seed=1)
    assert of(found, "A") == pytest.approx(1 / 2, rel=1e-5)
    assert np.isnan(found.d_efficiency)
    few = bl.optimal_design("~ x + I(x**2)", line(), 1, prior=0.5, seed=1)
    assert abs(few.rows["x"].iloc[0]) == 1.0  # the longest row
    assert of(few, "D") == pytest.approx((0.5**3 * (1 + 3 / 0.5)) ** (-1 / 3))


def test_aliased_columns_are_left_out_and_said() -> None:
    data = line().assign(z=lambda d: 2 * d["x"])
    with pytest.warns(IdentifiabilityWarning, match="left out: z"):
        found = bl.optimal_design("~ x + z", data, 4, seed=1)
    assert found.coefs == ("Intercept", "x") and "left out: z" in found.notes[0]
    both = bl.optimal_design("~ x + z", data, 4, prior=1.0, criterion="V", seed=1)
    X = np.column_stack([np.ones(4), both.rows["x"], both.rows["z"]])
    region = np.column_stack([np.ones(21), data["x"], data["z"]])
    spread = np.einsum("rp,pq,rq->r", region, np.linalg.inv(X.T @ X + np.eye(3)), region)
    assert of(both, "V") == pytest.approx(spread.mean())
    assert taken(both) == {-1.0: 2, 1.0: 2}


def test_it_prints() -> None:
    found = bl.optimal_design("~ x + I(x**2)", line(), 30, seed=1)
    text = repr(found)
    assert "D-optimal design of 30 rows" in text and "the first 12" in text
    assert "D-efficiency: at least 100.0%" in text and "starts reached" in text
    assert "<table" in found._repr_html_()


@pytest.mark.parametrize(
    ("error", "words", "arguments"),
    [
        (MethodError, "criterion='Z'.*I", {"criterion": "Z"}),
        (MethodError, "n must be a positive whole number", {"n": 0}),
        (MethodError, "starts must be", {"starts": 1.5}),
        (MethodError, "21 candidates", {"n": 22, "repeats": False}),
        (IdentifiabilityError, "1 rows can't determine 2", {"n": 1}),
        (FormulaError, "random terms", {"formula": "~ x + (1 | g)"}),
        (ColumnError, "'z'", {"formula": "~ z"}),
        (PriorError, r"shape \(2, 2\)", {"prior": np.eye(3)}),
        (PriorError, "negative eigenvalue", {"prior": -1.0}),
        (DataError, "missing values.*2", {"candidates": {"x": [1.0, 2.0, np.nan]}}),
    ],
)
def test_refusals(error: type[BayeslmmError], words: str, arguments: dict[str, Any]) -> None:
    given = {"formula": "~ x", "candidates": line(), "n": 4} | arguments
    with pytest.raises(error, match=words):
        bl.optimal_design(**given)

"""Series beside a pandas table are matched by row labels; all else by position."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import bayeslmm as bl
from bayeslmm.errors import DataError

RNG = np.random.default_rng(5)
N = 40
TABLE = pd.DataFrame(
    {
        "y": RNG.normal(size=N) + np.repeat(np.arange(8.0), 5),
        "x": RNG.normal(size=N),
        "g": np.repeat(list("abcdefgh"), 5),
        "w": RNG.uniform(0.5, 3, N),
        "n": RNG.integers(5, 9, N).astype(float),
        "k": RNG.integers(0, 5, N).astype(float),
    },
    index=[f"row{i}" for i in range(N)],
)
ORDER = RNG.permutation(N)
INPUTS = {
    "weights": ("gaussian", "y"),
    "offset": ("gaussian", "y"),
    "known_sd": ("gaussian", "y"),
    "trials": ("binomial", "k"),
}


def inputs_of(key: str, value: object, data: object = TABLE) -> dict[str, np.ndarray]:
    family, response = INPUTS[key]
    model = bl.Model(f"{response} ~ x + (1 | g)", data, family=family, **{key: value})
    return model.resolved.design.inputs


@pytest.mark.parametrize("key", INPUTS)
def test_a_series_in_another_order_is_aligned(key: str) -> None:
    column = TABLE["n" if key == "trials" else "w"]
    given = inputs_of(key, column.iloc[ORDER])[key]
    np.testing.assert_array_equal(given, column.to_numpy())


def test_arrays_and_other_tables_go_by_position() -> None:
    shuffled = TABLE["w"].iloc[ORDER]
    for value, data in (
        (shuffled.to_numpy(), TABLE),
        (shuffled.to_list(), TABLE),
        (pl.Series(shuffled.to_numpy()), TABLE),
        (shuffled, pl.DataFrame(TABLE.to_dict("list"))),
    ):
        np.testing.assert_array_equal(inputs_of("weights", value, data)["weights"], shuffled)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (pd.Series(np.ones(N)), "different row labels"),
        (
            TABLE["w"].rename({"row3": "row99"}),
            "table: 'row3'; only in weights: 'row99'",
        ),
        (TABLE["w"].rename({"row3": "row4"}), "repeated row labels"),
        (TABLE["w"].iloc[:-1], "39 values for 40 rows"),
    ],
)
def test_a_series_of_other_rows_is_refused(value: pd.Series, words: str) -> None:
    with pytest.raises(DataError, match=words):
        inputs_of("weights", value)


def test_repeated_labels_are_taken_in_the_same_order_only() -> None:
    twice = TABLE.set_axis(np.repeat(np.arange(N // 2), 2))
    same = inputs_of("weights", twice["w"], twice)["weights"]
    np.testing.assert_array_equal(same, TABLE["w"])
    with pytest.raises(DataError, match="repeated"):
        inputs_of("weights", twice["w"].iloc[::-1], twice)


def test_dropped_rows_keep_their_weights() -> None:
    data = TABLE.assign(x=TABLE["x"].where(np.arange(N) % 7 > 0))
    with pytest.warns(bl.errors.DataWarning, match="were dropped"):
        given = inputs_of("weights", TABLE["w"].iloc[ORDER], data)["weights"]
    np.testing.assert_array_equal(given, TABLE["w"][data["x"].notna()])


def test_new_rows_align_their_extras_too() -> None:
    fit = bl.Model("y ~ x + (1 | g)", TABLE, offset="w").fit("reml")
    new = TABLE.head(6).drop(columns="w")
    offset = TABLE["w"].head(6)
    right = fit.predict(new, extras={"offset": offset})
    pd.testing.assert_frame_equal(fit.predict(new, extras={"offset": offset[::-1]}), right)


def test_series_of_a_dict_are_matched_by_their_labels() -> None:
    columns = {name: TABLE[name] for name in ("y", "x", "g")}
    right = bl.Model("y ~ x + (1 | g)", columns).fit("reml").loglik
    mixed = columns | {"x": TABLE["x"].iloc[ORDER]}
    assert bl.Model("y ~ x + (1 | g)", mixed).fit("reml").loglik == right
    with pytest.raises(DataError, match="column 'y'"):
        bl.Model("y ~ x", {"y": TABLE["y"], "x": TABLE["x"].reset_index(drop=True)})


def test_a_residual_matrix_is_put_in_the_order_of_the_rows() -> None:
    root = RNG.normal(size=(N, N))
    matrix = pd.DataFrame(root @ root.T / N + np.eye(N), index=TABLE.index, columns=TABLE.index)
    right = bl.Model("y ~ x + (1 | g)", TABLE, residual=matrix.to_numpy()).fit("reml").loglik
    shuffled = matrix.iloc[ORDER, ORDER[::-1]]
    got = bl.Model("y ~ x + (1 | g)", TABLE, residual=shuffled).fit("reml").loglik
    assert got == pytest.approx(right, abs=1e-9)
    with pytest.raises(DataError, match="labels of the rows"):
        bl.Model("y ~ x", TABLE, residual=matrix.reset_index(drop=True))

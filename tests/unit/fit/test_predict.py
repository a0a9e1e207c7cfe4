"""Predictions against X beta + Z u and the population's variance of a new level."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning, ColumnError, DataError, DataWarning, LevelError

ByName = Callable[[str], bl.Fit]
FRESH = pd.DataFrame(
    {"x": [2.0, 0.5], "sex": ["Male", "Female"], "g": [999, 998], "batch": ["A", "A"]}
)


def by_hand(fit: bl.Fit, data: pd.DataFrame, groups: tuple[str, ...]) -> np.ndarray:
    """X beta + Z u from the tables and the data alone."""
    beta = fit.fixef()["estimate"]
    total = beta["Intercept"] + beta["x"] * data["x"] + beta["sex[Male]"] * (data["sex"] == "Male")
    for group in groups:
        table = fit.ranef().query("group == @group").set_index(["level", "coef"])["estimate"]
        for coef in table.index.unique("coef"):
            covariate = data["x"] if coef == "x" else 1.0
            total = total + table.xs(coef, level="coef").loc[data[group]].to_numpy() * covariate
    return total.to_numpy()


@pytest.mark.parametrize(
    ("effects", "groups"),
    [("all", ("g", "batch")), ("none", ()), (["g"], ("g",)), ("batch", ("batch",))],
)
def test_training_rows_are_x_beta_plus_z_u(
    effects: str | list[str], groups: tuple[str, ...], fit: bl.Fit, data: pd.DataFrame
) -> None:
    if fit.method == "conjugate":  # its predictions are means of draws, its tables exact
        tolerance = 5 * fit.predict(effects=effects)["std_error"].max() / np.sqrt(800)
    else:
        tolerance = 1e-8
    found = fit.predict(effects=effects)
    assert list(found.index) == list(data.index)
    np.testing.assert_allclose(found["estimate"], by_hand(fit, data, groups), atol=tolerance)


def test_the_datas_own_rows_as_new_rows(fit: bl.Fit, data: pd.DataFrame) -> None:
    """With another order and without the response."""
    some = data.iloc[[30, 2, 77]].drop(columns="y")
    found, own = fit.predict(some), fit.predict().loc[some.index]
    np.testing.assert_allclose(found, own, rtol=1e-9)


def test_a_new_level_is_refused_by_name(fit: bl.Fit) -> None:
    with pytest.raises(LevelError, match="999"):
        fit.predict(FRESH)


def test_a_new_level_at_zero_is_the_population_line(fit: bl.Fit) -> None:
    zero = fit.predict(FRESH, new_levels="zero", effects=["g"])
    none = fit.predict(FRESH, effects="none")
    np.testing.assert_allclose(zero, none, rtol=1e-10)


def population_covariance(fit: bl.Fit) -> np.ndarray:
    table = fit.varcorr().query("group == 'g'")["estimate"].to_numpy()
    sd, cor = table[:2], table[2]
    return np.outer(sd, sd) * np.array([[1, cor], [cor, 1]])


@pytest.mark.parametrize("name", ["ml", "reml", "known"])
def test_a_fresh_level_adds_the_populations_variance(name: str, by_name: ByName) -> None:
    """Var(x'beta) + z'G z, and the estimate of the population line."""
    fit = by_name(name)
    drawn = fit.predict(FRESH, new_levels="draw", effects=["g"])
    none = fit.predict(FRESH, effects="none")
    z = np.column_stack([np.ones(2), FRESH["x"]])
    added = np.einsum("ri,ij,rj->r", z, population_covariance(fit), z)
    np.testing.assert_allclose(drawn["estimate"], none["estimate"])
    np.testing.assert_allclose(drawn["std_error"] ** 2, none["std_error"] ** 2 + added, rtol=1e-9)


def test_a_fresh_level_of_draws(by_name: ByName) -> None:
    """Mean of the population line; variance more by E[z'G z]; 5 Monte Carlo errors."""
    fit = by_name("exact")
    posterior = fit.tree["posterior"].dataset
    sd, cor = posterior["sd_g"].values.reshape(-1, 2), posterior["cor_g"].values.ravel()
    drawn = fit.predict(FRESH, new_levels="draw", effects=["g"], seed=4)
    none = fit.predict(FRESH, effects="none")
    x = FRESH["x"].to_numpy()
    added = sd[:, :1] ** 2 + 2 * x * (cor * sd[:, 0] * sd[:, 1])[:, None] + x**2 * sd[:, 1:] ** 2
    variance = none["std_error"].to_numpy() ** 2 + added.mean(axis=0)
    size = len(sd)
    shift = (drawn["estimate"] - none["estimate"]).to_numpy()
    assert np.all(np.abs(shift) < 5 * np.sqrt(added.mean(axis=0) / size))
    ratio = drawn["std_error"].to_numpy() ** 2 / variance
    kurtosis = 3 * (added**2).mean(axis=0) / added.mean(axis=0) ** 2
    assert np.all(np.abs(ratio - 1) < 5 * np.sqrt((kurtosis - 1) / size))


@pytest.mark.parametrize("name", ["ml", "reml", "known"])
def test_new_observations_add_the_residual_variance(name: str, by_name: ByName) -> None:
    fit, data = by_name(name), by_name(name).resolved.design
    mean, response = fit.predict(), fit.predict(kind="response")
    residual = data.extras["known_sd"] if name == "known" else np.full(90, fit.sigma)
    np.testing.assert_allclose(mean["estimate"], response["estimate"])
    added = response["std_error"] ** 2 - mean["std_error"] ** 2
    np.testing.assert_allclose(added, residual**2, rtol=1e-8)


def test_new_observations_of_draws_cover_the_data(by_name: ByName) -> None:
    """95 % intervals of new observations hold nearly all of the rows they were fitted to."""
    fit = by_name("exact")
    table, y = fit.predict(kind="response", seed=5), fit.resolved.design.y
    inside = np.mean((table["lower"] < y) & (y < table["upper"]))
    assert 0.9 < inside <= 1.0


def test_the_same_seed_gives_the_same_prediction(by_name: ByName) -> None:
    one, two, three = (by_name("exact").predict(kind="response", seed=s) for s in (6, 6, 7))
    pd.testing.assert_frame_equal(one, two)
    assert not np.allclose(one["estimate"], three["estimate"])


@pytest.mark.parametrize("extra", ["weights", "known_sd"])
def test_new_rows_with_their_own_weights(extra: str, data: pd.DataFrame, tmp_path: Path) -> None:
    """A named column is looked up in the new rows, after loading too."""
    fit = bl.Model("y ~ x + (1 | g)", data, **{extra: "s"}).fit("reml")
    fit.save(tmp_path / "fit.nc")
    rows = data.iloc[[4, 9]].assign(s=[0.25, 4.0])
    scale = rows["s"] if extra == "known_sd" else fit.sigma / np.sqrt(rows["s"])
    for each in (fit, bl.load_fit(tmp_path / "fit.nc")):
        spread = [each.predict(rows, kind=kind)["std_error"] for kind in ("response", "mean")]
        np.testing.assert_allclose(spread[0] ** 2 - spread[1] ** 2, scale**2, rtol=1e-8)


def test_offsets_and_weights_of_the_rows_count(data: pd.DataFrame) -> None:
    """The prediction holds the offset; a row's new observation has sigma²/w."""
    offset, weights = np.linspace(-3, 3, 90), np.linspace(0.5, 2, 90)
    fit = bl.Model("y ~ x + (1 | g)", data, offset=offset, weights=weights).fit("reml")
    table = fit.predict()
    beta, u = fit.fixef()["estimate"], fit.ranef().set_index("level")["estimate"]
    expected = beta["Intercept"] + beta["x"] * data["x"] + u.loc[data["g"]].to_numpy() + offset
    np.testing.assert_allclose(table["estimate"], expected)
    added = fit.predict(kind="response")["std_error"] ** 2 - table["std_error"] ** 2
    np.testing.assert_allclose(added, fit.sigma**2 / weights, rtol=1e-8)


def test_only_the_chosen_factors_are_asked_for(fit: bl.Fit, data: pd.DataFrame) -> None:
    """Rows without the others' columns, or with levels of them that were not seen."""
    some = data.iloc[[5, 40]]
    none = fit.predict(some[["x", "sex"]], effects="none")
    np.testing.assert_allclose(none, fit.predict(effects="none").loc[some.index], rtol=1e-9)
    for group, other in (("g", "batch"), ("batch", "g")):
        own = fit.predict(effects=[group]).loc[some.index]
        for rows in (some.drop(columns=other), some.assign(**{other: "new"})):
            np.testing.assert_allclose(fit.predict(rows, effects=[group]), own, rtol=1e-9)


@pytest.mark.parametrize("named", [True, False])
def test_new_observations_need_their_weights(named: bool, data: pd.DataFrame) -> None:
    """Weight 1 is never assumed; the mean needs none."""
    weights = np.linspace(0.5, 2, 90)
    own = data.assign(w=weights)
    fit = bl.Model("y ~ x + (1 | g)", own, weights="w" if named else weights).fit("reml")
    rows = data.iloc[[4, 9]]
    error, words = (ColumnError, "column 'w'") if named else (DataError, "an array")
    with pytest.raises(error, match=f"weights.*{words}.*extras="):
        fit.predict(rows, kind="response")
    mean = fit.predict(rows)["std_error"]
    for extras in ({"weights": [0.25, 4.0]}, {"weights": "v"}):
        given = fit.predict(rows.assign(v=[0.25, 4.0]), kind="response", extras=extras)
        added = given["std_error"] ** 2 - mean**2
        np.testing.assert_allclose(added, fit.sigma**2 / np.array([0.25, 4.0]), rtol=1e-8)


def test_offsets_of_new_rows(data: pd.DataFrame) -> None:
    """By name, by extras; without either an error names the column, or a warning says zero."""
    own, rows = data.assign(off=np.linspace(-3, 3, 90)), data.iloc[[4, 9]]
    named = bl.Model("y ~ x + (1 | g)", own, offset="off").fit("reml")
    array = bl.Model("y ~ x + (1 | g)", own, offset=own["off"].to_numpy()).fit("reml")
    with pytest.raises(ColumnError, match="new rows have no column 'off'"):
        named.predict(rows)
    with pytest.warns(DataWarning, match="zero is used.*extras=") as said:
        zero = array.predict(rows)
    assert said[0].filename == __file__
    expected = zero["estimate"] + [1.0, 2.0]
    for fit in (named, array):
        found = fit.predict(rows, extras={"offset": [1.0, 2.0]})
        np.testing.assert_allclose(found["estimate"], expected)
    found = named.predict(rows.assign(off=[1.0, 2.0]))
    np.testing.assert_allclose(found["estimate"], expected)


def test_known_sds_of_new_rows_as_an_array(data: pd.DataFrame) -> None:
    fit = bl.Model("y ~ x + (1 | g)", data, known_sd=np.full(90, 0.7)).fit("ml")
    rows = data.iloc[[4, 9]]
    with pytest.raises(DataError, match=r"known_sd.*an array.*extras="):
        fit.predict(rows, kind="response")
    found = fit.predict(rows, kind="response", extras={"known_sd": [1.0, 2.0]})
    added = found["std_error"] ** 2 - fit.predict(rows)["std_error"] ** 2
    np.testing.assert_allclose(added, [1.0, 4.0], rtol=1e-8)


def test_a_level_read_as_another_type(data: pd.DataFrame) -> None:
    fit = bl.Model("y ~ x + (1 | g)", data.assign(g=data["g"].astype(str))).fit("reml")
    number = data.iloc[[4, 9]].drop(columns="y")
    np.testing.assert_allclose(fit.predict(number), fit.predict().loc[number.index], rtol=1e-9)


def test_warnings_of_a_model_point_at_the_users_line(data: pd.DataFrame) -> None:
    with pytest.warns(BayeslmmWarning) as said:
        bl.Model("y ~ x + twice + (1 | g)", data.assign(twice=2 * data["x"]))
    with pytest.warns(BayeslmmWarning, match="1 of 90 rows") as more:
        bl.Model("y ~ x + (1 | g)", data.assign(x=data["x"].mask(data.index == data.index[3])))
    assert {warning.filename for warning in [*said, *more]} == {__file__}

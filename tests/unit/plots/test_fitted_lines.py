"""Lines of levels with several factors and covariates: once along x, through the level's data."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning
from tests.unit.multilevel import oats, radon


def fitted(formula: str, data: pd.DataFrame) -> tuple[bl.Model, bl.Fit]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        model = bl.Model(formula, data)
        return model, model.fit("reml")


def drawn(model: bl.Model, fit: bl.Fit, **choice: Any) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        return list(np.ravel(bl.plot_fitted(model, {"BLUP": fit}, **choice)))


def lines(ax: Any) -> dict[str, Any]:
    return {line.get_label(): np.array(line.get_xydata()) for line in ax.get_lines()}


def note(axes: list[Any]) -> str:
    return str(axes[0].figure.legends[0].get_title().get_text())


VARIETIES = "yield ~ nitro + Variety + (nitro | Block) + (1 | Block:Variety)"


def test_other_covariates_are_averaged_over() -> None:
    """One value at each amount of nitrogen: the mean of the three varieties' predictions."""
    model, fit = fitted(VARIETIES, oats())
    axes = drawn(model, fit, group="Block")
    assert note(axes) == "averaged over Variety"
    data = oats().assign(
        BLUP=fit.predict(effects=["Block"])["estimate"],
        population=fit.predict(effects="none")["estimate"],
    )
    for ax in axes:
        own = data[data["Block"] == ax.get_title()]
        wanted = own.groupby("nitro")[["BLUP", "population"]].mean()
        for label in ("BLUP", "population"):
            np.testing.assert_array_equal(lines(ax)[label][:, 0], [0.0, 0.2, 0.4, 0.6])
            np.testing.assert_allclose(lines(ax)[label][:, 1], wanted[label])


def test_what_was_observed_where_does_not_bend_a_line() -> None:
    """With some plots gone the mixture of varieties differs along x, and the line is straight."""
    data = oats().drop(index=[0, 5, 10, 11, 30, 40, 41])
    model, fit = fitted(VARIETIES, data)
    for ax in drawn(model, fit, group="Block"):
        for label in ("no pooling", "BLUP", "population"):
            x, y = lines(ax)[label].T
            np.testing.assert_allclose(np.diff(y) / np.diff(x), (y[-1] - y[0]) / 0.6, rtol=1e-8)


@pytest.mark.parametrize("name", ["Block:Variety", "Block"])
def test_no_pooling_goes_through_the_data_of_its_level(name: str) -> None:
    """The mean of the level's residuals about its unshrunk line is zero: a nested level's line
    has its block's effects in it, those that go with the level's own."""
    model, fit = fitted("yield ~ nitro + (1 | Block/Variety)", oats())
    axes = drawn(model, fit, group=name)
    assert note(axes) == ("with the effects of Block" if ":" in name else "")
    blups = fit.predict(effects="all")["estimate"].to_numpy()
    plots = oats()["Block"] + ":" + oats()["Variety"]
    for ax in axes:
        of = plots if ":" in name else oats()["Block"]
        rows = (of == ax.get_title()).to_numpy()
        shown = lines(ax)
        height = np.interp(shown["data"][:, 0], *shown["no pooling"].T)
        assert np.mean(shown["data"][:, 1] - height) == pytest.approx(0.0, abs=1e-8)
        if ":" in name:
            np.testing.assert_allclose(shown["BLUP"][:, 1], blups[rows], rtol=1e-10)


def test_a_singular_factor_beside_its_outer_one() -> None:
    """Without variance between plots, the unshrunk line goes through the plot's data all the
    same, and the population's is the block's."""
    model = bl.Model("yield ~ nitro + (nitro | Block) + (1 | Block:Variety)", oats())
    given = {"sigma": 13.0, "sd_Block": [14.0, 9.0], "cor_Block": [0.2], "sd_Block:Variety": [0.0]}
    fit = model.fit("conjugate", variances=given, kappa=0.0, seed=1, draws=2, chains=1)
    for ax in drawn(model, fit, group="Block:Variety"):
        shown = lines(ax)
        height = np.interp(shown["data"][:, 0], *shown["no pooling"].T)
        assert np.mean(shown["data"][:, 1] - height) == pytest.approx(0.0, abs=1e-8)
        np.testing.assert_allclose(shown["BLUP"], shown["population"])


def test_columns_that_x_determines_move_with_it() -> None:
    data = oats().assign(half=lambda d: (d["nitro"] > 0.3).astype(int))
    model, fit = fitted("yield ~ nitro + half + (1 | Block)", data)
    axes = drawn(model, fit, x="nitro")
    assert note(axes) == ""
    predicted = fit.predict()["estimate"].to_numpy()
    for ax in axes:
        rows = data["Block"] == ax.get_title()
        own = pd.Series(predicted[rows]).groupby(data.loc[rows, "nitro"].to_numpy()).mean()
        np.testing.assert_allclose(lines(ax)["BLUP"][:, 1], own)


def test_ellipses_are_drawn_once_and_missing_estimates_are_counted() -> None:
    """85 counties have 85 populations, by their uranium."""
    model, fit = fitted("log_radon ~ floor * uranium + (floor | county)", radon())
    ax: Any = bl.plot_shrinkage(model, fit, ellipses=True)
    rings = [line for line in ax.get_lines() if len(line.get_xdata()) == 181]
    assert len(rings) == 2
    table = bl.shrinkage(model, fit)
    population = table["population"].to_numpy().reshape(-1, 2)
    assert len(np.unique(population.round(9), axis=0)) == 85
    for ring in rings:
        middle = ring.get_xydata()[:-1].mean(axis=0)
        np.testing.assert_allclose(middle, population.mean(axis=0), rtol=1e-8)
    gone = table[table["no_pooling"].isna()]["level"].nunique()
    title = ax.get_legend().get_title().get_text()
    assert gone > 5 and title == f"no-pooling estimates do not exist for {gone} levels of county"
    assert "about their population" in ax.get_legend().get_texts()[2].get_text()

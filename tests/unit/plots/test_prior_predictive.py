"""The prior's data sets beside the observed one, on an axis that can be read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl


def lines(ax: Any) -> dict[str, Any]:
    return {line.get_label(): line for line in ax.get_lines()}


def test_curves_are_the_trees_distribution_functions(sleepstudy: bl.Model) -> None:
    tree = sleepstudy.prior_predictive(30, seed=1)
    figure: Any = bl.plot_prior_predictive(tree).figure
    ax: Any = figure.axes[0]
    assert figure.get_figwidth() == 6.5
    figure.canvas.draw()
    low, high = ax.get_xlim()
    drawn = tree["prior_predictive"]["Reaction"].values[0]
    curves = [line for line in ax.get_lines() if len(line.get_xdata()) > 0]
    assert len(curves) == 31
    for line, y in zip(curves[:30], drawn, strict=True):
        at, share = line.get_data()
        np.testing.assert_allclose(share, [np.mean(y <= x) for x in at])
    observed = np.sort(bl.load_dataset("sleepstudy")["Reaction"])
    at, share = lines(ax)["observed"].get_data()
    np.testing.assert_allclose(at[1:-1], observed)
    np.testing.assert_allclose(share[1:-1], np.arange(1, 181) / 180)
    outside = 100 * np.mean((drawn < low) | (drawn > high))
    assert (
        ax.get_title()
        == f"{outside:.2g} % of the responses drawn from the prior are outside this axis"
    )
    assert ax.get_xlabel() == "Reaction"


def test_heavy_tails_leave_the_observed_data_readable() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.poisson(3, 60), "x": np.linspace(-1, 1, 60)})
    model = bl.Model("y ~ x", data, family="poisson", priors={"beta": "normal(0, 100)"})
    ax: Any = bl.plot_prior_predictive(model.prior_predictive(100, seed=1))
    low, high = ax.get_xlim()
    most, least = data["y"].max(), data["y"].min()
    assert high - low < 11 * (most - least)
    assert low < least < most < high
    assert float(ax.get_title().split()[0]) > 20


def test_categories_have_their_names() -> None:
    data = pd.DataFrame({"y": list("abc") * 8, "x": np.linspace(-1, 1, 24)})
    model = bl.Model("y ~ x", data, family="categorical")
    ax: Any = bl.plot_prior_predictive(model.prior_predictive(20, seed=1))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["a", "b", "c"]


def test_refusals(reml: bl.Fit) -> None:
    with pytest.raises(bl.errors.FitError, match="prior_predictive"):
        bl.plot_prior_predictive(reml.tree)

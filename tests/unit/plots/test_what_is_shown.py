"""Nothing is left out of a picture unsaid, and nothing in it is hidden."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot as plt

import bayeslmm as bl


def fitted(name: str) -> tuple[bl.Model, bl.Fit]:
    model = bl.load_model(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.SingularWarning)
        return model, model.fit("reml")


def lines(ax: Any) -> dict[str, Any]:
    return {line.get_label(): line for line in ax.get_lines()}


def figure_of(drawn: Any) -> Any:
    """The figure of what a plot returned."""
    return np.ravel(drawn)[0].figure


def note(drawn: Any) -> str:
    """What stands over the legend."""
    legend = (figure_of(drawn).legends or [np.ravel(drawn)[0].get_legend()])[0]
    return str(legend.get_title().get_text())


def test_every_factor_has_its_strip_and_its_caterpillar() -> None:
    model, fit = fitted("pastes")
    table, effects = bl.shrinkage(model, {"BLUP": fit}), fit.ranef()
    strips: Any = bl.plot_shrinkage(model, {"BLUP": fit})
    caterpillars: Any = bl.plot_ranef(fit)
    for axes in (strips, caterpillars):
        assert [ax.get_ylabel() for ax in axes] == ["batch", "batch:cask"]
        assert axes[0].get_xlim() == axes[1].get_xlim()
    assert (note(strips), figure_of(caterpillars).get_suptitle()) == ("", "")
    for strip, caterpillar in zip(strips, caterpillars, strict=True):
        group = strip.get_ylabel()
        order = [text.get_text() for text in strip.get_yticklabels()]
        own = table[table["group"] == group].set_index("level").loc[order]
        np.testing.assert_array_equal(lines(strip)["BLUP"].get_xdata(), own["BLUP"])
        order = [text.get_text() for text in caterpillar.get_yticklabels()]
        values = effects[effects["group"] == group].set_index("level").loc[order, "estimate"]
        np.testing.assert_array_equal(caterpillar.get_lines()[1].get_xdata(), values)


def test_every_coefficient_has_its_strip() -> None:
    """A row is one level in all of them."""
    model, fit = fitted("machines")
    axes: Any = bl.plot_shrinkage(model, {"BLUP": fit})
    table = bl.shrinkage(model, {"BLUP": fit})
    coefs = ["Intercept", "Machine[B]", "Machine[C]"]
    assert [ax.get_xlabel() for ax in axes] == coefs
    assert note(axes) == ""
    order = [text.get_text() for text in axes[0].get_yticklabels()]
    for ax in axes:
        rows = table[table["coef"] == ax.get_xlabel()].set_index("level").loc[order]
        for label, column in [("no pooling", "no_pooling"), ("BLUP", "BLUP")]:
            np.testing.assert_array_equal(lines(ax)[label].get_xdata(), rows[column])


def test_what_is_left_out_is_said() -> None:
    pastes, fit = fitted("pastes")
    assert note(bl.plot_fitted(pastes, fit)) == "batch (of batch, batch:cask)"
    assert note(bl.plot_fitted(pastes, fit, group="batch")) == ""
    user: Any = plt.subplots()[1]
    assert note(bl.plot_shrinkage(pastes, fit, ax=user)) == "batch (of batch, batch:cask)"
    assert (
        figure_of(bl.plot_ranef(fit, coefs="Intercept")).get_suptitle()
        == "batch (of batch, batch:cask)"
    )
    machines, fit = fitted("machines")
    said = "Intercept, Machine[B] (of Intercept, Machine[B], Machine[C])"
    assert note(bl.plot_shrinkage(machines, fit, ellipses=True)) == said
    assert note(bl.plot_shrinkage(machines, fit, coefs=["Intercept", "Machine[B]"])) == ""


def test_factors_with_slopes_are_not_mixed_with_others() -> None:
    data = bl.load_dataset("sleepstudy").assign(week=lambda d: d["Days"] // 4)
    model = bl.Model("Reaction ~ Days + (Days | Subject) + (1 | week)", data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        fit = model.fit("reml")
    plane = bl.plot_shrinkage(model, fit)
    assert note(plane) == "Subject (of Subject, week)"
    caterpillars: Any = bl.plot_ranef(fit)
    assert [ax.get_title() for ax in caterpillars] == ["Intercept", "Days", "Intercept"]
    assert [ax.get_ylabel() for ax in caterpillars] == ["Subject", "", "week"]


def test_levels_of_one_row_share_a_panel() -> None:
    model, fit = fitted("eight_schools")
    ax: Any = bl.plot_fitted(model, {"BLUP": fit})
    assert ax.figure.axes == [ax]
    assert [text.get_text() for text in ax.get_xticklabels()] == list("ABCDEFGH")
    shown, y = lines(ax), bl.load_dataset("eight_schools")["y"]
    np.testing.assert_array_equal(shown["data"].get_ydata(), y)
    np.testing.assert_allclose(shown["no pooling"].get_ydata(), y)
    np.testing.assert_allclose(shown["BLUP"].get_ydata(), fit.predict()["estimate"])
    np.testing.assert_allclose(shown["population"].get_ydata(), fit.fixef()["estimate"].iloc[0])
    with pytest.warns(bl.errors.BayeslmmWarning, match="3 of them"):
        few: Any = bl.plot_fitted(model, fit, max_levels=3)
    assert [text.get_text() for text in few.get_xticklabels()] == ["A", "E", "H"]


def test_levels_of_one_row_along_a_covariate() -> None:
    data = bl.load_dataset("eight_schools").assign(size=[3, 1, 4, 1, 5, 9, 2, 6])
    model = bl.Model("y ~ size + (1 | school)", data, known_sd="sigma")
    fit = model.fit("conjugate", variances={"sd_school": [5.0]}, seed=1, draws=2, chains=1)
    ax: Any = bl.plot_fitted(model, {"closed form": fit}, x="size")
    assert ax.get_xlabel() == "size"
    np.testing.assert_array_equal(lines(ax)["data"].get_xydata(), data[["size", "y"]])
    intercept, slope = fit.fixef()["estimate"]
    population = intercept + slope * data["size"]
    np.testing.assert_allclose(lines(ax)["population"].get_ydata(), population)


def test_no_pooling_is_seen_over_the_fits(sleepstudy: bl.Model, reml: bl.Fit) -> None:
    first: Any = bl.plot_fitted(sleepstudy, {"BLUP": reml})
    shown = lines(first[0])
    assert shown["no pooling"].get_zorder() > shown["BLUP"].get_zorder()


def test_arrows_don_t_lie_on_each_other(sleepstudy: bl.Model, reml: bl.Fit, exact: bl.Fit) -> None:
    def arrows(fits: dict[str, bl.Fit]) -> int:
        texts: Any = bl.plot_shrinkage(sleepstudy, fits).texts
        return sum(text.arrow_patch is not None for text in texts)

    one = arrows({"BLUP": reml})
    assert arrows({"BLUP": reml, "exact": exact}) == one
    given = {"sigma": 25.0, "sd_Subject": [1.0, 0.2], "cor_Subject": [0.0]}
    other = sleepstudy.fit("conjugate", variances=given, kappa=0.0, seed=1, draws=2, chains=1)
    assert arrows({"BLUP": reml, "pooled": other}) > one + 9


def test_names_cover_no_marker(sleepstudy: bl.Model, reml: bl.Fit, exact: bl.Fit) -> None:
    ax: Any = bl.plot_shrinkage(sleepstudy, {"BLUP": reml, "exact": exact})
    ax.figure.canvas.draw()
    points = np.concatenate([line.get_xydata() for line in ax.get_lines()])
    pixels = ax.transData.transform(points)
    names = [text for text in ax.texts if text.get_text()]
    assert len(names) == 18
    boxes = [text.get_bbox_patch() or text.get_window_extent() for text in names]
    assert not [b for b in boxes if any(b.contains(*pixel) for pixel in pixels)]
    assert not [b for b in boxes if b.count_overlaps([c for c in boxes if c is not b])]

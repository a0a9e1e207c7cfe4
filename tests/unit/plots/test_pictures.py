"""What the pictures show is what the tables say."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

import bayeslmm as bl

BlWarning = bl.errors.BayeslmmWarning


def lines(ax: Any) -> dict[str, Any]:
    """The lines and markers of an axes by their labels."""
    return {line.get_label(): line for line in ax.get_lines()}


def panels(drawn: Any) -> list[Any]:
    """The axes that a plot returned."""
    return list(np.ravel(drawn))


def figure_of(drawn: Any) -> Any:
    return panels(drawn)[0].figure


GAUSSIAN = [n for n in bl.list_models() if n not in ("cbpp", "epil", "grouseticks")]


QUICK = ("sleepstudy",)
DRAWN = [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in GAUSSIAN]


@pytest.mark.parametrize("name", DRAWN)
def test_every_gallery_model_can_be_drawn(name: str) -> None:
    """All factors, all three pictures, drawn to the end, without a word from matplotlib."""
    model = bl.load_model(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.SingularWarning)
        fit = model.fit("reml")
    for group in (None, *[block.group for block in model.resolved.design.blocks]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BlWarning)
            pictures = [
                bl.plot_shrinkage(model, {"BLUP": fit}, group=group),
                bl.plot_ranef(fit, group=group),
                bl.plot_fitted(model, {"BLUP": fit}, group=group),
            ]
        for picture in pictures:
            figure = figure_of(picture)
            assert all(isinstance(ax, Axes) for ax in panels(picture))
            assert panels(picture) == figure.axes
            assert figure.get_figwidth() == 6.5
            figure.canvas.draw()


def test_plane_shows_the_table_of_shrinkage(
    sleepstudy: bl.Model, reml: bl.Fit, exact: bl.Fit
) -> None:
    fits = {"BLUP": reml, "exact": exact}
    ax: Any = bl.plot_shrinkage(sleepstudy, fits)
    table, shown = bl.shrinkage(sleepstudy, fits), lines(ax)
    for label, column in [("no pooling", "no_pooling"), ("BLUP", "BLUP"), ("exact", "exact")]:
        np.testing.assert_array_equal(
            shown[label].get_xydata(), table[column].to_numpy().reshape(-1, 2)
        )
    np.testing.assert_allclose(shown["population"].get_xydata(), [reml.fixef()["estimate"]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "Each Subject's intercept",
        "Each Subject's coefficient of Days",
    )
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["no pooling", "BLUP", "exact", "population"]


def test_arrows_lead_from_no_pooling_to_the_fit(sleepstudy: bl.Model, reml: bl.Fit) -> None:
    ax: Any = bl.plot_shrinkage(sleepstudy, {"BLUP": reml})
    table = bl.shrinkage(sleepstudy, {"BLUP": reml})
    moves = {
        tuple(a): tuple(b)
        for a, b in zip(
            table["no_pooling"].to_numpy().reshape(-1, 2),
            table["BLUP"].to_numpy().reshape(-1, 2),
            strict=True,
        )
    }
    arrows = [t for t in ax.texts if t.arrow_patch is not None]
    assert len(arrows) >= 14
    assert all(moves[tuple(arrow.xyann)] == tuple(arrow.xy) for arrow in arrows)


def test_ellipse_holds_its_share_of_the_population(sleepstudy: bl.Model, reml: bl.Fit) -> None:
    """Mahalanobis distance of every point of the outer ring: chi² on 2 df at 95 %."""
    ax: Any = bl.plot_shrinkage(sleepstudy, reml, ellipses=True)
    rings = [line for line in ax.get_lines() if len(line.get_xdata()) > 100]
    s1, s2, rho = reml.varcorr()["estimate"].to_numpy()[:3]
    omega = np.array([[s1**2, rho * s1 * s2], [rho * s1 * s2, s2**2]])
    from_centre = np.array(rings[1].get_xydata()) - reml.fixef()["estimate"].to_numpy()
    distance = np.einsum("na,ab,nb->n", from_centre, np.linalg.inv(omega), from_centre)
    np.testing.assert_allclose(distance, 5.991, rtol=1e-3)


def test_strip_is_sorted_and_marks_the_population() -> None:
    model = bl.load_model("dyestuff")
    fit = model.fit("reml")
    ax = bl.plot_shrinkage(model, {"BLUP": fit})
    shown = lines(ax)
    alone = shown["no pooling"].get_xdata()
    assert np.all(np.diff(alone) >= 0)
    order = [text.get_text() for text in ax.get_yticklabels()]
    table = bl.shrinkage(model, {"BLUP": fit}).set_index("level").loc[order]
    np.testing.assert_array_equal(alone, table["no_pooling"])
    np.testing.assert_array_equal(shown["BLUP"].get_xdata(), table["BLUP"])
    np.testing.assert_allclose(shown["population"].get_xdata(), fit.fixef()["estimate"].iloc[0])


def test_users_axes_are_used(sleepstudy: bl.Model, reml: bl.Fit) -> None:
    figure, axes = plt.subplots(1, 2)
    assert bl.plot_shrinkage(sleepstudy, reml, coefs="Days", ax=axes[1]) is axes[1]
    assert not axes[0].lines
    assert axes[1].get_xlabel() == "Days"
    both = bl.plot_ranef(reml, ax=axes)
    assert list(both) == list(axes)
    assert [ax.get_title() for ax in axes] == ["Intercept", "Days"]
    left, right = plt.figure().subfigures(1, 2)
    made: Any = bl.plot_fitted(sleepstudy, reml, ax=right, max_levels=18)
    assert list(made) == right.axes and len(made) == 18
    assert bl.plot_shrinkage(sleepstudy, reml, ax=left).figure is left
    assert len(plt.get_fignums()) == 2
    sized: Any = bl.plot_ranef(reml, figsize=(9, 4))
    assert tuple(sized[0].figure.get_size_inches()) == (9, 4)
    figure.canvas.draw()


@pytest.mark.parametrize("level", [0.95, 0.5])
def test_caterpillar_is_sorted_with_its_intervals(reml: bl.Fit, level: float) -> None:
    drawn = bl.plot_ranef(reml, level=level)
    axes = panels(drawn)
    assert f"{100 * level:g} % interval" in figure_of(drawn).get_supxlabel()
    table = reml.ranef(level=level)
    assert [ax.get_title() for ax in axes] == ["Intercept", "Days"]
    order = [text.get_text() for text in axes[0].get_yticklabels()]
    for ax in axes:
        rows = table[table["coef"] == ax.get_title()].set_index("level").loc[order]
        np.testing.assert_array_equal(ax.get_lines()[1].get_xdata(), rows["estimate"])
        segments = np.array(ax.collections[0].get_segments())[:, :, 0]
        np.testing.assert_array_equal(segments, rows[["lower", "upper"]])
        np.testing.assert_array_equal(ax.get_lines()[0].get_xdata(), [0, 0])
    first = table[table["coef"] == "Intercept"].set_index("level").loc[order, "estimate"]
    assert first.is_monotonic_increasing


def test_lines_are_the_fits_predictions(sleepstudy: bl.Model, reml: bl.Fit) -> None:
    figure = figure_of(bl.plot_fitted(sleepstudy, {"BLUP": reml}))
    data = bl.load_dataset("sleepstudy")
    fitted = reml.predict()["estimate"].to_numpy()
    population = reml.predict(effects="none")["estimate"].to_numpy()
    assert len(figure.axes) == 18
    for ax in figure.axes:
        rows = (data["Subject"].astype(str) == ax.get_title()).to_numpy()
        shown = lines(ax)
        np.testing.assert_array_equal(shown["data"].get_ydata(), data.loc[rows, "Reaction"])
        np.testing.assert_allclose(shown["BLUP"].get_ydata(), fitted[rows])
        np.testing.assert_allclose(shown["population"].get_ydata(), population[rows])
        slope, intercept = np.polyfit(data.loc[rows, "Days"], data.loc[rows, "Reaction"], 1)
        alone = intercept + slope * np.arange(10)
        np.testing.assert_allclose(shown["no pooling"].get_ydata(), alone)
    assert figure.get_supxlabel() == "Days"
    assert figure.get_supylabel() == "Reaction"


def test_panels_run_along_a_factor_or_along_rows() -> None:
    machines, pastes = bl.load_model("machines"), bl.load_model("pastes")
    along = figure_of(bl.plot_fitted(machines, machines.fit("reml")))
    assert [t.get_text() for t in along.axes[-1].get_xticklabels()] == ["A", "B", "C"]
    assert along.get_supxlabel() == "Machine"
    rows = figure_of(bl.plot_fitted(pastes, pastes.fit("reml"), group="batch", ncols=2))
    assert rows.get_supxlabel() == "row within batch"
    assert rows.axes[0].get_gridspec().get_geometry() == (5, 2)
    by_cask = figure_of(bl.plot_fitted(pastes, pastes.fit("reml"), group="batch", x="cask"))
    assert [t.get_text() for t in by_cask.axes[-1].get_xticklabels()] == ["a", "b", "c"]


def test_more_levels_than_can_be_drawn_are_chosen_and_said(wide: tuple[bl.Model, bl.Fit]) -> None:
    model, fit = wide
    with pytest.warns(BlWarning, match="Subject has 360 levels; 40 of them"):
        strip: Any = bl.plot_shrinkage(model, fit, coefs="Days")
    values = bl.shrinkage(model, fit).query("coef == 'Days'")["no_pooling"]
    shown = lines(strip)["no pooling"].get_xdata()
    assert len(shown) == 40
    assert (shown[0], shown[-1]) == (values.min(), values.max())
    assert strip.get_legend().get_title().get_text() == "40 of 360 levels of Subject"
    with pytest.warns(BlWarning, match="150 of them"):
        plane: Any = bl.plot_shrinkage(model, fit)
    assert plane.get_legend().get_title().get_text() == "150 of 360 levels of Subject"
    caterpillars = panels(bl.plot_ranef(fit))  # all of them, without names
    assert figure_of(caterpillars).get_suptitle() == "too many levels of Subject to be labelled"
    assert len(caterpillars[0].get_lines()[1].get_xdata()) == 360
    assert not caterpillars[0].get_yticklabels()
    with pytest.warns(BlWarning, match="5 of them"):
        assert len(panels(bl.plot_fitted(model, fit, max_levels=5))) == 5


def test_a_level_without_an_own_estimate_is_drawn_where_the_fit_puts_it() -> None:
    data = bl.load_dataset("sleepstudy")
    first = data["Subject"] == data["Subject"].iloc[0]
    model = bl.Model("Reaction ~ Days + (Days | Subject)", data[~first | (data["Days"] == 3)])
    fit = model.fit("reml")
    for coefs in (None, "Days"):
        ax = bl.plot_shrinkage(model, {"BLUP": fit}, coefs=coefs)
        assert np.isfinite(lines(ax)["BLUP"].get_xydata()).all()
        figure_of(ax).canvas.draw()
    figure_of(bl.plot_fitted(model, {"BLUP": fit})).canvas.draw()


@pytest.mark.parametrize("room", ["compare", "plots"])
def test_heavy_modules_are_loaded_where_they_are_used(room: str) -> None:
    """No file of these rooms imports matplotlib or ArviZ at its top, but for its types."""
    files = sorted((Path(bl.__path__[0]) / room).glob("*.py"))
    tops = [node for path in files for node in ast.parse(path.read_text()).body]
    names = [n.module or "" for n in tops if isinstance(n, ast.ImportFrom)]
    names += [alias.name for n in tops if isinstance(n, ast.Import) for alias in n.names]
    assert "numpy" in names
    assert not [name for name in names if name.startswith(("matplotlib", "arviz"))]


def test_refusals(sleepstudy: bl.Model, reml: bl.Fit) -> None:
    e = bl.errors
    anything: Any = bl.plot_ranef
    with pytest.raises(e.MethodError, match="Did you mean 'Subject'"):
        bl.plot_ranef(reml, group="Subjects")
    with pytest.raises(e.MethodError, match=r"no coefficient 'days'.*Did you mean 'Days'"):
        bl.plot_shrinkage(sleepstudy, reml, coefs="days")
    with pytest.raises(e.MethodError, match="1 to 2 different ones"):
        bl.plot_shrinkage(sleepstudy, reml, coefs=["Days", "Days"])
    with pytest.raises(e.MethodError, match="needs two coefficients"):
        bl.plot_shrinkage(sleepstudy, reml, coefs="Days", ellipses=True)
    with pytest.raises(e.ColumnError, match="Did you mean 'Days'"):
        bl.plot_fitted(sleepstudy, reml, x="Dayz")
    with pytest.raises(e.MethodError, match="1 or more"):
        bl.plot_fitted(sleepstudy, reml, max_levels=0)
    with pytest.raises(e.FitError, match="must be one fit"):
        anything({"BLUP": reml})
    with pytest.raises(e.FitError, match="dict of fits is empty"):
        bl.plot_fitted(sleepstudy, {})
    for place in (plt.figure, "axes", [1, 2]):
        with pytest.raises(e.MethodError, match="ax= is not a place to draw on"):
            anything(reml, ax=place)
    assert not plt.get_fignums()
    figure, axes = plt.subplots(1, 3)
    with pytest.raises(e.MethodError, match=r"needs 2 Axes.*3 axes.*a figure"):
        bl.plot_ranef(reml, ax=axes)
    with pytest.raises(e.MethodError, match="can't be combined: figsize"):
        bl.plot_ranef(reml, ax=figure, figsize=(3, 3))

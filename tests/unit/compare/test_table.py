"""The table of fits side by side holds their own tables' numbers, and NaN where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayeslmm as bl
from bayeslmm.errors import MethodError


def test_every_parameter_once_with_each_fits_numbers(reml: bl.Fit, exact: bl.Fit) -> None:
    table = bl.compare_fits({"BLUP": reml, "exact": exact})
    assert table.index.to_list() == [
        ("fixed", "", "Intercept"),
        ("fixed", "", "Days"),
        ("sd", "Subject", "Intercept"),
        ("sd", "Subject", "Days"),
        ("sd", "Residual", ""),
        ("cor", "Subject", "Intercept, Days"),
    ]
    for name, fit in (("BLUP", reml), ("exact", exact)):
        for value in ("estimate", "std_error"):
            scales = fit.varcorr().sort_values("kind", ascending=False, kind="stable")
            own = [*fit.fixef()[value], *scales[value]]
            np.testing.assert_array_equal(table[name, value], own)


def test_random_effects_on_demand(reml: bl.Fit, exact: bl.Fit) -> None:
    table = bl.compare_fits({"BLUP": reml, "exact": exact}, effects="all")
    random = table.loc["random"]
    assert len(table) == 6 + 36
    assert random.index.names == ["group", "level", "coef"]
    np.testing.assert_array_equal(random["exact", "std_error"], exact.ranef()["std_error"])


def test_missing_parameters_are_nan(reml: bl.Fit) -> None:
    data = bl.load_dataset("sleepstudy")
    simple = bl.Model("Reaction ~ Days + (1 | Subject)", data).fit("reml")
    table = bl.compare_fits({"simple": simple, "BLUP": reml})
    kinds = table.index.get_level_values("kind").to_list()
    assert kinds == ["fixed"] * 2 + ["sd"] * 3 + ["cor"]
    assert table.index[4] == ("sd", "Residual", "")
    gone = table["simple", "estimate"].isna()
    assert table.index[gone].to_list() == [
        ("sd", "Subject", "Days"),
        ("cor", "Subject", "Intercept, Days"),
    ]
    assert table["BLUP", "estimate"].notna().all()


def test_one_fit_goes_by_its_method(reml: bl.Fit) -> None:
    assert bl.compare_fits(reml).columns.get_level_values("fit").unique().to_list() == ["reml"]


def test_refusals(reml: bl.Fit, dyestuff2: tuple[bl.Model, bl.Fit]) -> None:
    e = bl.errors
    anything: Any = bl.compare_fits
    with pytest.raises(e.FitError, match="dict of fits is empty"):
        bl.compare_fits({})
    with pytest.raises(e.FitError, match=r"'it' is not a fit.*DataTree"):
        bl.compare_fits({"it": reml.tree})
    with pytest.raises(e.DataError, match="name of a fit must be text"):
        anything({1: reml})
    with pytest.raises(e.MethodError, match="fixed, all"):
        bl.compare_fits({"it": reml}, effects="random")
    with pytest.raises(e.ModelError, match=r"different responses.*Reaction.*Yield"):
        bl.compare_fits({"a": reml, "b": dyestuff2[1]})


def test_bounds_at_any_level(reml: bl.Fit, exact: bl.Fit) -> None:
    table = bl.compare_fits({"a": reml, "b": exact}, effects="all", level=0.8)
    assert list(table["a"].columns) == ["estimate", "std_error", "lower", "upper"]
    for name, fit in (("a", reml), ("b", exact)):
        found = table[name][["lower", "upper"]].to_numpy()
        parts = [f[["lower", "upper"]] for f in (fit.fixef(level=0.8), fit.ranef(level=0.8))]
        np.testing.assert_array_equal(found[: len(parts[0])], parts[0])
        np.testing.assert_array_equal(found[-len(parts[1]) :], parts[1])
    with pytest.raises(MethodError, match="probability"):
        bl.compare_fits(reml, level=95)

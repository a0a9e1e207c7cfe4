"""Panels of a calibration show its ranks, beside what uniform ones do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.diagnostics.calibration import Calibration
from bayeslmm.diagnostics.uniform import reference


def axes_of(drawn: Any) -> list[Any]:
    return list(np.ravel(drawn))


def made(columns: int = 4) -> Calibration:
    rng = np.random.default_rng(2)
    ranks = {f"beta[{i}]": rng.integers(0, 100, 200) for i in range(columns - 1)}
    ranks["sigma"] = rng.integers(0, 60, 200)
    return Calibration(pd.DataFrame(ranks), 99, "exact")


def test_distribution_functions_less_the_uniform_one() -> None:
    found = made()
    figure = axes_of(bl.plot_calibration(found))[0].figure
    figure.canvas.draw()
    shown = figure.axes
    assert [ax.get_title().split("\n")[0] for ax in shown] == list(found.ranks)
    low, high = reference(200, 99).band()
    leaves = []
    for ax, name in zip(shown, found.ranks, strict=True):
        share, difference = ax.get_lines()[0].get_data()
        ranks = found.ranks[name].to_numpy()
        expected = np.array([np.mean(ranks < 100 * s - 0.5) for s in share]) - share
        np.testing.assert_allclose(difference, expected, atol=1e-12)
        ecdf = difference + share
        leaves.append(bool(np.any((ecdf < low - 1e-12) | (ecdf > high + 1e-12))))
        assert ax.get_title().endswith(f"p = {found.p_values[name]:.2g}")
    assert leaves == list(found.p_values < 0.05)
    assert leaves[3]
    assert figure.get_suptitle() == "'exact': 200 data sets"


def test_histograms_count_every_data_set() -> None:
    figure = axes_of(bl.plot_calibration(made(), kind="histogram"))[0].figure
    figure.canvas.draw()
    for ax in figure.axes[:4]:
        bars = [patch for patch in ax.patches if patch.get_width() == pytest.approx(0.05)]
        assert len(bars) == 20
        assert sum(bar.get_height() for bar in bars) == 200


def test_many_quantities_are_chosen_and_said() -> None:
    figure = axes_of(bl.plot_calibration(made(30)))[0].figure
    assert len(figure.axes) == 24
    assert figure.axes[0].get_title().startswith("sigma")
    assert figure.get_suptitle().endswith("the 24 quantities with smallest p of 30")


def test_refusals() -> None:
    anything: Any = bl.plot_calibration
    with pytest.raises(bl.errors.MethodError, match=r"result of bl\.calibrate"):
        anything(pd.DataFrame())
    with pytest.raises(bl.errors.MethodError, match="Unknown kind='bars'"):
        bl.plot_calibration(made(), kind="bars")

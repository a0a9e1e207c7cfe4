"""The Model that users hold: what it shows, which methods are available, what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import IdentifiabilityWarning


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return bl.load_dataset("sleepstudy")


def test_text_and_html_show_formula_sizes_levels_priors_and_methods(data: pd.DataFrame) -> None:
    model = bl.Model("Reaction ~ Days + (Days | Subject)", data)
    for shown in (repr(model), model._repr_html_()):
        for words in ("Reaction ~", "180 rows", "18 levels", "308", "lkj(1)", "available: exact"):
            assert words in shown
    for prior in model.priors.values():
        assert prior in repr(model)


def test_a_refusal_is_shown_with_its_reason(data: pd.DataFrame) -> None:
    one_row = data.groupby("Subject", observed=True).head(1)
    with pytest.warns(IdentifiabilityWarning, match="one row per level"):
        model = bl.Model("Reaction ~ 1 + (1 | Subject)", one_row)
    text = repr(model)
    assert "reml, ml, anova: " in text and "one row per level" in text
    assert any("one row per level" in note for note in model.notes)


def test_auto_takes_exact_and_says_so(data: pd.DataFrame) -> None:
    fit = bl.Model("Reaction ~ Days + (1 | Subject)", data).fit(seed=1, draws=20)
    assert fit.method == "exact"
    assert any("'auto'" in note and "'exact'" in note for note in fit.notes)


def test_what_was_said_is_noted_once(data: pd.DataFrame) -> None:
    holed = data.assign(Days=data["Days"].where(data["Days"] != 3))
    with pytest.warns(bl.errors.DataWarning, match="18 of 180 rows"):
        model = bl.Model("Reaction ~ Days + (1 | Subject)", holed)
    fit = model.fit("reml")
    assert [("18 of 180 rows" in note) for note in fit.notes] == [True]
    assert "18 of 180 rows" in str(fit.summary())


def test_formula_prints_what_was_read(data: pd.DataFrame) -> None:
    model = bl.Model("Reaction~Days+(Days|Subject)", data)
    again = bl.Model(model.formula, data)
    assert again.formula == model.formula
    np.testing.assert_array_equal(again.resolved.design.X, model.resolved.design.X)


def test_predictions_of_a_seeded_fit_agree(tmp_path: Path) -> None:
    model = bl.load_model("sleepstudy")
    variances = model.fit("reml")
    fit = model.fit("conjugate", variances=variances, seed=3, draws=50)
    new = pd.DataFrame({"Days": [1.0, 4.0], "Subject": ["308", "new"]})

    def drawn(of: bl.Fit, seed: int | None = None) -> pd.DataFrame:
        return of.predict(new, kind="response", new_levels="draw", seed=seed)

    first = drawn(fit)
    pd.testing.assert_frame_equal(first, drawn(fit))
    fit.save(tmp_path / "fit.nc")
    pd.testing.assert_frame_equal(first, drawn(bl.load_fit(tmp_path / "fit.nc")))
    other = model.fit("conjugate", variances=variances, seed=4, draws=50)
    loose = model.fit("conjugate", variances=variances, draws=50)
    for table in (drawn(fit, seed=1), drawn(fit, seed=3), drawn(other), drawn(loose)):
        assert not np.allclose(first["estimate"], table["estimate"])
    assert not np.allclose(drawn(loose)["estimate"], drawn(loose)["estimate"])


def test_a_summary_has_no_section_without_rows(data: pd.DataFrame) -> None:
    fit = bl.Model("Reaction ~ Days", data, known_sd=np.full(180, 30.0)).fit("reml")
    for shown in (repr(fit), fit._repr_html_()):
        assert "Fixed effects" in shown
        assert "Standard deviations" not in shown and "Empty" not in shown

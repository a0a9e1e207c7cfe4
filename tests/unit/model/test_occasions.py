"""Occasions as numbers, text, names and categories: one model, whatever they are called."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning, DataError, LevelError

DATA = Path(__file__).parents[2] / "reference" / "data" / "visits.csv"
VISITS = pd.read_csv(DATA)
GAP = VISITS[~VISITS["visit"].isin([7, 8, 9])]
MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
]  # fmt: skip
LETTERS = list("abcdefghijkl")
TWELVE = [str(i) for i in range(1, 13)]
REML, ML = -335.3241406955, -334.2265061684  # nlme, visits as numbers

NAMED: dict[str, Callable[[Any], Any]] = {
    "numbers": lambda v: v,
    "text": lambda v: v.astype(str),
    "numbers in text": lambda v: "visit " + v.astype(str),
    "months": lambda v: v.map(lambda i: MONTHS[i - 1]),
    "short months": lambda v: v.map(lambda i: MONTHS[i - 1][:3].upper()),
    "categories of text": lambda v: pd.Categorical(v.astype(str)),
    "categories of numbers": lambda v: pd.Categorical(v),
    "ordered letters": lambda v: pd.Categorical(
        v.map(lambda i: LETTERS[i - 1]), LETTERS, ordered=True
    ),
}


def model(data: pd.DataFrame, visit: Any, residual: str, formula: str = "y ~ 1") -> bl.Model:
    return bl.Model(formula, data.assign(visit=visit), residual=residual)


@pytest.mark.parametrize("name", NAMED)
def test_the_likelihood_is_that_of_the_numbers(name: str) -> None:
    """nlme's value, rho and sigma with visits as numbers."""
    made = model(VISITS, NAMED[name](VISITS["visit"]), "ar1(visit | patient)")
    fit = made.fit("reml")
    assert abs(fit.loglik - REML) < 1e-8
    assert abs(fit.varcorr()["estimate"].iloc[1] - 0.62964) < 1e-5
    assert abs(fit.sigma - 1.20563) < 1e-5
    said = [note for note in fit.notes if "ordered by" in note]
    assert len(said) == (name not in ("numbers", "categories of numbers", "ordered letters"))


def test_the_likelihood_by_ml() -> None:
    fit = model(VISITS, "visit " + VISITS["visit"].astype(str), "ar1(visit | patient)").fit("ml")
    assert abs(fit.loglik - ML) < 1e-8


EMPTY: dict[str, Callable[[Any], Any]] = {
    "ordered numbers": lambda v: pd.Categorical(v, range(1, 13), ordered=True),
    "ordered text": lambda v: pd.Categorical(v.astype(str), TWELVE, ordered=True),
    "ordered letters": NAMED["ordered letters"],
    "numbers": lambda v: pd.Categorical(v, range(1, 13)),
}


@pytest.mark.parametrize("name", EMPTY)
def test_empty_levels_are_steps(name: str) -> None:
    """Visits 7 to 9 in no row: the same as the numbers give, and after saving too."""
    expected = model(GAP, GAP["visit"], "ar1(visit | patient)").fit("reml")
    found = model(GAP, EMPTY[name](GAP["visit"]), "ar1(visit | patient)").fit("reml")
    assert abs(found.loglik - expected.loglik) < 1e-9
    assert any("3 level(s) of 'visit' without rows count as steps" in n for n in found.notes)
    squeezed = GAP["visit"].where(GAP["visit"] < 7, GAP["visit"] - 3)
    adjacent = model(GAP, squeezed, "ar1(visit | patient)")
    assert abs(adjacent.fit("reml").loglik - expected.loglik) > 1.0


def test_empty_levels_of_numbers_make_the_step() -> None:
    """Only even hours have rows: of 0, 1, 2, … a step is one hour, and lags are even."""
    even = GAP[GAP["visit"] % 2 == 0]
    hours = pd.Categorical(even["visit"], range(13))
    residual = model(even, hours, "ar1(visit | patient)").resolved.residual
    assert residual is not None and residual.correlated is not None
    assert residual.correlated.places.at[:, 0].tolist() == [0, 2, 4, 8, 10]
    plain = model(even, even["visit"], "ar1(visit | patient)").resolved.residual
    assert plain is not None and plain.correlated is not None
    assert plain.correlated.places.at[:, 0].tolist() == [0, 1, 2, 4, 5]


@pytest.mark.parametrize("pattern", ["car1", "toep", "arma", "ante", "exp", "gau", "matern"])
def test_every_pattern_reads_text(pattern: str) -> None:
    """The same residual covariance of the rows, at the structure's start."""
    found = []
    for name in ("numbers", "numbers in text", "months"):
        made = model(VISITS, NAMED[name](VISITS["visit"]), f"{pattern}(visit | patient, hom=True)")
        residual = made.resolved.residual
        assert residual is not None and residual.correlated is not None
        c = residual.correlated
        values = np.array([[p.start for p in c.parameters]])
        found.append(c.pattern.matrix(values, c.places)[0][np.ix_(c.place, c.place)])
    np.testing.assert_allclose(found[1], found[0], atol=1e-14)
    np.testing.assert_allclose(found[2], found[0], atol=1e-14)


@pytest.mark.parametrize(("pattern", "said"), [("ar1", "ordered by"), ("exp", "placed at")])
def test_effects_over_text_are_those_over_numbers(pattern: str, said: str) -> None:
    made = []
    for name in ("numbers", "numbers in text"):
        data = VISITS.assign(visit=NAMED[name](VISITS["visit"]))
        made.append(bl.Model(f"y ~ 1 + {pattern}(0 + visit | patient)", data))
    a, b = (m.resolved.design.blocks[0] for m in made)
    np.testing.assert_array_equal(a.values, b.values)
    assert a.parts == b.parts
    assert b.coefs == tuple(f"visit[visit {i}]" for i in TWELVE)
    assert any(said in note for note in made[1].notes)


def test_standard_deviations_stand_in_the_order_of_occasions() -> None:
    made = model(VISITS, VISITS["visit"].astype(str), "toep(visit | patient)")
    residual = made.resolved.residual
    assert residual is not None and residual.strata is not None
    assert residual.strata.labels == tuple(TWELVE)
    levels = residual.strata.levels[residual.strata.codes]
    assert levels.tolist() == VISITS["visit"].astype(str).tolist()


def test_text_without_an_order_asks_for_one() -> None:
    letters = VISITS["visit"].map(lambda i: LETTERS[i - 1])
    for pattern in ("ar1", "car1", "toep", "arma", "ante", "exp", "gau", "matern"):
        with pytest.raises(DataError, match=r"pd.Categorical\(data\['visit'\].*ordered=True"):
            model(VISITS, letters, f"{pattern}(visit | patient)")
    for residual in ("cs(visit | patient, hom=True)", "diag(visit)"):
        model(VISITS, letters, residual)


def test_new_rows_keep_the_scale() -> None:
    """A table with later visits only, as text, against the numbers; an unknown name is refused."""
    old, new = VISITS[VISITS["visit"] <= 10], VISITS[VISITS["visit"] > 10]
    found = []
    for name in ("numbers", "numbers in text", "ordered letters"):
        fit = model(old, NAMED[name](old["visit"]), "ar1(visit | patient)").fit("reml")
        rows = new.assign(visit=NAMED[name](new["visit"]))
        found.append(fit.predict(rows, kind="response").to_numpy())
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9)
    np.testing.assert_allclose(found[2], found[0], rtol=1e-9)
    text = model(old, NAMED["numbers in text"](old["visit"]), "ar1(visit | patient)").fit("ml")
    with pytest.raises(LevelError, match="week 11"):
        text.predict(new.assign(visit="week 11"), kind="response")
    with pytest.raises(DataError, match="between two steps"):
        text.predict(new.assign(visit="visit 11.5"), kind="response")
    lags = model(old, old["visit"], "toep(visit | patient, hom=True)").fit("ml")
    with pytest.raises(LevelError, match="not determined at the occasion"):
        lags.predict(new, kind="response")


def test_occasions_come_back_from_a_file(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", BayeslmmWarning)
        fit = model(GAP, EMPTY["ordered letters"](GAP["visit"]), "ar1(visit | patient)").fit("ml")
    fit.save(tmp_path / "fit.nc")
    loaded = bl.load_fit(tmp_path / "fit.nc")
    rows = GAP.head(1).assign(visit="h")
    pd.testing.assert_frame_equal(
        loaded.predict(rows, kind="response"), fit.predict(rows, kind="response")
    )

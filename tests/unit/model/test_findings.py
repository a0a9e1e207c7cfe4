"""What is found in a design before any fit, and whom it stops."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import IdentifiabilityWarning
from bayeslmm.model import Model

BOTH = {"ml", "reml", "anova"}


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(6), 4)
    x = rng.normal(size=24)
    return pd.DataFrame(
        {
            "y": rng.normal(size=24) + g,
            "x": x,
            "twice": 2 * x - 1,
            "g": g,
            "same": 10 * g,
            "h": np.tile(np.arange(4), 6),
            "one": "only",
            "row": np.arange(24),
            "area": np.repeat(rng.normal(size=6), 4),
        }
    )


def found(formula: str, **options: object) -> Model:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = bl.Model(formula, frame(), **options).resolved
    texts = [str(w.message) for w in said if issubclass(w.category, IdentifiabilityWarning)]
    assert texts == [finding.text for finding in model.findings]
    assert set(texts) <= set(model.notes)
    return model


CASES = [
    ("y ~ x + (1 | g) + (1 | h)", [], []),
    ("y ~ x + (x | g)", [], []),
    ("y ~ x + (1 | one)", ["has one level (only)"], [BOTH]),
    ("y ~ x + (1 | row)", ["one row per level"], [BOTH]),
    ("y ~ x + (1 | g:h)", ["one row per level"], [BOTH]),
    ("y ~ x + (1 | g) + (1 | same)", ["'g' and 'same' divide the rows"], [BOTH]),
    ("y ~ C(g) + (1 | g)", ["lies in the span of the fixed effects"], [{"reml", "anova"}]),
    ("y ~ area + (area | g)", ["constant within every level"], [set()]),
    ("y ~ x + twice + (1 | g)", ["'twice' is aliased: it equals -Intercept + 2 x. "], [set()]),
]


@pytest.mark.parametrize(("formula", "words", "fatal"), CASES, ids=[c[0] for c in CASES])
def test_findings(formula: str, words: list[str], fatal: list[set[str]]) -> None:
    model = found(formula)
    assert len(model.findings) == len(words)
    for finding, word, whom in zip(model.findings, words, fatal, strict=True):
        assert word in finding.text
        assert finding.fatal == whom


def test_known_standard_deviations_identify_one_row_a_level() -> None:
    """Eight schools: the residual is known, so the variance between rows can be told."""
    assert found("y ~ 1 + (1 | row)", known_sd=np.ones(24)).findings == ()


def test_a_finding_stops_likelihood_methods_and_no_others() -> None:
    with pytest.warns(IdentifiabilityWarning):
        model = bl.Model("y ~ x + (1 | one)", frame())
    for method in BOTH:
        with pytest.raises(bl.errors.IdentifiabilityError, match="one level"):
            model.fit(method)
    assert model.fit("exact", seed=1, draws=20).fixef().shape == (2, 4)


def test_aliased_columns_are_dropped_by_flat_methods_and_named() -> None:
    with pytest.warns(IdentifiabilityWarning, match="aliased"):
        model = bl.Model("y ~ x + twice + (1 | g)", frame())
    fit = model.fit("reml")
    plain = bl.Model("y ~ x + (1 | g)", frame()).fit("reml")
    assert list(fit.fixef().index) == ["Intercept", "x"]
    assert any("twice" in note for note in fit.notes)
    assert fit.loglik == pytest.approx(plain.loglik, abs=1e-8)
    pd.testing.assert_frame_equal(fit.fixef(), plain.fixef(), rtol=1e-6)
    np.testing.assert_allclose(fit.predict(), plain.predict(), rtol=1e-6)


def test_proper_priors_keep_aliased_columns() -> None:
    with pytest.warns(IdentifiabilityWarning, match="aliased"):
        model = bl.Model("y ~ x + twice + (1 | g)", frame())
    assert list(model.fit("exact", seed=1, draws=20).fixef().index) == ["Intercept", "x", "twice"]


LONG = [
    ("y ~ x + (x | g)", []),
    ("y ~ x + (x | last)", []),
    ("y ~ area + (area | g)", ["'area' is constant within every level"]),
    ("y ~ nearly + (nearly | g)", []),
    ("y ~ C(h) + (1 | h)", ["'Intercept' by 'h' lies in the span of the fixed effects"]),
    # nearly all of lump's squares are in one row, and inside with it
    ("y ~ C(h) + lump + (lump | h)", ["'Intercept' by 'h' lies", "'lump' by 'h' lies in the span"]),
    ("y ~ x + (1 | g) + (1 | same)", ["'g' and 'same' divide the rows"]),
    ("y ~ x + (1 | g) + (1 | mixed)", []),
]


@pytest.mark.parametrize("order", ["as they come", "by group"])
@pytest.mark.parametrize(("formula", "words"), LONG, ids=[c[0] for c in LONG])
def test_long_tables_are_searched_to_the_end(formula: str, words: list[str], order: str) -> None:
    # longer than the stretch that is looked at first; what there is to find may be in one row
    n, levels = 40_000, 2_000
    rng = np.random.default_rng(8)
    g = np.tile(np.arange(levels), n // levels)
    area = rng.normal(size=levels)[g]
    data = pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.normal(size=n),
            "g": g,
            "h": g % 3,
            "same": 7 * g[::-1].max() - g,
            "mixed": (g + (np.arange(n) == n - 1)) % levels,
            "area": area,
            "nearly": np.where(np.arange(n) == n - 1, area + 1e-3, area),
            "last": np.where(np.arange(n) < n - 50, 0, np.arange(n)),
            "lump": np.where(np.arange(n) == 5, 1e4, 1e-3 * rng.normal(size=n)),
        }
    )
    if order == "by group":
        data = data.sort_values("g", ignore_index=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        findings = bl.Model(formula, data).resolved.findings
    assert len(findings) == len(words)
    for finding, word in zip(findings, words, strict=True):
        assert word in finding.text


@pytest.mark.parametrize("lhs", ["0 + C(Days)", "C(Days)", "0 + C(Days, contr.sum)"])
def test_the_residuals_suggested_for_a_saturated_term_can_be_typed(lhs: str) -> None:
    data = bl.load_dataset("sleepstudy")
    with pytest.warns(IdentifiabilityWarning) as said:
        bl.Model(f"Reaction ~ Days + ({lhs} | Subject)", data)
    last = str(said[-1].message)
    assert last.endswith('residual="us(Days | Subject)".')
    assert bl.Model("Reaction ~ Days", data, residual="us(Days | Subject)").resolved.residual

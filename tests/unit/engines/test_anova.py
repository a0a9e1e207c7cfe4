"""Method ``anova``: equal to REML and to closed forms in balanced designs, honest elsewhere."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayeslmm as bl
from bayeslmm.engines import ENGINES
from bayeslmm.errors import BayeslmmWarning, FitError, MethodError, SingularWarning
from tests.agreement.reference import table_model


def estimates(fit: bl.Fit) -> np.ndarray:
    return fit.varcorr()["estimate"].to_numpy()


@pytest.mark.parametrize("name", ["dyestuff", "penicillin", "pastes"])
def test_balanced_designs_have_remls_estimates(name, gallery_fit):
    """Inside the boundary the two are the same estimates of balanced data."""
    anova, reml = gallery_fit(name, "anova"), gallery_fit(name, "reml")
    np.testing.assert_allclose(estimates(anova), estimates(reml), rtol=1e-5)
    for table in ("fixef", "ranef"):
        a, b = getattr(anova, table)(), getattr(reml, table)()
        columns = ["estimate", "std_error"]
        np.testing.assert_allclose(a[columns], b[columns], rtol=1e-5, atol=1e-6)
    assert not anova.singular


@pytest.mark.parametrize("name", ["dyestuff", "dyestuff2", "rail"])
def test_oneway_designs_have_the_closed_forms_by_every_method(name, gallery_model):
    model = table_model("rail") if name == "rail" else gallery_model(name)
    group = model.resolved.design.blocks[0].group
    closed = bl.oneway(model).estimates
    for method in ("ml", "reml", "anova"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SingularWarning)
            fit = model.fit(method)
        row = closed.loc[method.upper()]
        expected = [row[f"sd_{group}"], row["sigma"]]
        np.testing.assert_allclose(estimates(fit), expected, rtol=1e-5, atol=1e-6)
        assert fit.singular == row["boundary"]
        if method != "anova":
            assert fit.deviance == pytest.approx(row["deviance"], abs=1e-7)


def test_the_table_of_dyestuff_is_the_published_one(gallery_model):
    """Davies & Goldsmith (1972), sec. 6.2: mean squares 11271.50 and 2451.25."""
    printed = bl.oneway(gallery_model("dyestuff"))
    table = printed.anova
    np.testing.assert_allclose(table["mean_square"], [11271.5, 2451.25], rtol=1e-6)
    assert table["df"].tolist() == [5, 24]
    assert table["expected_mean_square"].tolist() == ["sigma² + 5 sigma²_Batch", "sigma²"]
    for word in ("ANOVA", "REML", "sigma² + 5 sigma²_Batch", "from F"):
        assert word in str(printed)


def test_negative_estimates_are_kept_said_and_taken_as_zero(gallery_model, tmp_path):
    model = gallery_model("dyestuff2")
    closed = bl.oneway(model).statistics.anova()
    assert closed.between < 0
    with pytest.warns(SingularWarning, match=r"negative variance estimates.* \(Batch -"):
        fit = model.fit("anova")
    assert fit.singular
    assert estimates(fit)[0] == 0.0
    assert np.all(fit.ranef()["estimate"] == 0.0)
    assert any("negative" in note for note in fit.notes)
    fit.save(tmp_path / "fit.nc")
    for one in (fit, bl.load_fit(tmp_path / "fit.nc")):
        table = one.tree["anova"].dataset
        expected = [closed.between, closed.within]
        np.testing.assert_allclose(table["variance"], expected, rtol=1e-10)
        assert table["expected_mean_square"].values.tolist() == [
            "sigma² + 5 sigma²_Batch",
            "sigma²",
        ]


def test_nested_and_crossed_tables_have_the_textbooks_expected_mean_squares(gallery_fit):
    pastes = gallery_fit("pastes", "anova").tree["anova"].dataset
    assert pastes["expected_mean_square"].values.tolist() == [
        "sigma² + 2 sigma²_batch:cask + 6 sigma²_batch",
        "sigma² + 2 sigma²_batch:cask",
        "sigma²",
    ]
    assert pastes["df"].values.tolist() == [9, 20, 30]
    penicillin = gallery_fit("penicillin", "anova").tree["anova"].dataset
    np.testing.assert_allclose(
        penicillin["expected"], [[6, 0, 1], [0, 24, 1], [0, 0, 1]], atol=1e-9
    )


def test_effects_are_the_closed_forms_at_these_variances(unbalanced):
    fit = unbalanced.fit("anova")
    given = unbalanced.fit("conjugate", variances=fit, kappa=0, seed=1, draws=2)
    for table in ("fixef", "ranef", "coef"):
        a, b = getattr(fit, table)(), getattr(given, table)()
        columns = ["estimate", "std_error"]
        np.testing.assert_allclose(a[columns], b[columns], rtol=1e-8, atol=1e-10)


def test_sigma_has_its_exact_interval_and_other_variances_none(unbalanced):
    fit = unbalanced.fit("anova")
    table, anova = fit.varcorr(), fit.tree["anova"].dataset
    squares, df = float(anova["sum_of_squares"][-1]), int(anova["df"][-1])
    residual = table[table["group"] == "Residual"].iloc[0]
    bounds = np.array([residual["lower"], residual["upper"]])
    np.testing.assert_allclose(stats.chi2(df).sf(squares / bounds**2), [0.025, 0.975], rtol=1e-9)
    others = table.loc[table["group"] != "Residual", ["std_error", "lower", "upper"]]
    assert np.all(np.isnan(others))
    assert "Method of moments" in str(fit)
    with pytest.raises(FitError, match="no loglik"):
        _ = fit.loglik
    assert fit.predict().shape == (len(unbalanced.resolved.design.y), 4)


def test_without_random_terms_it_is_least_squares():
    data = bl.load_dataset("sleepstudy")
    model = bl.Model("Reaction ~ Days", data)
    anova, reml = model.fit("anova"), model.fit("reml")
    assert anova.sigma == pytest.approx(reml.sigma, rel=1e-9)
    np.testing.assert_allclose(anova.vcov(), reml.vcov(), rtol=1e-8)


@pytest.mark.parametrize(
    ("formula", "extra", "words"),
    [
        ("Reaction ~ Days + (Days | Subject)", {}, "needs independent random effects"),
        ("Reaction ~ Days + (1 | Subject)", {"known_sd": "s"}, "combined with known_sd"),
        ("k ~ Days + (1 | Subject)", {"family": "poisson"}, "Gaussian"),
        ("Reaction ~ Days + (1 | row_id)", {}, "one row per level"),
        ("Reaction ~ Days + cs(1 + Days | Subject)", {}, "are correlated"),
        (
            "Reaction ~ Days + (1 | Subject)",
            {"residual": "ar1(Days | Subject)"},
            "use 'reml'",
        ),
    ],
)
def test_what_it_refuses_and_why(formula, extra, words):
    data = bl.load_dataset("sleepstudy").assign(k=3, s=2.0, row_id=np.arange(180))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        model = bl.Model(formula, data, **extra)
    with pytest.raises((MethodError, bl.errors.IdentifiabilityError), match=words):
        model.fit("anova")
    assert words in ENGINES["anova"].refuse(model.resolved)


def test_a_response_without_residual_is_refused():
    data = bl.load_dataset("sleepstudy")
    exact = data.assign(Reaction=2.0 * data["Days"] + data["Subject"].cat.codes)
    with pytest.warns(bl.errors.IdentifiabilityWarning, match="leave no residuals"):
        model = bl.Model("Reaction ~ Days + (1 | Subject)", exact)
    with pytest.raises(bl.errors.IdentifiabilityError, match="leave no residuals"):
        model.fit("anova")


def test_auto_never_takes_it(unbalanced):
    assert unbalanced.fit(seed=1, draws=20).method == "exact"


@pytest.fixture(scope="module")
def unbalanced() -> bl.Model:
    rng = np.random.default_rng(8)
    g, h = rng.integers(0, 12, 150), rng.integers(0, 7, 150)
    x = rng.normal(size=150)
    y = 1 + x + 1.5 * rng.normal(size=12)[g] + rng.normal(size=7)[h] + rng.normal(size=150)
    frame = pd.DataFrame({"y": y, "x": x, "g": g.astype(str), "h": h.astype(str)})
    return bl.Model("y ~ x + (1 | g) + (1 | h)", frame)

"""What methods refuse: likelihoods without a maximum, posteriors without a mass, options."""

from __future__ import annotations

import numpy as np
import pytest

import bayeslmm as bl
from bayeslmm.errors import IdentifiabilityError, IdentifiabilityWarning, MethodError

FORMULA = "Reaction ~ Days + (1 | Subject)"


@pytest.fixture(scope="module")
def data():
    return bl.load_dataset("sleepstudy")


@pytest.mark.parametrize("method", ["ml", "reml"])
def test_a_response_without_residual_has_an_unbounded_likelihood(method, data):
    exact = data.assign(Reaction=2.0 * data["Days"])
    levels = data.assign(Reaction=2.0 * data["Days"] + data["Subject"].cat.codes)
    for table, words in ((exact, "fit the response"), (levels, "random effects fit the response")):
        with pytest.warns(IdentifiabilityWarning, match=f"{words} exactly"):
            model = bl.Model(FORMULA, table)
        with pytest.raises(IdentifiabilityError, match=f"{words} exactly"):
            model.fit(method)


def test_a_small_residual_is_not_mistaken_for_none(data):
    rng = np.random.default_rng(1)
    codes = data["Subject"].cat.codes
    near = data.assign(Reaction=2.0 * data["Days"] + codes + 1e-2 * rng.normal(size=180))
    assert bl.Model(FORMULA, near).fit("reml").sigma == pytest.approx(1e-2, rel=0.2)


def test_a_flat_prior_on_a_sd_needs_three_levels(data):
    two = data[data["Subject"].isin(["308", "309"])].assign(
        Subject=lambda d: d["Subject"].astype(str)
    )
    three = data[data["Subject"].isin(["308", "309", "310"])].assign(
        Subject=lambda d: d["Subject"].astype(str)
    )
    priors = {"sd": "flat"}
    for method in ("exact", "nuts"):
        with pytest.raises(
            MethodError, match=r"needs at least 3 levels .*which has 2: the posterior is improper"
        ):
            bl.Model(FORMULA, two, priors=priors).fit(method)
    assert bl.Model(FORMULA, three, priors=priors).fit("exact", seed=1, draws=50).notes == ()


def test_what_the_data_cannot_tell_needs_proper_priors(data):
    rows = data.assign(row_id=np.arange(180))
    with pytest.warns(IdentifiabilityWarning, match="one row per level"):
        flat = bl.Model("Reaction ~ 1 + (1 | row_id)", rows, priors={"sd": "flat"})
    with pytest.raises(IdentifiabilityError, match="one row per level"):
        flat.fit("reml")
    with pytest.raises(MethodError, match="prior of sd_row_id"):
        flat.fit("exact")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tunee": 5}, "Did you mean 'tune'?"),
        ({"target_accept": 3}, "probability"),
        ({"tune": -1}, "whole number"),
        ({"sampler": "stan"}, "Unknown sampler 'stan'"),
    ],
)
def test_nuts_refuses_options_before_it_compiles(options, words, data):
    with pytest.raises(MethodError, match=words.replace("?", r"\?")):
        bl.Model(FORMULA, data).fit("nuts", **options)


def test_flat_coefficients_leave_aliased_columns_out_whatever_the_method(data):
    formula = "Reaction ~ Days + I(2 * Days) + (1 | Subject)"
    with pytest.warns(IdentifiabilityWarning, match=r"'I\(2 \* Days\)' is aliased"):
        flat = bl.Model(formula, data, priors="flat")
    exact, reml = flat.fit("exact", seed=1, draws=250), flat.fit("reml")
    assert list(exact.fixef().index) == list(reml.fixef().index) == ["Intercept", "Days"]
    assert exact.predict().shape == (180, 4)
    assert list(flat.to_pymc().coords["coef"]) == ["Intercept", "Days"]
    with pytest.warns(IdentifiabilityWarning):
        proper = bl.Model(formula, data)
    assert len(proper.fit("exact", seed=1, draws=50).fixef()) == 3


def test_a_model_without_fixed_effects_is_fitted(data):
    model = bl.Model("Reaction ~ 0 + (1 | Subject)", data)
    for fit in (model.fit("reml"), model.fit("exact", seed=1, draws=50)):
        assert fit.fixef().empty
        assert "0 fixed coefficients" in str(fit)


@pytest.mark.slow
def test_nuts_takes_a_model_without_fixed_effects(data):
    model = bl.Model("Reaction ~ 0 + (1 | Subject)", data)
    with pytest.warns(bl.errors.ConvergenceWarning):  # far too few draws
        fit = model.fit("nuts", seed=1, draws=50, tune=100)
    assert fit.fixef().empty
    assert fit.varcorr().estimate.iloc[0] > 100


@pytest.mark.parametrize("response", ["row", "sigma", "X", "I(Reaction / 10)"])
def test_any_response_name_makes_a_tree_and_a_graph(response, data):
    renamed = data.assign(row=data["Reaction"], sigma=data["Reaction"], X=data["Reaction"])
    model = bl.Model(f"{response} ~ Days + (1 | Subject)", renamed)
    assert len(model.fit("reml").tree["observed_data"].data_vars) == 1
    assert len(model.to_pymc().observed_RVs) == 1


def test_a_factor_called_residual_does_not_stand_in_for_the_residual(data):
    with pytest.warns(bl.errors.DataWarning, match="is called 'Residual_'"):
        model = bl.Model(
            "Reaction ~ Days + (1 | Residual)", data.rename(columns={"Subject": "Residual"})
        )
    fit, plain = model.fit("reml"), bl.Model(FORMULA, data).fit("reml")
    assert fit.sigma == pytest.approx(plain.sigma)
    assert list(fit.varcorr()["group"]) == ["Residual_", "Residual"]


def test_factors_whose_dimensions_would_collide_are_told_apart(data):
    both = data.assign(Subject_coef=np.tile(np.arange(9), 20))
    with pytest.warns(bl.errors.DataWarning, match="'Subject_coef_'"):
        model = bl.Model("Reaction ~ Days + (1 | Subject) + (1 | Subject_coef)", both)
    assert "u_Subject_coef_" in model.fit("exact", seed=1, draws=50).tree["posterior"]

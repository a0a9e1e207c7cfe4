"""`coef` is each level's own coefficients: `predict` at its rows is the second road."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.design.level_maps import level_maps
from bayeslmm.errors import BayeslmmWarning

OTHERS = ("cbpp", "epil", "grouseticks")  # not Gaussian
GALLERY = [n for n in bl.list_models() if n not in OTHERS]
SEX = "distance ~ age * Sex + (age | Subject)"
BY_SEX = "distance ~ 0 + Sex + Sex:age + (age | Subject)"


def quiet(model: bl.Model, method: str, **options: object) -> bl.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        return model.fit(method, **options)


@cache
def orthodont(formula: str, method: str) -> bl.Fit:
    model = bl.Model(formula, bl.load_dataset("orthodont"))
    if method == "conjugate":
        given = orthodont(SEX, "reml")
        return quiet(model, method, variances=given, kappa=0.0, seed=1, draws=50, chains=2)
    options = {} if method in ("ml", "reml") else {"seed": 1, "draws": 50, "chains": 2}
    return quiet(model, method, **options)


def own_lines(fit: bl.Fit, group: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows' predictions at their level, less the columns outside `coef`, and z'coef."""
    design = fit.resolved.design
    index = [b.group for b in design.blocks].index(group)
    block = design.blocks[index]
    beta = fit.fixef()["estimate"].reindex(list(design.coefs)).fillna(0.0).to_numpy()
    left_out = design.X @ np.where(level_maps(design, index).included, 0.0, beta)
    table = fit.coef()
    own = table.loc[table["group"] == group, "estimate"].to_numpy()
    own = own.reshape(block.n_levels, block.n_coefs)
    predicted = fit.predict(effects=[group], kind="link")["estimate"].to_numpy()
    line = np.sum(own[block.codes] * block.values, axis=1)
    return predicted - left_out - design.offset, line


@pytest.mark.parametrize("name", GALLERY)
def test_predictions_at_every_level_of_every_gallery_model(name: str) -> None:
    model = bl.load_model(name)
    fit = quiet(model, "reml")
    for block in model.resolved.design.blocks:
        predicted, line = own_lines(fit, block.group)
        np.testing.assert_allclose(line, predicted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", OTHERS)
def test_included_columns_of_the_other_gallery_models(name: str) -> None:
    """X beta of the columns that count is Z M beta, in every row."""
    design = bl.load_model(name).resolved.design
    beta = np.random.default_rng(1).normal(size=design.p)
    for index, block in enumerate(design.blocks):
        found = level_maps(design, index)
        own = np.sum(found.population(beta)[block.codes] * block.values, axis=1)
        np.testing.assert_allclose(own, design.X @ np.where(found.included, beta, 0.0), atol=1e-10)


@pytest.mark.slow
def test_draws_of_a_binomial_model() -> None:
    fit = quiet(bl.load_model("cbpp"), "nuts", seed=1, draws=20, chains=2, tune=100)
    predicted, line = own_lines(fit, "herd")
    np.testing.assert_allclose(line, predicted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("method", ["ml", "reml", "exact"])
def test_predictions_of_every_method(method: str) -> None:
    fit = orthodont(SEX, method)
    predicted, line = own_lines(fit, "Subject")
    np.testing.assert_allclose(line, predicted, rtol=1e-10, atol=1e-10)
    data = bl.load_dataset("orthodont")
    at_birth = data.groupby("Subject", observed=True)[["Sex"]].first().reset_index().assign(age=0.0)
    there = fit.predict(at_birth)
    table = fit.coef().set_index(["coef", "level"]).loc["Intercept"]
    own = table.loc[at_birth["Subject"].tolist()]
    for column in ("estimate", "std_error", "lower", "upper"):
        np.testing.assert_allclose(own[column], there[column], rtol=1e-8)


def test_the_closed_form_at_the_same_variances() -> None:
    """Its tables are exact, while it predicts from draws."""
    one, other = orthodont(SEX, "conjugate").coef(), orthodont(SEX, "reml").coef()
    pd.testing.assert_frame_equal(one, other, rtol=1e-8)


@pytest.mark.parametrize("method", ["ml", "reml", "conjugate"])
def test_another_coding_of_the_same_model(method: str) -> None:
    """Columns by other names, with the same span: the same coefficients and standard errors."""
    one, other = (orthodont(f, method).coef().set_index(["level", "coef"]) for f in (SEX, BY_SEX))
    columns = ["estimate", "std_error", "lower", "upper"]
    pd.testing.assert_frame_equal(
        one[columns], other.loc[one.index, columns], rtol=1e-6, check_like=True
    )
    girls = one.loc[[level for level in one.index if str(level[0]).startswith("F")]]
    beta = orthodont(SEX, method).fixef()["estimate"]
    u = orthodont(SEX, method).ranef().set_index(["level", "coef"])["estimate"]
    added = {"Intercept": beta["Sex[Female]"], "age": beta["age:Sex[Female]"]}
    for key, row in girls.iterrows():
        assert isinstance(key, tuple)
        wanted = beta[key[1]] + added[key[1]] + u[key]
        assert row["estimate"] == pytest.approx(wanted, rel=1e-10)

"""ML and REML are lme4's answers, for every Gaussian model of the gallery and a few more tables:
InstEval has three crossed factors and 4,114 effects."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import bayeslmm as bl
from tests.agreement.reference import (
    CASES,
    TABLES,
    answer,
    as_list,
    coef_name,
    factors_of,
    key_of,
    ranef_of,
    table_model,
)

BOTH = [(*case, method) for case in CASES for method in ("ml", "reml")]


BOTH += [(name, None, None, method) for name in TABLES for method in ("ml", "reml")]


@cache
def table_fit(name: str, method: str) -> bl.Fit:
    return table_model(name).fit(method)


@pytest.fixture(params=BOTH, ids=[f"{c[0]}-{c[3]}" for c in BOTH])
def case(request, gallery_fit):
    name, model, variant, method = request.param
    reference = answer(f"{name}_{method}")
    if model is None:
        return reference, table_fit(name, method)
    return reference, gallery_fit(model, method, variant)


def test_criteria(case):
    reference, fit = case
    assert fit.loglik == pytest.approx(reference["logLik"], abs=1e-4)
    assert fit.deviance == pytest.approx(reference["minus2logLik"], abs=2e-4)
    assert fit.aic == pytest.approx(reference["AIC"], abs=2e-4)
    assert fit.bic == pytest.approx(reference["BIC"], abs=2e-4)
    assert fit.n_parameters == reference["df"]
    assert fit.converged


def test_fixed_effects(case):
    reference, fit = case
    table = fit.fixef()
    for name, value in reference["fixef"].items():
        ours = table.loc[coef_name(name)]
        assert ours.estimate == pytest.approx(value, abs=1e-3 * ours.std_error)
        assert ours.std_error == pytest.approx(reference["se"][name], rel=1e-3)
    order = [coef_name(n) for n in as_list(reference["vcov"]["names"])]
    ours = fit.vcov().loc[order, order].to_numpy()
    matrix = np.reshape(reference["vcov"]["matrix"], ours.shape)
    np.testing.assert_allclose(ours, matrix, rtol=2e-3, atol=1e-6)


def test_variances(case):
    reference, fit = case
    table = fit.varcorr()
    assert fit.sigma == pytest.approx(reference["sigma"], abs=1e-3 * reference["sigma"])
    for block in reference["random"]:
        factors = factors_of(block["group"])
        own = table[[set(g.split(":")) == factors for g in table["group"]]]
        sds = own[own["kind"] == "sd"].set_index("coef")["estimate"]
        for term, value in zip(as_list(block["terms"]), as_list(block["sd"]), strict=True):
            assert sds[coef_name(term)] == pytest.approx(value, abs=1e-3 * reference["sigma"])
        for row in own[own["kind"] == "cor"].itertuples():
            names = [coef_name(t) for t in block["terms"]]
            value = block["correlation"][names.index(row.coef)][names.index(row.coef2)]
            assert row.estimate == pytest.approx(value, abs=1e-3)


def test_random_effects(case):
    reference, fit = case
    wanted = ranef_of(reference)
    table = fit.ranef(given_beta=True)
    assert len(table) == len(wanted)
    for row in table.itertuples():
        value, conditional_sd = wanted[key_of(row.group, row.level, row.coef)]
        assert row.estimate == pytest.approx(value, abs=1e-3)
        assert row.std_error == pytest.approx(conditional_sd, abs=1e-3)


def test_singular_is_found_where_lme4_finds_it(case):
    reference, fit = case
    assert fit.singular == reference["singular"]


def test_dyestuff2_has_no_variance_and_says_so(gallery_model):
    model = gallery_model("dyestuff2")
    with pytest.warns(match="Singular fit") as caught:
        fit = model.fit("reml")
    assert fit.varcorr().estimate.iloc[0] == 0.0
    assert np.isnan(fit.varcorr().std_error.iloc[0])
    assert any("Singular fit" in note for note in fit.notes)
    assert len(caught) == 1

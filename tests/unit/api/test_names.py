"""Names of other packages, and misspelt ones, are answered with what there is here."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path
from typing import get_args

import pytest

import bayeslmm as bl
from bayeslmm.api.choices import Drawing, FamilyName, LinkName, Method
from bayeslmm.counterparts import answers
from bayeslmm.engines import ENGINES
from bayeslmm.engines.sampling import SAMPLERS, Sampler
from bayeslmm.families import FAMILIES, LINKS


@pytest.fixture(scope="module")
def fit() -> bl.Fit:
    return bl.load_model("sleepstudy").fit("reml")


def test_every_answer_names_what_there_is(fit: bl.Fit) -> None:
    owners = {"bl": bl, "fit": fit, "model": fit.model}
    for name, text in answers().items():
        named = re.findall(r"\b(bl|fit|model)\.(\w+)", text)
        assert named or "fit(" in text, name
        for owner, attribute in named:
            place = owners[owner]
            assert attribute in dir(place) or hasattr(place, attribute), (name, text)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("lmer", r"bl\.Model\(formula, data\)"),
        ("glmer", "family="),
        ("brm", "'exact'"),
        ("emmeans", "fit.predict"),
        ("fixef", r"Write fit\.fixef"),
        ("to_pymc", r"Write model\.to_pymc"),
        ("compare_fit", "Did you mean 'compare_fits'"),
        ("plotRanef", "Did you mean 'plot_ranef'"),
        ("icc", "varcorr"),
    ],
)
def test_of_the_package(asked: str, told: str) -> None:
    with pytest.raises(AttributeError, match=told):
        getattr(bl, asked)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("VarCorr", "Did you mean 'varcorr'"),
        ("fixed_effects", r"fit\.fixef\(\)"),
        ("random_effects", r"fit\.ranef\(\)"),
        ("confint", "lower and upper"),
        ("pp_check", "kind='response'"),
        ("conditional_effects", "plot_fitted"),
        ("hypothesis", "against=0"),
        ("posterior_predict", r"fit\.predict"),
        ("to_pymc", r"fit\.model\.to_pymc"),
        ("fixeff", "Did you mean 'fixef'"),
        ("bse", r"fit\.fixef"),
    ],
)
def test_of_a_fit(fit: bl.Fit, asked: str, told: str) -> None:
    with pytest.raises(AttributeError, match=told):
        getattr(fit, asked)


def test_of_a_model(fit: bl.Fit) -> None:
    for asked, told in (("ranef", r"Write fit\.ranef"), ("make_stancode", "to_pymc")):
        with pytest.raises(AttributeError, match=told):
            getattr(fit.model, asked)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("posterior_predict", "kind='response'"),
        ("predictInterval", "kind='response'"),
        ("posterior_epred", "kind='mean'"),
        ("fitted", "kind='mean'"),
        ("posterior_linpred", "kind='link'"),
        ("AIC", "aic"),
        ("BIC", "bic"),
        ("logLik", "loglik"),
        ("VarCorr", "varcorr"),
        ("allFit", "fit.converged"),
        ("lmList", "no_pooling"),
        ("bam", "bs(x, df=4)"),
        ("gam", "bs(x, df=4)"),
        ("rand", "bl.deviance_table"),
        ("ranova", "bl.deviance_table"),
        ("lmerTest", "fit.contrast"),
        ("bootMer", "model.simulate"),
        ("refit", "model.fit()"),
        ("update", "bl.Model(formula, data)"),
        ("getME", "fit.fixef()"),
    ],
)
def test_the_answer_is_the_same_at_every_door(fit: bl.Fit, asked: str, told: str) -> None:
    for owner in (bl, fit.model, fit):
        with pytest.raises(AttributeError, match=re.escape(told)):
            getattr(owner, asked)


def test_no_answer_leads_to_inner_attributes() -> None:
    assert not any("resolved" in text for text in answers().values())


def test_every_class_of_errors_is_reachable_from_the_package() -> None:
    classes = [n for n, c in vars(bl.errors).items() if isinstance(c, type)]
    own = [n for n in classes if issubclass(getattr(bl.errors, n), bl.BayeslmmError | Warning)]
    assert {"BayeslmmError", "DataError", "SingularWarning"} <= set(own)
    for name in own:
        assert getattr(bl, name) is getattr(bl.errors, name)


def test_what_python_itself_asks_is_plain(fit: bl.Fit) -> None:
    assert not hasattr(fit, "_ipython_display_")
    assert not hasattr(bl, "__wrapped__")
    assert copy.copy(fit).formula == fit.formula
    assert pickle.loads(pickle.dumps(fit.model)).formula == fit.formula


def test_a_fit_knows_its_model(fit: bl.Fit, tmp_path: Path) -> None:
    assert fit.nobs == 180
    assert fit.formula == fit.model.formula
    fit.save(tmp_path / "fit.nc")
    again = bl.load_fit(tmp_path / "fit.nc")
    assert isinstance(again.model, bl.Model)
    assert again.model.fit("reml").loglik == pytest.approx(fit.loglik, abs=1e-8)


def test_the_types_of_options_are_the_registries() -> None:
    assert set(get_args(FamilyName)) == set(FAMILIES)
    assert set(get_args(LinkName)) == set(LINKS)
    assert set(get_args(Method)) == {"auto", *ENGINES}
    assert set(get_args(Sampler)) == set(SAMPLERS)
    assert set(get_args(Drawing)) <= set(ENGINES)

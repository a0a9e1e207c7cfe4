"""The gallery's reference blocks say what the packages' own answers say, in our names."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from bayeslmm.gallery import read_model

ANSWERS = Path(__file__).resolve().parents[1] / "reference"

# file in tests/reference: the model and variant that it answers
FILES = {
    "dyestuff": ("dyestuff", None),
    "dyestuff2": ("dyestuff2", None),
    "machines": ("machines", None),
    "machines_nested": ("machines", "nested"),
    "orthodont_age": ("orthodont", None),
    "orthodont_age_sex": ("orthodont", "age_sex"),
    "orthodont_intercept": ("orthodont", "intercept"),
    "pastes": ("pastes", None),
    "penicillin": ("penicillin", None),
    "sleepstudy_intercept": ("sleepstudy", "intercept"),
    "sleepstudy_slope": ("sleepstudy", None),
    "sleepstudy_uncorrelated": ("sleepstudy", "uncorrelated"),
}


def answer(name: str) -> dict:
    return json.loads((ANSWERS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("method", ["ml", "reml"])
@pytest.mark.parametrize("file", FILES)
def test_references_repeat_lme4s_answers(file, method):
    theirs = answer(f"{file}_{method}")
    model = read_model(*FILES[file])
    (ours,) = [each for each in model.references if each.method == method]
    assert ours.source == f"lme4 {theirs['version']}, R 4.2.2"
    assert (ours.loglik, ours.sigma.estimate) == (theirs["logLik"], theirs["sigma"])
    assert ours.singular is theirs["singular"]
    assert [each.estimate for each in ours.fixef.values()] == list(theirs["fixef"].values())
    assert [each.std_error for each in ours.fixef.values()] == list(theirs["se"].values())
    sds = [sd for term in theirs["random"] for sd in pd.Series(term["sd"])]
    assert sorted(each.estimate for each in ours.sd.values()) == sorted(sds)
    cors = [
        row[j]
        for term in theirs["random"]
        for i, row in enumerate(term["correlation"])
        for j in range(i)
    ]
    assert sorted(each.estimate for each in ours.cor.values()) == sorted(cors)


def test_names_are_ours():
    nested = read_model("machines", "nested").references[0]
    assert list(nested.fixef) == ["Intercept", "Machine[B]", "Machine[C]"]
    assert set(nested.sd) == {("Worker", "Intercept"), ("Worker:Machine", "Intercept")}
    # of 18 and 6 levels: the nested factor's sd is the smaller one
    assert nested.sd["Worker:Machine", "Intercept"].estimate == pytest.approx(3.7295, abs=1e-4)
    pastes = read_model("pastes").references[0]
    assert pastes.sd["batch:cask", "Intercept"].estimate == pytest.approx(2.9041, abs=1e-4)
    sex = read_model("orthodont", "age_sex").references[0]
    assert list(sex.fixef) == ["Intercept", "age", "Sex[Female]", "age:Sex[Female]"]
    machines = read_model("machines").references[0]
    assert machines.cor["Worker", "Machine[B]", "Machine[C]"].estimate == pytest.approx(0.2966364)
    assert len(machines.cor) == 3


def test_posterior_of_eight_schools():
    for variant, key in ((None, "normal5_halfcauchy5"), ("flat", "flat_mu_flat_tau")):
        file = read_model("eight_schools", variant)
        theirs = answer("exact_eight_schools")[key]
        (ours,) = file.references
        assert file.keywords["known_sd"] == "sigma"
        assert ours.sigma is None
        assert ours.fixef["Intercept"].estimate == theirs["mu"]["mean"]
        assert ours.sd["school", "Intercept"].std_error == theirs["tau"]["sd"]
        for i, school in enumerate("ABCDEFGH", start=1):
            value = ours.coef["school", school, "Intercept"]
            assert value.estimate == theirs[f"theta[{i}]"]["mean"]
            assert value.std_error == theirs[f"theta[{i}]"]["sd"]


@pytest.mark.parametrize("name", ["Dyestuff", "Dyestuff2"])
def test_posteriors_of_one_way_layouts(name):
    theirs = answer("exact_oneway_bayes")[name]
    for variant, values in (("flat_mean", theirs), ("student_mean", theirs["brms_default"])):
        (ours,) = read_model(name.lower(), variant).references
        for value, key in (
            (ours.fixef["Intercept"], "mu"),
            (ours.sd["Batch", "Intercept"], "sd_b"),
            (ours.sigma, "sigma"),
        ):
            assert (value.estimate, value.std_error) == (values[key]["mean"], values[key]["sd"])


def test_posterior_of_sleepstudy():
    theirs = {
        row["variable"]: row for row in answer("brms_sleepstudy_slope")["run_long"]["summary"]
    }
    (ours,) = read_model("sleepstudy", "brms_priors").references
    pairs = (
        (ours.fixef["Intercept"], "b_Intercept"),
        (ours.fixef["Days"], "b_Days"),
        (ours.sd["Subject", "Intercept"], "sd_Subject__Intercept"),
        (ours.sd["Subject", "Days"], "sd_Subject__Days"),
        (ours.cor["Subject", "Intercept", "Days"], "cor_Subject__Intercept__Days"),
        (ours.sigma, "sigma"),
    )
    for value, key in pairs:
        row = theirs[key]
        assert (value.estimate, value.std_error) == (row["mean"], row["sd"])
        assert (value.mcse, value.mcse_std_error) == (row["mcse_mean"], row["mcse_sd"])

"""ML and REML with structured residuals and effects are nlme's `gls` and `lme`.

nlme stops at about 1e-5 of a parameter's scale, the log likelihood being right to 1e-8.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from tests.agreement.reference import FOLDER, answer, as_list, coef_name


@dataclass(frozen=True)
class Case:
    """A call of nlme's as ours."""

    data: str
    formula: str
    residual: str | None = None


OVARY = "follicles ~ sine + cosine"
GROWTH = "distance ~ age * Sex"
CASES = {
    "machines_cs": Case("machines", "score ~ Machine + cs(0 + Machine | Worker, hom=True)"),
    "machines_varident": Case("machines", "score ~ Machine + (1 | Worker)", "diag(Machine)"),
    "orthodont_ar1_gls": Case("orthodont", GROWTH, "ar1(1 | Subject)"),
    "orthodont_cs_gls": Case("orthodont", GROWTH, "cs(age | Subject, hom=True)"),
    "orthodont_symm_gls": Case("orthodont", GROWTH, "us(age | Subject)"),
    "orthodont_slope": Case("orthodont", f"{GROWTH} + (age | Subject)"),
    "orthodont_varident": Case("orthodont", f"{GROWTH} + (age | Subject)", "diag(Sex)"),
    "orthodont_varident_intercept": Case("orthodont", f"{GROWTH} + (1 | Subject)", "diag(Sex)"),
    "ovary_iid": Case("ovary", f"{OVARY} + (1 | Mare)"),
    "ovary_ar1": Case("ovary", f"{OVARY} + diag(1 + sine | Mare)", "ar1(1 | Mare)"),
    "ovary_ar1_intercept": Case("ovary", f"{OVARY} + (1 | Mare)", "ar1(1 | Mare)"),
}
OURS = {"sin(2 * pi * Time)": "sine", "cos(2 * pi * Time)": "cosine"}


def ours(name: str) -> str:
    return OURS.get(name) or coef_name(name)


def load(name: str) -> pd.DataFrame:
    if name != "ovary":
        return bl.load_dataset(name)
    table = pd.read_csv(FOLDER / "data" / "Ovary.csv")
    angle = 2 * np.pi * table["Time"]
    return table.assign(
        Mare=table["Mare"].astype(str).astype("category"), sine=np.sin(angle), cosine=np.cos(angle)
    )


@cache
def fitted(name: str, method: str) -> bl.Fit:
    case = CASES[name]
    return bl.Model(case.formula, load(case.data), residual=case.residual).fit(method)


@pytest.fixture(
    params=[(name, method) for name in CASES for method in ("ml", "reml")],
    ids=lambda p: f"{p[0]}-{p[1]}",
)
def case(request):
    name, method = request.param
    return answer(f"nlme_{name}_{method}"), fitted(name, method)


def residual_rows(fit: bl.Fit, kind: str) -> pd.DataFrame:
    table = fit.varcorr()
    return table[(table["group"] == "Residual") & (table["kind"] == kind)]


def test_every_answer_has_its_case():
    stored = {path.stem for path in FOLDER.glob("nlme_*.json")}
    assert stored == {f"nlme_{name}_{method}" for name in CASES for method in ("ml", "reml")}


def test_criteria(case):
    reference, fit = case
    assert fit.converged
    assert fit.loglik == pytest.approx(reference["logLik"], abs=1e-6)
    assert fit.aic == pytest.approx(reference["AIC"], abs=2e-6)
    assert fit.n_parameters == reference["df"]
    if reference["method"] == "ML":
        assert fit.bic == pytest.approx(reference["BIC"], abs=2e-6)


def test_fixed_effects(case):
    """`gls` enlarges the covariance by n / (n - p) under ML, as if sigma² were unbiased."""
    reference, fit = case
    n, p = reference["nobs"], len(reference["fixef"])
    enlarged = reference["engine"] == "nlme::gls" and reference["method"] == "ML"
    factor = n / (n - p) if enlarged else 1.0
    table = fit.fixef()
    assert len(table) == p
    for name, value in reference["fixef"].items():
        row = table.loc[ours(name)]
        assert row.estimate == pytest.approx(value, abs=1e-3 * row.std_error)
        assert row.std_error * np.sqrt(factor) == pytest.approx(reference["se"][name], rel=1e-4)
    order = [ours(name) for name in reference["vcov"]["names"]]
    matrix, sd = np.array(reference["vcov"]["matrix"]), np.array(list(reference["se"].values()))
    found = factor * fit.vcov().loc[order, order].to_numpy()
    assert np.abs((found - matrix) / np.outer(sd, sd)).max() < 1e-4


def test_effects_vary_as_nlme_says(case):
    reference, fit = case
    blocks = as_list(reference["random"] or [])
    table = fit.varcorr()
    assert set(table["group"]) == {"Residual", *(b["group"] for b in blocks)}
    for block in blocks:
        names = [ours(term) for term in as_list(block["terms"])]
        own = table[table["group"] == block["group"]]
        sds = own[own["kind"] == "sd"].set_index("coef")["estimate"]
        np.testing.assert_allclose(sds[names], as_list(block["sd"]), rtol=1e-3)
        correlation = np.array(block["correlation"])
        for row in own[own["kind"] == "cor"].itertuples():
            value = correlation[names.index(row.coef), names.index(row.coef2)]
            assert row.estimate == pytest.approx(value, abs=1e-3)
        for row in own[own["kind"] == "par"].itertuples():  # one correlation of all pairs
            assert row.coef == "rho"
            assert row.estimate == pytest.approx(correlation[0, 1], abs=1e-3)


def test_residuals_vary_as_nlme_says(case):
    """`varIdent` tells ratios to the first stratum, whose sd is sigma."""
    reference, fit = case
    found = residual_rows(fit, "sd")
    if reference["varStruct"] is None:
        assert fit.sigma == pytest.approx(reference["sigma"], rel=1e-3)
        return
    wanted = {k: v * reference["sigma"] for k, v in reference["varStruct"]["ratio_all"].items()}
    found = dict(zip(found["coef"].astype(str), found["estimate"], strict=True))
    assert found == pytest.approx(wanted, rel=1e-3)


def test_residuals_correlate_as_nlme_says(case):
    reference, fit = case
    structure = reference["corStruct"]
    pairs, single = residual_rows(fit, "cor"), residual_rows(fit, "par")
    if structure is None:
        assert pairs.empty
        assert single.empty
    elif structure["class"] == "corSymm":
        found = {(int(r.coef), int(r.coef2)): r.estimate for r in pairs.itertuples()}
        ages = [8, 10, 12, 14]
        order = [(a, b) for i, a in enumerate(ages) for b in ages[i + 1 :]]
        np.testing.assert_allclose([found[pair] for pair in order], structure["coef"], atol=1e-3)
    else:
        assert pairs.empty
        (value,) = structure["coef"].values()
        assert single["coef"].tolist() == ["rho"]
        assert single["estimate"].item() == pytest.approx(value, abs=1e-3)


def test_predicted_effects(case):
    reference, fit = case
    for block in as_list(reference["blups"] or []):
        names = [ours(term) for term in as_list(block["terms"])]
        table = fit.ranef().set_index(["group", "level", "coef"])["estimate"]
        values = np.reshape(block["values"], (len(block["levels"]), len(names)))
        assert len(table) == values.size
        for level, row in zip(block["levels"], values, strict=True):
            for name, value in zip(names, row, strict=True):
                spread = np.abs(values[:, names.index(name)]).max()
                assert table[block["group"], level, name] == pytest.approx(value, abs=1e-3 * spread)

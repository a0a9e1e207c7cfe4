"""Other packages' names: what they are called here comes before what is spelled alike."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bayeslmm import synonyms
from bayeslmm.engines import ENGINES
from bayeslmm.errors import (
    ColumnError,
    DataError,
    FormulaError,
    MethodError,
    ModelError,
    PriorError,
    nearest,
)
from bayeslmm.families import FAMILIES, LINKS
from bayeslmm.formula.functions import FUNCTIONS, STRUCTURES
from bayeslmm.formula.residual import RESIDUALS
from bayeslmm.model.response import family_of
from bayeslmm.model.types import Specification
from bayeslmm.priors.registry import EXAMPLES, PRIORS, parse_prior
from tests.bad_input.cases import Bad, bad, changed, check, model, plain, table

NAMES = [
    ("family", "nbinom2", "negative_binomial"),
    ("family", "negbinomial", "negative_binomial"),
    ("family", "Negative.Binomial", "negative_binomial"),
    ("family", "nb", "negative_binomial"),
    ("family", "binary", "bernoulli"),
    ("family", "logistic", "bernoulli"),
    ("family", "cumulative", "ordinal"),
    ("family", "beta_family", "beta"),
    ("family", "Gamma", "gamma"),
    ("family", "StudentT", "student_t"),
    ("family", "t", "student_t"),
    ("family", "normal", "gaussian"),
    ("family", "zi_poisson", "zero_inflated_poisson"),
    ("family", "zinb", "zero_inflated_negative_binomial"),
    ("link", "logistic", "logit"),
    ("residual", "corAR1", "ar1"),
    ("residual", "corCAR1", "car1"),
    ("residual", "corSymm", "us"),
    ("residual", "un", "us"),
    ("residual", "mat", "matern"),
    ("method", "REML", "reml"),
    ("method", "mcmc", "nuts"),
    ("method", "hmc", "nuts"),
    ("method", "bayes", "exact"),
    ("prior", "HalfNormal", "half_normal"),
    ("prior", "lkj_corr_cholesky", "lkj"),
    ("prior", "inv_gamma", "inverse_gamma"),
    ("prior key", "b", "beta"),
    ("prior key", "L", "cor"),
]
KNOWN = {
    "family": FAMILIES,
    "link": LINKS,
    "structure": STRUCTURES,
    "residual": RESIDUALS,
    "method": [*ENGINES, "auto"],
    "prior": PRIORS,
    "prior key": ["beta", "Intercept", "sd", "sd^2", "cor", "cor_residual", "sigma", "sigma^2"],
    "function": FUNCTIONS,
    "column": [],
}


@pytest.mark.parametrize(("kind", "name", "here"), NAMES)
def test_a_name_of_another_package_is_translated(kind: str, name: str, here: str) -> None:
    assert nearest(name, KNOWN[kind], kind) == f"Did you mean {here!r}?"


@pytest.mark.parametrize("kind", synonyms.TABLES)
def test_every_synonym_leads_somewhere(kind: str) -> None:
    """A value is a name that there is, a sentence, or empty; a key is in its plain form."""
    parameters = {a.name for f in FAMILIES.values() for a in f.auxiliaries}
    known = {*KNOWN[kind], *(parameters if kind == "prior key" else ())}
    for key, value in synonyms.TABLES[kind].items():
        assert key == synonyms.plain(key)
        assert not value or value in known or " " in value, (key, value)


@pytest.mark.parametrize("name", ["skew_normal", "weibull", "no such thing at all"])
def test_a_name_without_counterpart_gets_the_whole_list(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        family_of(Specification("y ~ x", family=name))
    assert all(str(caught.value).count(f" {family}") >= 1 for family in FAMILIES)
    assert "…" not in str(caught.value)


@pytest.mark.parametrize("name", PRIORS)
def test_every_prior_has_an_example_that_is_read(name: str) -> None:
    assert parse_prior(EXAMPLES[name]).name == name


def test_no_message_lists_the_same_twice() -> None:
    for text in ("y ~ zzzzz(x)", "y ~ x + zzzzz(x | g)"):
        with pytest.raises(FormulaError) as caught:
            model(text)
        assert str(caught.value).count("matern") == str(caught.value).count(" exp,") == 1
    with pytest.raises(ModelError) as other:
        model(residual="zzzzz(x | g)")
    assert str(other.value).count("varpower") == 1


def dated() -> pd.DataFrame:
    """The table with dates as text, by row within each level."""
    data = table()
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(data.groupby("g").cumcount(), unit="D")
    return data.assign(day=days.dt.strftime("%Y-%m-%d"))


CASES = [
    bad("compound symmetry of nlme", ModelError, "cs(time | g, hom=True)")(
        lambda _: model(residual="corCompSymm(h | g)")
    ),
    bad("variances by level", ModelError, "diag(g)")(lambda _: model(residual="varIdent(h)")),
    bad("variance of the fitted values", ModelError, "fitted values", "varpower(x)")(
        lambda _: model(residual="varPower(fitted)")
    ),
    bad("power of the fitted values", ColumnError, "fitted values", "varpower(x)")(
        lambda _: model(residual="varpower(fitted)")
    ),
    bad("independent residuals", ModelError, "leave residual= out")(
        lambda _: model(residual="id(h)")
    ),
    bad("cbind", FormulaError, "trials='n'")(lambda _: model("cbind(a, b - a) ~ x")),
    bad("cbind of a binomial response", FormulaError, "trials='n'")(
        lambda _: model("cbind(a, b - a) ~ x", family="binomial")
    ),
    bad("binomial trials on the left", FormulaError, "given as trials=")(
        lambda _: model("y | trials(w) ~ x", family="binomial")
    ),
    bad("grouping factor within itself", FormulaError, "names the column 'g' twice", "(1 | g)")(
        lambda _: model("y ~ x + (1 | g/g)")
    ),
    bad("grouping factor within its parent", FormulaError, "column 'g' twice", "(1 | g/h)")(
        lambda _: model("y ~ x + (1 | g/h/g)")
    ),
    bad("dates as text", DataError, "data['day'] = pd.to_datetime(data['day'])")(
        lambda _: model(residual="ar1(day | g)", data=dated())
    ),
    bad("trials on the left", FormulaError, "given as trials=")(
        lambda _: model("y | trials(w) ~ x")
    ),
    bad("weights on the left", FormulaError, "given as weights=")(
        lambda _: model("y | weights(w) ~ x")
    ),
    bad("standard errors on the left", FormulaError, "given as known_sd=")(
        lambda _: model("y | se(s) ~ 1")
    ),
    bad("self-starting curve", FormulaError, "Nonlinear formulas aren't available yet")(
        lambda _: model("y ~ SSlogis(x, a, b, c)")
    ),
    bad("relationship in the bar", FormulaError, "relationship={'g': matrix}")(
        lambda _: model("y ~ x + (1 | g, cov = A)")
    ),
    bad("relationship in gr()", FormulaError, "relationship={'g': matrix}")(
        lambda _: model("y ~ x + (1 | gr(g, cov = A))")
    ),
    bad("factor()", FormulaError, "Write C(h)")(lambda _: model("y ~ factor(h)")),
    bad("relevel()", FormulaError, "Write C(h, contr.treatment('base level'))")(
        lambda _: model("y ~ relevel(h, ref = 'a')")
    ),
    bad("monotonic effect", FormulaError, "ordered categorical")(lambda _: model("y ~ mo(h)")),
    bad("natural spline", FormulaError, "cr(x, df=4)")(lambda _: model("y ~ ns(x, 4)")),
    bad("smooth", FormulaError, "Smooths", "bs(x, df=4)")(lambda _: model("y ~ s(x)")),
    bad("column named lambda", FormulaError, "between backticks: `lambda`")(
        lambda _: model("y ~ lambda", changed(**{"lambda": table()["x"]}))
    ),
    bad("variational Bayes", MethodError, "not available", "'nuts'")(lambda _: plain().fit("vb")),
    bad("two-sided prior of an sd", PriorError, "Write half_student_t(3, 0, 2.5)")(
        lambda _: model(priors={"sd": "student_t(3, 0, 2.5)"})
    ),
    bad("prior key of Bambi", PriorError, "Did you mean 'sd_g[Intercept]'?")(
        lambda _: model(priors={"1|g": "half_normal(1)"})
    ),
    bad("prior key of brms", PriorError, "Did you mean 'beta[x]'?")(
        lambda _: model(priors={"b_x": "normal(0, 1)"})
    ),
    bad("half-Cauchy of two parameters", PriorError, "one parameter", "half_cauchy(5)")(
        lambda _: model(priors={"sigma": "half_cauchy(0, 5)"})
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_an_idiom_of_another_package_is_translated(case: Bad, tmp_path: Path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize("name", ["lambda", "class", "if", "None", "TRUE"])
def test_columns_of_any_name_stand_between_backticks(name: str) -> None:
    data = changed(**{name: table()["x"]})
    fit = model(f"y ~ `{name}` + (1 | g)", data).fit("reml")
    same = model("y ~ x + (1 | g)").fit("reml")
    assert fit.loglik == pytest.approx(same.loglik, abs=1e-10)
    assert list(fit.fixef().index) == ["Intercept", name]

"""Bad input through the public door: each mistake has its error class and the words that help.

One table. A row is what the user did, the class of the error, and what its message must say.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import (
    BayeslmmError,
    ColumnError,
    DataError,
    FileError,
    FitError,
    FormulaError,
    GalleryError,
    IdentifiabilityError,
    LevelError,
    MethodError,
    ModelError,
    PriorError,
)

PLAIN = "y ~ x + (1 | g)"
SLOPES = "y ~ x + (x | g)"


@cache
def table() -> pd.DataFrame:
    """Six groups of four rows, a crossed factor, and columns to go wrong with."""
    rng = np.random.default_rng(20)
    g = np.repeat([f"g{i}" for i in range(6)], 4)
    x = np.tile([0.0, 1.0, 2.0, 3.0], 6) + 0.1 * rng.standard_normal(24)
    u = np.repeat(rng.standard_normal(6), 4)
    return pd.DataFrame(
        {
            "y": 10 + 0.5 * x + u + 0.5 * rng.standard_normal(24),
            "x": x,
            "twice": 2 * x,
            "g": g,
            "h": np.tile(["a", "b", "c", "d"], 6),
            "copy": np.char.add(g, "!"),
            "one": "only",
            "row": [f"r{i}" for i in range(24)],
            "words": "many words",
            "flat": 3.0,
            "w": rng.uniform(0.5, 2, 24),
            "s": rng.uniform(0.5, 2, 24),
            "when": pd.date_range("2020-01-01", periods=24),
        }
    )


def changed(**columns: Any) -> pd.DataFrame:
    """The table with some columns in place of its own."""
    return table().assign(**columns)


def with_value(column: str, value: Any, row: int = 2) -> pd.DataFrame:
    """The table with one value replaced."""
    out = table().copy()
    out.loc[row, column] = value
    return out


def model(formula: str = PLAIN, data: Any = None, **options: Any) -> bl.Model:
    """A model; what it warns of on the way isn't looked at here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        return bl.Model(formula, table() if data is None else data, **options)


@cache
def plain() -> bl.Model:
    return model()


@cache
def reml() -> bl.Fit:
    return plain().fit("reml")


@cache
def exact() -> bl.Fit:
    return plain().fit("exact", seed=1, draws=25, chains=2)


@cache
def known() -> bl.Fit:
    return model(known_sd="s").fit("ml")


def given(variances: Any, formula: str = PLAIN, **options: Any) -> bl.Fit:
    """Method conjugate at some variances."""
    return model(formula, priors="flat").fit("conjugate", variances=variances, draws=5, **options)


def new(**columns: Any) -> pd.DataFrame:
    """Two rows to predict."""
    return pd.DataFrame({"x": [1.0, 2.0], "g": ["g0", "g1"]} | columns)


def written(folder: Path, text: str) -> Path:
    """A model file beside a small data file."""
    table()[["y", "x", "g"]].to_csv(folder / "d.csv", index=False)
    (folder / "m.toml").write_text(text, encoding="utf-8")
    return folder / "m.toml"


def toml(folder: Path, rest: str) -> bl.Model:
    return bl.load_model(written(folder, '[data]\nfile = "d.csv"\n[model]\n' + rest))


def text_file(folder: Path) -> Path:
    (folder / "fit.nc").write_text("not a fit")
    return folder / "fit.nc"


def foreign_file(folder: Path) -> Path:
    """A netCDF file that some other program wrote."""
    path = folder / "other.nc"
    exact().tree["posterior"].to_dataset().to_netcdf(path, engine="h5netcdf")
    return path


class Bad(NamedTuple):
    """What is wrong, the error's class, the words, and how to do it (in a folder)."""

    what: str
    error: type[BayeslmmError]
    words: tuple[str, ...]
    call: Callable[[Path], Any]


def bad(what: str, error: type[BayeslmmError], *words: str) -> Callable[[Any], Bad]:
    return lambda call: Bad(what, error, words, call)


FORMULAS = [
    bad("empty formula", FormulaError, "empty")(lambda _: model(" ")),
    bad("formula that is no text", FormulaError, "text")(lambda _: model(5)),
    bad("no tilde", FormulaError, "'~'")(lambda _: model("y")),
    bad("no response", FormulaError, "response")(lambda _: model("~ x")),
    bad("open parenthesis", FormulaError, "never closed")(lambda _: model("y ~ x + (1 | g")),
    bad("bare bar", FormulaError, "(x | g)")(lambda _: model("y ~ x | g")),
    bad("nothing right of the bar", FormulaError, "bar")(lambda _: model("y ~ (1 | )")),
    bad("two grouping factors", FormulaError, "(1 | a) + (1 | b)")(
        lambda _: model("y ~ (1 | g + h)")
    ),
    bad("power inside a function", FormulaError, "^", "x**2")(lambda _: model("y ~ I(x^2)")),
    bad("comparison", FormulaError, "Comparisons", "I(x > 3)")(lambda _: model("y ~ x > 2")),
    bad("attribute access", FormulaError, "x.mean")(lambda _: model("y ~ x.mean()")),
    bad("attribute of a module", FormulaError, "log(x)")(lambda _: model("y ~ np.log(x)")),
    bad("dunder attribute", FormulaError, "two underscores")(lambda _: model("y ~ x.__class__")),
    bad("dunder name", FormulaError, "two underscores")(lambda _: model("y ~ __builtins__")),
    bad("import", FormulaError, "underscores")(
        lambda _: model("y ~ __import__('os').system('true')")
    ),
    bad("lambda", FormulaError, "Python code")(lambda _: model("y ~ (lambda: 1)()")),
    bad("lambda in a function", FormulaError, "can't")(lambda _: model("y ~ I((lambda: x)())")),
    bad("eval", FormulaError, "eval()")(lambda _: model("y ~ eval(x)")),
    bad("open", FormulaError, "open()")(lambda _: model("y ~ open(x)")),
    bad("getattr", FormulaError, "getattr()")(lambda _: model("y ~ getattr(x, 'T')")),
    bad("string trick", FormulaError, "quotes")(lambda _: model("y ~ I('x' * 999999999)")),
    bad("f-string", FormulaError, "quotes")(lambda _: model("y ~ I(f'{x}')")),
    bad("formatted braces", FormulaError, "Python code")(lambda _: model("y ~ {x.sum()}")),
    bad("subscript", FormulaError, "Subscripts")(lambda _: model("y ~ x[0]")),
    bad("walrus", FormulaError, "can't stand")(lambda _: model("y ~ I(x := 2)")),
    bad("second statement", FormulaError, "';'")(lambda _: model("y ~ x; import os")),
    bad("code as a response", FormulaError, "eval()")(lambda _: model("eval(y) ~ x")),
    bad("code as a grouping factor", FormulaError, "can't be a function")(
        lambda _: model("y ~ (1 | eval(g))")
    ),
    bad("code in backticks", ColumnError, "no column")(lambda _: model("y ~ `__import__('os')`")),
    bad("unknown function", FormulaError, "Did you mean 'log'?")(lambda _: model("y ~ lgo(x)")),
]

TABLES = [
    bad("unknown column", ColumnError, "'xx'", "Did you mean 'x'?")(lambda _: model("y ~ xx")),
    bad("column by another case", ColumnError, "Did you mean 'y'?")(lambda _: model("Y ~ x")),
    bad("unknown grouping factor", ColumnError, "'subject'", "There are: y, x")(
        lambda _: model("y ~ (1 | subject)")
    ),
    bad("no table", DataError, "table", "list", "pandas")(lambda _: model(data=[1, 2, 3])),
    bad("a path for a table", DataError, "table", "str")(lambda _: model(data="data.csv")),
    bad("a series for a table", DataError, "to_frame()")(lambda _: model(data=table()["y"])),
    bad("empty table", DataError, "no rows")(lambda _: model(data=table().iloc[:0])),
    bad("duplicate columns", DataError, "2 columns named 'x'")(
        lambda _: model(data=pd.concat([table(), table()[["x"]]], axis=1))
    ),
    bad("columns of several levels", DataError, "several levels")(
        lambda _: model(data=pd.concat({"a": table()}, axis=1))
    ),
    bad("columns of different length", DataError, "differ in length", "x: 2")(
        lambda _: model("y ~ x", {"y": [1, 2, 3], "x": [1, 2]})
    ),
    bad("response of words", DataError, "The response 'words'", "number")(
        lambda _: model("words ~ x")
    ),
    bad("response of dates", DataError, "'when' holds times", "number")(
        lambda _: model("when ~ x")
    ),
    bad("response of categories", DataError, "The response 'y'", "number")(
        lambda _: model(data=changed(y=pd.Categorical(table()["h"])))
    ),
    bad("complex response", DataError, "y")(lambda _: model(data=changed(y=table()["x"] * 1j))),
    bad("constant response", DataError, "constant", "3 in all 24")(lambda _: model("flat ~ x")),
    bad("one row", DataError, "constant")(lambda _: model("y ~ 1", table().iloc[:1])),
    bad("infinite response", DataError, "'y'", "infinite")(
        lambda _: model(data=with_value("y", np.inf))
    ),
    bad("infinite covariate", DataError, "'x'", "infinite")(
        lambda _: model(data=with_value("x", -np.inf))
    ),
    bad("logarithm of a negative", DataError, "log(")(
        lambda _: model("log(y) ~ x", changed(y=table()["y"] - 10))
    ),
    bad("all rows missing", DataError, "No row has all its values", "x: 24")(
        lambda _: model(data=changed(x=np.nan))
    ),
    bad("missing rows refused", DataError, "1 of 24", "missing='drop'")(
        lambda _: model(data=with_value("x", np.nan), missing="error")
    ),
    bad("missing= by another word", ModelError, "missing=", "'maybe'", "drop, error")(
        lambda _: model(missing="maybe")
    ),
    bad("fixed factor with one level", DataError, "'one'", "one level only", "Leave it out")(
        lambda _: model("y ~ one")
    ),
]

INPUTS = [
    bad("negative weight", DataError, "Weights can't be negative", "-1 at row 2")(
        lambda _: model(weights=with_value("w", -1.0)["w"])
    ),
    bad("weights all zero", DataError, "All weights are zero")(
        lambda _: model(weights=np.zeros(24))
    ),
    bad("infinite weight", DataError, "weights", "infinite")(
        lambda _: model(weights=with_value("w", np.inf)["w"])
    ),
    bad("NaN weight refused", DataError, "weights: 1", "missing='drop'")(
        lambda _: model(weights=with_value("w", np.nan)["w"].to_numpy(), missing="error")
    ),
    bad("weights of the wrong length", DataError, "weights has 3 values", "24 rows")(
        lambda _: model(weights=[1, 2, 3])
    ),
    bad("weights of two dimensions", DataError, "weights has 2 dimensions")(
        lambda _: model(weights=np.ones((24, 2)))
    ),
    bad("one number for weights", DataError, "weights has 0 dimensions")(
        lambda _: model(weights=2.0)
    ),
    bad("weights of words", DataError, "weights", "number")(lambda _: model(weights="words")),
    bad("unknown column of weights", ColumnError, "'ww'", "Did you mean 'w'?")(
        lambda _: model(weights="ww")
    ),
    bad("known_sd of zero", DataError, "must be positive", "0 at row 2")(
        lambda _: model(known_sd=with_value("s", 0.0)["s"])
    ),
    bad("known_sd negative", DataError, "must be positive")(
        lambda _: model(known_sd=-table()["s"])
    ),
    bad("known_sd of the wrong length", DataError, "known_sd has 2 values")(
        lambda _: model(known_sd=[1.0, 2.0])
    ),
    bad("weights with known_sd", ModelError, "weights and known_sd", "sd / sqrt(weight)")(
        lambda _: model(weights="w", known_sd="s")
    ),
    bad("offset of the wrong length", DataError, "offset has 1 values")(
        lambda _: model(offset=[1.0])
    ),
    bad("infinite offset", DataError, "offset", "infinite")(
        lambda _: model(offset=np.full(24, np.inf))
    ),
    bad("unknown family", ModelError, "'gausian'", "Did you mean 'gaussian'?")(
        lambda _: model(family="gausian")
    ),
    bad("family of no kind", ModelError, "Unknown family")(lambda _: model(family=["gaussian"])),
    bad("unknown link", ModelError, "no link 'logit'", "identity")(lambda _: model(link="logit")),
    bad("unknown structure of residuals", ModelError, "ar2()", "ar1", "varpower")(
        lambda _: model(residual="ar2(x | g)")
    ),
    bad("residuals of uneven times", DataError, "'x'", "no common spacing", "car1")(
        lambda _: model(residual="ar1(x | g)")
    ),
    bad("residuals at one place twice", DataError, "rows 0, 1", "one place", "a:b")(
        lambda _: model(residual="us(one | g)")
    ),
    bad("residuals of counts", ModelError, "residual=", "poisson")(
        lambda _: model(
            "n ~ x", changed(n=1 + np.arange(24) % 3), family="poisson", residual="ar1(h | g)"
        )
    ),
    bad("residuals that run", FormulaError, "two underscores")(
        lambda _: model(residual="ar1(__import__('os').system('true') | g)")
    ),
    bad("residual matrix of another size", DataError, "residual", "6", "24 rows")(
        lambda _: model(residual=np.eye(6))
    ),
    bad("variances beside known_sd", ModelError, "known_sd", "varpower")(
        lambda _: model(residual="varpower(w)", known_sd="s")
    ),
    bad("random= of no factor", ModelError, "random=", "'nobody'", "Allowed: g")(
        lambda _: model(random={"nobody": "student_t"})
    ),
    bad("random= unknown", ModelError, "'cauchy'", "student_t")(
        lambda _: model(random={"g": "cauchy"})
    ),
    bad("random= no dict", ModelError, "random=", "dict")(lambda _: model(random="student_t")),
    bad("dpar= unknown", ModelError, "no parameter 'nu'", "sigma")(
        lambda _: model(dpar={"nu": "~ x"})
    ),
    bad("dpar= no formula", FormulaError, "~ x")(lambda _: model(dpar={"sigma": "x"})),
    bad("prior of a dpar", PriorError, "'sigma_'", "beta[x]")(
        lambda _: model(dpar={"sigma": "~ x"}, priors={"sigma_beta[z]": "normal(0, 1)"})
    ),
    bad("known_sd and dpar", ModelError, "known_sd", "dpar=")(
        lambda _: model(dpar={"sigma": "~ x"}, known_sd="w")
    ),
    bad("known_sd and poisson", ModelError, "known_sd=", "poisson")(
        lambda _: model(family="poisson", known_sd="w")
    ),
    bad("negative counts", DataError, "poisson", "row", "whole numbers")(
        lambda _: model(family="poisson")
    ),
    bad("binomial without trials", ModelError, "trials=", "bernoulli")(
        lambda _: model(family="binomial")
    ),
    bad("half a trial", DataError, "Trials", "whole", "row")(
        lambda _: model(family="binomial", trials="w")
    ),
    bad("relationship of no factor", ModelError, "relationship=", "'gg'", "Allowed: g")(
        lambda _: model(relationship={"gg": np.eye(6)})
    ),
    bad("relationship of another size", DataError, "5 levels", "Say its levels")(
        lambda _: model(relationship={"g": np.eye(5)})
    ),
    bad("singular relationship", DataError, "not positive definite", "ridge")(
        lambda _: model(relationship={"g": np.ones((6, 6))})
    ),
    bad("trials=", ModelError, "takes no trials", "binomial")(lambda _: model(trials="w")),
]

PRIORS = [
    bad("unknown prior", PriorError, "'normall'", "Did you mean 'normal'?")(
        lambda _: model(priors={"beta": "normall(0, 1)"})
    ),
    bad("prior of the wrong support", PriorError, "'sd'", "positive", "half_normal")(
        lambda _: model(priors={"sd": "normal(0, 1)"})
    ),
    bad("positive prior on a slope", PriorError, "beta[x]", "any sign", "normal")(
        lambda _: model(priors={"beta[x]": "exponential(1)"})
    ),
    bad("uniform below zero on sigma", PriorError, "'sigma'", "positive")(
        lambda _: model(priors={"sigma": "uniform(-1, 5)"})
    ),
    bad("correlations' prior on an sd", PriorError, "'sd_g'")(
        lambda _: model(priors={"sd_g": "lkj(2)"})
    ),
    bad("number's prior on correlations", PriorError, "'cor_g'", "lkj(eta)")(
        lambda _: model(SLOPES, priors={"cor_g": "normal(0, 1)"})
    ),
    bad("correlation where there is none", PriorError, "'cor_g'", "nothing")(
        lambda _: model(priors={"cor_g": "lkj(2)"})
    ),
    bad("prior with too few parameters", PriorError, "normal(mu, sigma)")(
        lambda _: model(priors={"beta": "normal(0)"})
    ),
    bad("prior with an unknown parameter", PriorError, "normal(mu, sigma)")(
        lambda _: model(priors={"beta": "normal(0, sd=1)"})
    ),
    bad("prior with a parameter twice", PriorError, "normal")(
        lambda _: model(priors={"beta": "normal(0, 1, sigma=1)"})
    ),
    bad("prior with a negative scale", PriorError, "'sigma'", "must be positive", "-1")(
        lambda _: model(priors={"beta": "normal(0, -1)"})
    ),
    bad("prior with an infinite scale", PriorError, "finite", "inf")(
        lambda _: model(priors={"beta": "normal(0, 1e999)"})
    ),
    bad("uniform that falls", PriorError, "must rise")(
        lambda _: model(priors={"beta": "uniform(2, 1)"})
    ),
    bad("half-t with a location", PriorError, "folded at zero", "5")(
        lambda _: model(priors={"sd": "half_student_t(3, 5, 1)"})
    ),
    bad("code in a prior", PriorError, "plain numbers")(
        lambda _: model(priors={"beta": "normal(0, __import__('os').getpid())"})
    ),
    bad("attribute in a prior", PriorError, "can't be read")(
        lambda _: model(priors={"beta": "scipy.stats.norm(0, 1)"})
    ),
    bad("unreadable prior", PriorError, "can't be read", "normal(0, 5)")(
        lambda _: model(priors={"beta": "normal(0, 1"})
    ),
    bad("starred arguments in a prior", PriorError, "plain numbers")(
        lambda _: model(priors={"beta": "normal(*[0, 1])"})
    ),
    bad("double-starred arguments in a prior", PriorError, "plain numbers")(
        lambda _: model(priors={"beta": "normal(**{'mu': 0, 'sigma': 1})"})
    ),
    bad("number for a prior", PriorError, "text such as", "5")(lambda _: model(priors={"beta": 5})),
    bad("list for the priors", PriorError, "dict", "list")(
        lambda _: model(priors=["normal(0, 1)"])
    ),
    bad("single text that is not flat", PriorError, "'flat'", "{'beta': 'normal(0, 5)'}")(
        lambda _: model(priors="normal(0, 1)")
    ),
    bad("prior key with a typo", PriorError, "'sd_gg'", "Did you mean 'sd_g'?")(
        lambda _: model(priors={"sd_gg": "exponential(1)"})
    ),
    bad("prior of an unknown slope", PriorError, "'beta[xx]'", "Did you mean 'beta[x]'?")(
        lambda _: model(priors={"beta[xx]": "normal(0, 1)"})
    ),
    bad("prior key sigma by another case", PriorError, "'Sigma'", "Did you mean 'sigma'?")(
        lambda _: model(priors={"Sigma": "half_normal(1)"})
    ),
    bad("two priors of the intercept", PriorError, "intercept has two priors", "Intercept_centred")(
        lambda _: model(priors={"Intercept": "normal(0, 1)", "Intercept_centred": "normal(0, 1)"})
    ),
    bad(
        "two names of the intercept", PriorError, "intercept has two", "Intercept, beta[Intercept]."
    )(lambda _: model(priors={"Intercept": "normal(0, 1)", "beta[Intercept]": "flat"})),
    bad("prior of an intercept that isn't there", PriorError, "'Intercept'", "nothing")(
        lambda _: model("y ~ 0 + x + (1 | g)", priors={"Intercept": "normal(0, 1)"})
    ),
    bad("prior of sd and its square", PriorError, "'sigma^2'", "one of them")(
        lambda _: model(priors={"sigma": "half_normal(1)", "sigma^2": "inverse_gamma(1, 1)"})
    ),
    bad("sd prior without random effects", PriorError, "'sd'", "There are: Intercept_centred")(
        lambda _: model("y ~ x", priors={"sd": "half_normal(1)"})
    ),
    bad("prior of a known sigma", PriorError, "no sigma", "known")(
        lambda _: model(known_sd="s", priors={"sigma": "half_normal(1)"})
    ),
]

METHODS = [
    bad("unknown method", MethodError, "'remll'", "Did you mean 'reml'?")(
        lambda _: plain().fit("remll")
    ),
    bad("method by another case", MethodError, "Did you mean 'reml'?")(
        lambda _: plain().fit("REML")
    ),
    bad("method of no kind", MethodError, "Unknown method")(lambda _: plain().fit(["reml"])),
    bad("option that reml lacks", MethodError, "'reml' has no option 'kappa'")(
        lambda _: plain().fit("reml", kappa=0)
    ),
    bad("option that exact lacks", MethodError, "'exact' has no option 'tune'")(
        lambda _: plain().fit("exact", tune=100)
    ),
    bad("option with a typo", MethodError, "'variance'", "Did you mean 'variances'?")(
        lambda _: plain().fit("conjugate", variance=reml())
    ),
    bad("no draws", MethodError, "draws", "at least 1", "0")(
        lambda _: plain().fit("exact", draws=0)
    ),
    bad("draws of a fraction", MethodError, "draws", "whole number", "10.5")(
        lambda _: plain().fit("exact", draws=10.5)
    ),
    bad("negative chains", MethodError, "chains", "at least 1", "-2")(
        lambda _: plain().fit("exact", chains=-2)
    ),
    bad("seed of no kind", MethodError, "seed", "'lucky'")(
        lambda _: plain().fit("exact", seed="lucky", draws=5)
    ),
    bad("negative seed", MethodError, "seed", "-1")(lambda _: plain().fit("exact", seed=-1)),
    bad("uniform slope in exact", MethodError, "uniform(-5, 5)", "beta[x]", "'nuts' takes it")(
        lambda _: model(priors={"beta[x]": "uniform(-5, 5)"}).fit("exact")
    ),
    bad("factor with one level in reml", IdentifiabilityError, "'one'", "one level", "proper")(
        lambda _: model("y ~ x + (1 | one)").fit("reml")
    ),
    bad("factor with one level in ml", IdentifiabilityError, "'one'", "one level")(
        lambda _: model("y ~ x + (1 | one)").fit("ml")
    ),
    bad("one row a level in reml", IdentifiabilityError, "one row per level", "known_sd")(
        lambda _: model("y ~ x + (1 | row)").fit("reml")
    ),
    bad("as many effects as rows", IdentifiabilityError, "24 effects for 24 rows")(
        lambda _: model("y ~ x + (0 + h | g)").fit("ml")
    ),
    bad("two factors that are one", IdentifiabilityError, "'g'", "'copy'", "same groups")(
        lambda _: model("y ~ x + (1 | g) + (1 | copy)").fit("reml")
    ),
    bad("factor both fixed and random", IdentifiabilityError, "'g'", "inside the fixed")(
        lambda _: model("y ~ g + (1 | g)").fit("reml")
    ),
    bad("more coefficients than rows", MethodError, "3 rows for 3 fixed")(
        lambda _: model("y ~ x + s", table().iloc[:3]).fit("reml")
    ),
    bad("conjugate without variances", MethodError, "needs the variances", "sd_<group>")(
        lambda _: plain().fit("conjugate")
    ),
    bad("variances of no kind", MethodError, "variances", "another fit")(lambda _: given(5)),
    bad("variances of another model", MethodError, "another model")(
        lambda _: given(reml(), "y ~ x + (1 | h)")
    ),
    bad("variances of a fit with fewer coefficients", MethodError, "another model")(
        lambda _: given(reml(), SLOPES)
    ),
    bad("variances without sigma", MethodError, "lacks 'sigma'", "sigma, sd_g")(
        lambda _: given({"sd_g": 1.0})
    ),
    bad("variances without an sd", MethodError, "lacks 'sd_g'")(lambda _: given({"sigma": 1.0})),
    bad("variances with a typo", MethodError, "'sd_gg'", "Did you mean 'sd_g'?")(
        lambda _: given({"sigma": 1.0, "sd_gg": 1.0})
    ),
    bad("variances of the wrong length", DataError, "'sd_g'", "1 finite number", "[1, 2]")(
        lambda _: given({"sigma": 1.0, "sd_g": [1, 2]})
    ),
    bad("negative sd", DataError, "negative", "sd_g", "-1")(
        lambda _: given({"sigma": 1.0, "sd_g": -1.0})
    ),
    bad("sigma of zero", DataError, "sigma must be positive")(
        lambda _: given({"sigma": 0.0, "sd_g": 1.0})
    ),
    bad("NaN sd", DataError, "'sd_g'", "finite")(lambda _: given({"sigma": 1.0, "sd_g": np.nan})),
    bad("sd of words", DataError, "'sd_g'", "numbers", "'big'")(
        lambda _: given({"sigma": 1.0, "sd_g": "big"})
    ),
    bad("correlation above one", DataError, "No covariance matrix", "cor_g", "1.5")(
        lambda _: given({"sigma": 1.0, "sd_g": [1, 1], "cor_g": 1.5}, SLOPES)
    ),
    bad("correlations that no matrix has", DataError, "No covariance matrix", "cor_g")(
        lambda _: given(
            {"sigma": 1.0, "sd_g": [1, 1, 1], "cor_g": [0.9, 0.9, -0.9]}, "y ~ x + (x + s | g)"
        )
    ),
    bad("relative sd beside sigma", MethodError, "leave sigma out")(
        lambda _: given({"sigma": 1.0, "rel_sd_g": 1.0})
    ),
    bad("relative and absolute sd", MethodError, "'sd_g'", "rel_sd_g")(
        lambda _: given({"sd_g": 1.0, "rel_sd_g": 1.0})
    ),
    bad("absolute priors with relative sds", PriorError, "must scale with", "kappa=")(
        lambda _: plain().fit("conjugate", variances={"rel_sd_g": 1.0})
    ),
    bad("negative kappa", PriorError, "kappa", "-1", "0 (flat) or more")(
        lambda _: given(reml(), kappa=-1.0)
    ),
    bad("kappa of NaN", PriorError, "kappa")(lambda _: given(reml(), kappa=np.nan)),
    bad("kappa of words", PriorError, "kappa", "'small'")(lambda _: given(reml(), kappa="small")),
    bad("Student-t slope in conjugate", PriorError, "normal and flat", "kappa=")(
        lambda _: model(priors={"beta": "student_t(3, 0, 1)"}).fit("conjugate", variances=reml())
    ),
    bad("negative scale of sigma2_prior", PriorError, "sigma2_prior", "-2.0")(
        lambda _: given({"rel_sd_g": 1.0}, sigma2_prior=(1.0, -2.0))
    ),
    bad("sigma2_prior without a posterior", PriorError, "improper", "IG(")(
        lambda _: given({"rel_sd_g": 1.0}, sigma2_prior=(-20.0, 0.0))
    ),
    bad("sigma2_prior of one number", PriorError, "sigma2_prior")(
        lambda _: given({"rel_sd_g": 1.0}, sigma2_prior=1.0)
    ),
    bad("sigma2_prior beside sigma", MethodError, "sigma2_prior", "rel_sd")(
        lambda _: given(reml(), sigma2_prior=(1.0, 1.0))
    ),
    bad("unknown parametrisation", MethodError, "parametrisation", "noncentred")(
        lambda _: plain().to_pymc(parametrisation="non-centred")
    ),
    bad("unknown sampler", MethodError, "'stan'", "nutpie")(
        lambda _: plain().fit("nuts", sampler="stan")
    ),
]

FITS = [
    bad("sigma of known standard deviations", FitError, "known_sd", "no sigma")(
        lambda _: known().sigma
    ),
    bad("loglik of an exact fit", FitError, "'exact' has no loglik", "'reml'")(
        lambda _: exact().loglik
    ),
    bad("evidence of a reml fit", FitError, "'reml' has no log_evidence", "exact")(
        lambda _: reml().log_evidence
    ),
    bad("evidence under a flat prior", FitError, "no log_evidence", "proper priors")(
        lambda _: model(priors="flat").fit("exact", seed=1, draws=5).log_evidence
    ),
    bad("conditional variances of draws", FitError, "given beta", "'reml'")(
        lambda _: exact().ranef(given_beta=True)
    ),
    bad("unknown coefficient in a contrast", ColumnError, "'X'", "Did you mean 'x'?")(
        lambda _: reml().contrast({"X": 1})
    ),
    bad("contrast that is no dict", DataError, "contrast", "{'x': 1}")(
        lambda _: reml().contrast("x")
    ),
    bad("contrast of nothing", DataError, "contrast")(lambda _: reml().contrast({})),
    bad("contrast of words", DataError, "contrast", "'much'")(
        lambda _: reml().contrast({"x": "much"})
    ),
    bad("contrast of NaN", DataError, "contrast", "nan")(lambda _: exact().contrast({"x": np.nan})),
    bad("unknown effects", MethodError, "'gg'", "Did you mean 'g'?")(
        lambda _: reml().predict(effects=["gg"])
    ),
    bad("effects of no kind", MethodError, "effects", "5")(lambda _: reml().predict(effects=5)),
    bad("unknown kind", MethodError, "kind='median'", "mean, link, response")(
        lambda _: reml().predict(kind="median")
    ),
    bad("unknown new_levels", MethodError, "new_levels='skip'", "error, draw, zero")(
        lambda _: reml().predict(new(), new_levels="skip")
    ),
    bad("unseen level", LevelError, "'g9'", "'g'", "new_levels='draw'")(
        lambda _: reml().predict(new(g=["g0", "g9"]))
    ),
    bad("new rows without a covariate", ColumnError, "no column 'x'")(
        lambda _: reml().predict(new().drop(columns="x"))
    ),
    bad("new rows without the factor", ColumnError, "no column 'g'")(
        lambda _: exact().predict(new().drop(columns="g"))
    ),
    bad("missing value in new rows", DataError, "'x'", "missing in 1 of 2")(
        lambda _: reml().predict(new(x=[1.0, np.nan]))
    ),
    bad("words in new rows", DataError, "'x'")(lambda _: reml().predict(new(x=["a", "b"]))),
    bad("no new rows", DataError, "no rows")(lambda _: reml().predict(new().iloc[:0])),
    bad("new rows of no kind", DataError, "table")(lambda _: reml().predict(7)),
    bad("new observations of known sds", ColumnError, "known_sd", "'s'", "kind='mean'")(
        lambda _: known().predict(new(), kind="response")
    ),
    bad("new observations of weights", ColumnError, "weights", "'w'", "extras={'weights'")(
        lambda _: model(weights="w").fit("ml").predict(new(), kind="response")
    ),
    bad("new rows without the offset", ColumnError, "'w'", "offset", "extras={'offset'")(
        lambda _: model(offset="w").fit("ml").predict(new())
    ),
    bad("unknown extra of new rows", MethodError, "'weight'", "Did you mean 'weights'")(
        lambda _: reml().predict(new(), extras={"weight": [1, 1]})
    ),
    bad("extras of no kind", MethodError, "extras", "a dict")(
        lambda _: reml().predict(new(), extras="w")
    ),
    bad("extras without rows", MethodError, "extras", "new rows")(
        lambda _: reml().predict(extras={"weights": np.ones(24)})
    ),
    bad("known_sd for a model with sigma", MethodError, "known_sd", "sigma")(
        lambda _: reml().predict(new(), extras={"known_sd": [1, 1]})
    ),
    bad("extras in an absent column", ColumnError, "no column 'v'")(
        lambda _: reml().predict(new(), extras={"weights": "v"})
    ),
    bad("extras of the wrong length", DataError, "weights has 1 values")(
        lambda _: reml().predict(new(), extras={"weights": [1.0]})
    ),
    bad("negative weights of new rows", DataError, "weights", "-1")(
        lambda _: reml().predict(new(), kind="response", extras={"weights": [1.0, -1.0]})
    ),
    bad("zero known_sd of new rows", DataError, "known_sd", "nor zero")(
        lambda _: known().predict(new(), kind="response", extras={"known_sd": [1.0, 0.0]})
    ),
    bad("negative seed of a prediction", MethodError, "seed", "-1")(
        lambda _: exact().predict(kind="response", seed=-1)
    ),
]

FILES = [
    bad("load a fit that isn't there", FileError, "no file", "nowhere.nc")(
        lambda tmp: bl.load_fit(tmp / "nowhere.nc")
    ),
    bad("load a folder", FileError, "no file")(lambda tmp: bl.load_fit(tmp)),
    bad("load a text file as a fit", FileError, "fit.nc", "not a saved fit")(
        lambda tmp: bl.load_fit(text_file(tmp))
    ),
    bad("load some other netCDF file", FileError, "other.nc", "not a saved fit", "another program")(
        lambda tmp: bl.load_fit(foreign_file(tmp))
    ),
    bad("save to a missing folder", FileError, "no folder", "nowhere")(
        lambda tmp: reml().save(tmp / "nowhere" / "fit.nc")
    ),
    bad("save over a folder", FileError, "could not be saved", "Is a directory.")(
        lambda tmp: (tmp / "sub").mkdir() or reml().save(tmp / "sub")
    ),
    bad("unknown model of the gallery", GalleryError, "'sleepstduy'", "Did you mean 'sleepstudy'?")(
        lambda _: bl.load_model("sleepstduy")
    ),
    bad("missing model file", FileError, "no model file", "nowhere.toml")(
        lambda tmp: bl.load_model(tmp / "nowhere.toml")
    ),
    bad("malformed TOML", FileError, "m.toml", "valid TOML", "line 1")(
        lambda tmp: bl.load_model(written(tmp, "[data\n"))
    ),
    bad("unknown key in TOML", FileError, "'formulas'", "Did you mean 'formula'?")(
        lambda tmp: toml(tmp, 'formulas = "y ~ x"\n')
    ),
    bad("code in a TOML formula", FormulaError, "eval()")(
        lambda tmp: toml(tmp, 'formula = "y ~ eval(x)"\n')
    ),
    bad("bad prior in TOML", PriorError, "'cauch'", "Did you mean 'cauchy'?")(
        lambda tmp: toml(tmp, 'formula = "y ~ x"\npriors = { beta = "cauch(0, 1)" }\n')
    ),
]

CASES = FORMULAS + TABLES + INPUTS + PRIORS + METHODS + FITS + FILES


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_a_mistake_is_named_with_words_that_help(case: Bad, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bl.errors.BayeslmmWarning)
        with pytest.raises(BayeslmmError) as caught:
            case.call(tmp_path)
    assert caught.type is case.error
    message = str(caught.value)
    for words in case.words:
        assert words in message
    _check_sentence(message)


def _check_sentence(message: str) -> None:
    """A message begins with a word, ends like a sentence, and doubles no stop on the way."""
    text, *formula = message.split("\n")  # a formula may follow, with a mark below the mistake
    assert re.match(r"[\w'`]", text)
    assert text[-1] in ".?"
    assert not re.search(r"[.?!,:;][.?](\s|$)", text)
    assert not formula or formula[-1].strip() == "^"


def test_every_mistake_has_a_name_of_its_own() -> None:
    assert len({case.what for case in CASES}) == len(CASES) >= 70

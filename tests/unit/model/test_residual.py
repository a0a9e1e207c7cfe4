"""What `residual=` and `relationship=` come to on a table, and what they refuse."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import bayeslmm as bl
from bayeslmm.errors import (
    BayeslmmError,
    BayeslmmWarning,
    ColumnError,
    DataError,
    FormulaError,
    LevelError,
    MethodError,
    ModelError,
    PriorError,
)
from bayeslmm.model import relationship
from tests.unit.gaussian.structured import LEVELS, RESIDUALS, effects_frame, frame_of, positive

COLOURS = {"o1": "red", "o2": "green", "o3": "blue", "o5": "white"}
FRAME, TWICE = (f.assign(colour=f["o"].map(COLOURS)) for f in (frame_of(), effects_frame()))
N = len(FRAME)
A = positive(9, 1)
G = [f"g{i}" for i in range(9)]


def model(
    residual: Any = None, data: pd.DataFrame = FRAME, formula: str = "y ~ x", **settings: Any
) -> bl.Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        return bl.Model(formula, data, residual=residual, **settings)


def changed(matrix: np.ndarray, *at: int, by: float = 0.1) -> np.ndarray:
    out = np.array(matrix)
    out[at] += by
    return out


DOUBLE = pd.concat([FRAME, FRAME.iloc[[2]]], ignore_index=True)
ONCE = (
    "ar1(t | g)", "us(o | g)", "exp(px + py | g)", "car1(time | g)", "fa(o | g)",
    "toep(t | g)", "ante(t | g)", "gau(t | g)", "matern(t | g)", "arma(t | g)",
)  # fmt: skip


@pytest.mark.parametrize("text", ONCE)
def test_two_rows_at_one_place_of_a_group_are_refused(text):
    with pytest.raises(
        DataError, match=r"rows 2, 27 .* same group and the same occasion"
    ) as caught:
        model(text, DOUBLE)
    assert ("nugget=True" in str(caught.value)) == text.startswith(("exp", "gau", "matern"))


@pytest.mark.parametrize(
    "text", ["cs(o | g)", "ar1(1 | g)", "exp(px + py | g, nugget=True)", "toep(1 | g)"]
)
def test_what_counts_rows_or_has_a_nugget_takes_them(text):
    assert model(text, DOUBLE).resolved.residual is not None


BAD = {
    "text where an order is needed": ("ar1(colour | g)", DataError, "blue.*ordered=True"),
    "text where times are needed": ("car1(colour | g)", DataError, "blue.*ordered=True"),
    "text where places are needed": ("exp(colour + t | g)", DataError, "distances.*'colour'"),
    "no common spacing": ("ar1(time | g)", DataError, "no common spacing.*car1"),
    "no common spacing of toep": ("toep(time | g)", DataError, "no common spacing"),
    "two columns of occasions": ("ar1(t + x | g)", DataError, "one ordered column"),
    "two correlations": ("us(o | g) + ar1(t | g)", ModelError, "one correlation"),
    "one correlation twice": ("ar1(t | g) + ar1(t | g)", ModelError, "one correlation|twice"),
    "two strata": ("diag(sex) + diag(o)", ModelError, "one factor only"),
    "strata beside a heterogeneous pattern": (
        "us(o | g) + diag(sex)",
        ModelError,
        "one factor only",
    ),
    "one variance function twice": ("varpower(v) + varpower(v)", ModelError, "twice"),
    "too many factors": ("fa(o | g, k=2)", ModelError, "more loadings"),
    "far too many factors": ("fa(o | g, k=9)", ModelError, "more loadings"),
    "no factors": ("fa(o | g, k=0)", ModelError, "number of factors"),
    "strata of two columns": ("diag(sex + o)", ModelError, "diag"),
    "a covariate for strata": ("diag(x)", DataError, "27 levels for 27 rows"),
    "a time for strata": ("us(time | g)", DataError, "27 levels for 27 rows"),
    "a power of text": ("varpower(sex)", DataError, "contains text"),
    "a power of zero": ("varpower(zero)", DataError, "is zero in row"),
    "a power in groups": ("varpower(v | g)", ModelError, "one column"),
    "a power of two columns": ("varpower(v + x)", ModelError, "one column"),
    "nothing that says where": ("exp(1 | g)", ModelError, "times or coordinates"),
    "an unknown column": ("ar1(nope | g)", ColumnError, "'nope'"),
    "an unknown group": ("ar1(t | nope)", ColumnError, "'nope'"),
    "an unknown column in backticks": ("diag(`__import__('os')`)", ColumnError, "no column"),
}


@pytest.mark.parametrize(("text", "error", "words"), BAD.values(), ids=BAD)
def test_bad_residuals_are_refused_in_words(text, error, words):
    with pytest.raises(error, match=words):
        model(text, FRAME.assign(zero=0.0))


@pytest.mark.parametrize("family", ["poisson", "bernoulli", "student_t", "lognormal", "gamma"])
def test_other_families_have_no_residual(family):
    frame = FRAME.assign(m=np.arange(N) % 2)
    for residual in ("ar1(t | g)", np.eye(N)):
        with pytest.raises(ModelError, match=f"Gaussian.*{family}"):
            model(residual, frame, "m ~ x", family=family)


def test_other_links_and_predictors_of_sigma_have_none():
    with pytest.raises(ModelError, match=r"identity.*log"):
        model("ar1(t | g)", FRAME.assign(y=np.exp(FRAME["y"])), link="log")
    with pytest.raises(ModelError, match="predictor of sigma"):
        model("ar1(t | g)", dpar={"sigma": "~ x"})


def test_known_sds_take_a_correlation_and_no_variances():
    for case in RESIDUALS.values():
        if case.strata or case.functions:
            with pytest.raises(ModelError, match="known_sd"):
                model(case.text, known_sd="s")
        else:
            assert model(case.text, known_sd="s").resolved.sigma_known


MATRICES = {
    "too small": (np.eye(N - 1), "26 values.*27 rows"),
    "too large": (np.eye(N + 1), "28 values.*27 rows"),
    "none": (np.empty((0, 0)), "0 values|square|shape"),
    "not square": (np.ones((N, 3)), r"\(27, 3\)"),
    "a vector": (np.ones(N), r"\(27,\)"),
    "a number": (3.0, r"\(\)"),
    "not symmetric": (changed(np.eye(N), 0, 1, by=0.5), "must be symmetric"),
    "singular": (np.ones((N, N)), "must be positive definite.*eigenvalue"),
    "negative": (-np.eye(N), "eigenvalue -1"),
    "not a number": (np.full((N, N), np.nan), "square matrix of numbers"),
    "infinite": (np.diag([np.inf] * N), "square matrix of numbers"),
    "text": (np.full((N, N), "a"), "a text or a matrix"),
    "an object": ({"a": 1}, "a text or a matrix"),
    "a function": (lambda: 1, "a text or a matrix"),
}


@pytest.mark.parametrize(("matrix", "words"), MATRICES.values(), ids=MATRICES)
def test_bad_matrices_are_refused_in_words(matrix, words):
    with pytest.raises(DataError, match=words):
        model(matrix)


def test_a_matrix_follows_its_rows():
    matrix = positive(N, 3)
    frame = FRAME.copy()
    frame.loc[[3, 9], "y"] = np.nan
    kept = frame["y"].notna().to_numpy()
    found = model(pd.DataFrame(matrix), frame).resolved.residual
    np.testing.assert_array_equal(found.known, matrix[np.ix_(kept, kept)])


def test_places_and_strata_go_by_the_users_labels():
    residual = model("ar1(t | g, hom=False) + varexp(x)").resolved.residual
    assert residual.strata.labels == ("1", "2", "3", "5")
    assert residual.correlated.places.at[:, 0].tolist() == [0, 1, 2, 4]
    assert [p.name for p in residual.parameters] == ["varexp(x)", "rho"]
    keys = model("ar1(t | g, hom=False) + varexp(x)").resolved.priors
    assert {"sigma[1]", "sigma[5]", "residual_par[rho]", "residual_par[varexp(x)]"} <= set(keys)
    us = model("us(o | g)").resolved
    assert us.n_variance_parameters == 10
    assert "cor_residual" in us.priors
    assert us.residual.parameters[0].name == "cor(o1,o2)"


def test_ordered_categories_of_occasions_go_by_their_order():
    order = ["late", "middle", "early", "later"]
    words = FRAME["o"].map(dict(zip(("o1", "o2", "o3", "o5"), order, strict=True)))
    frame = FRAME.assign(when=pd.Categorical(words, order, ordered=True))
    residual = model("ar1(when | g)", frame).resolved.residual
    assert residual.correlated.places.labels == tuple(order)
    assert residual.correlated.places.at[:, 0].tolist() == [0, 1, 2, 3]


def test_priors_of_residuals_have_keys_and_supports():
    good = {"sigma[F]": "exponential(1)", "sigma": "half_normal(2)",
            "residual_par[rho]": "uniform(0, 1)"}  # fmt: skip
    found = model("ar1(t | g) + diag(sex)", priors=good).resolved.prior_texts
    assert found["sigma[F]"] == "exponential(1)"
    assert found["sigma[M]"] == "half_normal(2)"
    assert found["residual_par[rho]"] == "uniform(0, 1)"
    for bad in ({"sigma[X]": "exponential(1)"}, {"residual_par[phi]": "uniform(0, 1)"},
                {"residual_par[rho]": "uniform(0, 2)"}, {"residual_par[rho]": "normal(0, 1)"},
                {"cor_residual": "lkj(2)"}, {"residual_par[rho]": "lkj(2)"}):  # fmt: skip
        with pytest.raises(PriorError):
            model("ar1(t | g) + diag(sex)", priors=bad)


# -- the side of the effects

EFFECTS = {
    "an intercept": ("ar1(1 + t | g)", FormulaError, "no intercept.*0 \\+ time"),
    "an intercept that is not written": ("ar1(t | g)", FormulaError, "no intercept"),
    "an interaction": ("exp(0 + t*x | g)", FormulaError, "times or coordinates"),
    "a function": ("ar1(0 + log(t) | g)", FormulaError, "times or coordinates"),
    "text where an order is needed": ("toep(0 + colour | g)", DataError, "ordered=True"),
    "text where times are needed": ("car1(0 + colour | g)", DataError, "ordered=True"),
    "no common spacing": ("toep(0 + time | g)", DataError, "no common spacing"),
    "two columns": ("ar1(0 + t + x | g)", DataError, "one ordered column"),
    "too many factors": ("fa(0 + o | g, k=2)", ModelError, "more loadings"),
    "far too many factors": ("fa(0 + o | g, k=12)", ModelError, "more loadings"),
    "one coefficient": ("fa(1 | g)", ModelError, "more loadings"),
    "hom of us": ("us(0 + o | g, hom=True)", FormulaError, "no setting 'hom'"),
    "a nugget of cs": ("cs(0 + o | g, nugget=True)", FormulaError, "no setting 'nugget'"),
    "an unknown structure": ("foo(0 + o | g)", FormulaError, r"foo\(\)"),
    "a variance function": ("varpower(v | g)", FormulaError, "varpower"),
    "two patterns on one coefficient": (
        "toep(0 + t | g) + ar1(0 + t | g)", FormulaError, "Several random terms",
    ),
    "two bars": ("ar1(0 + t || g)", FormulaError, r"'\|\|'"),
    "a setting that is no flag": ("exp(0 + t | g, nugget=3)", FormulaError, "True or False"),
    "code as a setting": ("fa(0 + o | g, k=len(o))", FormulaError, "k of fa"),
}  # fmt: skip


@pytest.mark.parametrize(("term", "error", "words"), EFFECTS.values(), ids=EFFECTS)
def test_bad_patterns_of_effects_are_refused_in_words(term, error, words):
    with pytest.raises(error, match=words):
        model(None, TWICE, f"y ~ x + {term}")


# -- relationships

KIN: dict[str, tuple[Any, type[BayeslmmError], str]] = {
    "another factor": ({"h": A}, ModelError, "'h'.*Allowed: g"),
    "too small": ({"g": np.eye(5)}, DataError, "5 levels.*9"),
    "not symmetric": ({"g": changed(A, 0, 3)}, DataError, "symmetric"),
    "sparse, not symmetric": ({"g": sparse.csr_array(changed(A, 0, 3))}, DataError, "symmetric"),
    "singular": ({"g": np.ones((9, 9))}, DataError, "not positive definite"),
    "negative": ({"g": -A}, DataError, "not positive definite"),
    "zero": ({"g": 0 * A}, DataError, "diagonal|positive"),
    "not a number": ({"g": A * np.nan}, DataError, "finite numbers only"),
    "a list": ([A], ModelError, "dict"),
    "a matrix alone": (A, ModelError, "dict"),
    "a text": ({"g": "A"}, DataError, "matrix of numbers"),
    "a number": ({"g": 3.0}, DataError, "square"),
    "nothing": ({"g": None}, DataError, "square"),
    "a vector": ({"g": np.ones(9)}, DataError, "square"),
    "not square": ({"g": np.ones((9, 4))}, DataError, "square"),
    "empty": ({"g": np.empty((0, 0))}, DataError, "square"),
    "labels that differ": ({"g": pd.DataFrame(A, G, G[::-1])}, DataError, "labels"),
    "labels twice": ({"g": pd.DataFrame(A, ["a"] * 9, ["a"] * 9)}, DataError, "distinct"),
    "levels that lack": (
        {"g": pd.DataFrame(A[:7, :7], G[:7], G[:7])}, LevelError, "'g7'.*missing levels",
    ),
    "levels of another kind": (
        {"g": pd.DataFrame(A, range(9), range(9))}, LevelError, "text.*numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given", "error", "words"), KIN.values(), ids=KIN)
def test_bad_relationships_are_refused_in_words(given, error, words):
    with pytest.raises(error, match=words):
        model(None, FRAME, "y ~ x + (1 | g)", relationship=given)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((A, G[:3]), "3 levels, 9 rows"),
        ((A, ["a"] * 9), "distinct"),
        ((A, [[1, 2]] * 9), "list"),
        ((A, "abcdefghi"), "list"),
        ((A, [1, [2, 3]]), "list|one level"),
        ((3,), "square"),
    ],
)
def test_bad_levels_of_a_relationship(arguments, words):
    with pytest.raises(DataError, match=words):
        relationship(*arguments)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (changed(A, 0, 3), "symmetric"),
        (sparse.csr_array(np.triu(A)), "symmetric"),
        (np.ones((9, 9)), "not positive definite"),
        (sparse.csr_array(np.zeros((9, 9))), "diagonal"),
        (A * np.nan, "diagonal|finite"),
        (np.diag([np.inf] + [1.0] * 8), "diagonal|finite"),
    ],
)
def test_bad_precisions(matrix, words):
    with pytest.raises(DataError, match=words):
        relationship(matrix, kind="precision")


def test_other_misuse_of_relationships():
    with pytest.raises(ModelError, match=r"kind.*covariance, precision"):
        relationship(A, G, kind="cov")
    with pytest.raises(ModelError, match="the normal distribution"):
        model(None, FRAME, "y ~ x + (1 | g)", relationship={"g": A}, random={"g": "student_t"})
    nested = relationship(A, G)
    with pytest.raises(DataError, match="one column"):
        model(None, FRAME, "y ~ x + (1 | g:item)", relationship={"g:item": nested})


def test_levels_without_rows_stay_in_the_models_factor():
    A13 = positive(13, 1)
    given = {"g": relationship(A13, LEVELS)}
    found = model(None, FRAME, "y ~ x + (1 | g)", relationship=given).resolved
    assert found.design.blocks[0].levels.tolist() == LEVELS
    precision = found.kin["g"]
    assert precision.log_det == pytest.approx(-np.linalg.slogdet(A13)[1])
    whole = np.zeros((13, 13))
    whole[precision.rows, precision.columns] = precision.values
    whole = whole + np.tril(whole, -1).T
    np.testing.assert_allclose(whole @ A13, np.eye(13), atol=1e-8)


# -- variances that are given

GIVEN = {
    "a correlation beyond one": ("ar1(t | g)", {"residual_par": [1.5]}, DataError, "rho"),
    "a negative range": ("exp(t | g)", {"residual_par": [-1.0]}, DataError, "range"),
    "no Toeplitz matrix": (
        "toep(t | g, hom=True)", {"residual_par": [0.9, -0.9, 0.9, 0.9]}, DataError, "rho1",
    ),
    "no correlation matrix": (
        "us(o | g)",
        {"sigma": [1.0] * 4, "residual_par": [0.9, -0.9, 0.9, 0.9, 0.9, -0.9]},
        DataError,
        "cor",
    ),
    "too many": ("ar1(t | g)", {"residual_par": [0.1, 0.2]}, DataError, "one finite"),
    "none": ("ar1(t | g)", {}, MethodError, "no value for 'residual_par'"),
    "one sigma of two": ("diag(sex)", {"sigma": 1.0}, DataError, "2 finite"),
    "sigma relative to strata": ("diag(sex)", {"sigma": None, "rel_sd_g": [1.0]}, MethodError,
                                 "Relative"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "given", "error", "words"), GIVEN.values(), ids=GIVEN)
def test_variances_that_no_residuals_have(text, given, error, words):
    m = model(text, FRAME, "y ~ x + (1 | g)", priors="flat")
    values = {"sigma": 1.0} | ({} if "rel_sd_g" in given else {"sd_g": [1.0]}) | given
    values = {key: value for key, value in values.items() if value is not None}
    with pytest.raises(error, match=words):
        m.fit("conjugate", variances=values, draws=2)

"""Which prior stands for what: NAMES' defaults as numbers, and the precedence of the keys."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.priors import LKJ, HalfStudentT, Normal, OnVariance, Prior, parse_prior

FORMULA = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return bl.load_dataset("sleepstudy")


def test_defaults_on_sleepstudy_are_those_of_the_contract(data: pd.DataFrame) -> None:
    """With s_y the scaled median absolute deviation and s_x a column's sd."""
    y, x = data["Reaction"], data["Days"]
    s_y = 1.4826 * (y - y.median()).abs().median()
    found = bl.Model(FORMULA, data).resolved.priors
    assert list(found) == [
        "Intercept_centred",
        "beta[Days]",
        "sd_Subject[Intercept]_centred",
        "sd_Subject[Days]",
        "cor_Subject_centred",
        "sigma",
    ]
    sd = float(y.std())
    _same(found["Intercept_centred"], Normal(float(y.mean()), 2.5 * sd))
    _same(found["beta[Days]"], Normal(0.0, 2.5 * sd / float(x.std())))
    _same(found["sd_Subject[Intercept]_centred"], HalfStudentT(3.0, 0.0, s_y))
    _same(found["sd_Subject[Days]"], HalfStudentT(3.0, 0.0, s_y / float(x.std())))
    _same(found["cor_Subject_centred"], LKJ(1.0))
    _same(found["sigma"], HalfStudentT(3.0, 0.0, s_y))


def _same(found: Prior, expected: Prior) -> None:
    assert type(found) is type(expected)
    assert astuple(found) == pytest.approx(astuple(expected), rel=5e-7)  # seven digits


def test_units_do_not_matter(data: pd.DataFrame) -> None:
    plain = bl.Model(FORMULA, data).resolved.priors
    other = data.assign(Reaction=data["Reaction"] / 1000, Days=data["Days"] * 24)
    scaled = bl.Model(FORMULA, other).resolved.priors
    assert scaled["sigma"].sigma == pytest.approx(plain["sigma"].sigma / 1000)
    assert scaled["beta[Days]"].sigma == pytest.approx(plain["beta[Days]"].sigma / 24000)
    assert scaled["sd_Subject[Days]"].sigma == pytest.approx(
        plain["sd_Subject[Days]"].sigma / 24000
    )


def test_offset_is_taken_off_and_a_robust_scale_of_zero_gives_way_to_the_sd() -> None:
    y = np.array([5.0] * 8 + [1.0, 12.0])
    frame = pd.DataFrame({"y": y + 100, "x": np.arange(10.0)})
    found = bl.Model("y ~ x", frame, offset=np.full(10, 100.0)).resolved.priors
    assert found["Intercept_centred"].mu == pytest.approx(y.mean())
    assert found["sigma"].sigma == pytest.approx(y.std(ddof=1))


def test_the_printed_model_names_the_centres(data: pd.DataFrame) -> None:
    shown = str(bl.Model(FORMULA, data))
    assert "sd_Subject[Intercept]_centred, cor_Subject_centred: with Days at its mean 4.5" in shown
    assert "Intercept_centred: the mean of the linear predictor over the rows" in shown


def test_defaults_of_a_product_are_at_the_means(data: pd.DataFrame) -> None:
    """beta[x] with z at its mean; x:z is scaled by the product of deviations."""
    rng = np.random.default_rng(1)
    rows = data.assign(z=rng.normal(30.0, 2.0, len(data)))
    found = bl.Model("Reaction ~ Days * z", rows).resolved.priors
    assert list(found)[1:4] == ["beta[Days]_centred", "beta[z]_centred", "beta[Days:z]"]
    product = (rows["Days"] - rows["Days"].mean()) * (rows["z"] - rows["z"].mean())
    sd = 2.5 * float(rows["Reaction"].std())
    _same(found["beta[Days]_centred"], Normal(0.0, sd / float(rows["Days"].std())))
    _same(found["beta[Days:z]"], Normal(0.0, sd / float(product.std())))
    plain = bl.Model("Reaction ~ Days * z", rows, priors={"beta[Days]": "normal(0, 1)"})
    assert plain.priors["beta[Days]"] == "normal(0, 1)"
    assert "beta[z]_centred" in plain.priors


def test_one_prior_on_a_changed_coefficient_takes_its_term_to_the_origin(
    data: pd.DataFrame,
) -> None:
    """The other defaults there are what those at the centre imply: a sum of squares."""
    found = bl.Model(FORMULA, data, priors={"cor_Subject": "lkj(2)"}).resolved.priors
    s_y, x = found["sigma"].sigma, data["Days"]
    implied = s_y * np.sqrt(1 + (x.mean() / x.std()) ** 2)
    _same(found["sd_Subject[Intercept]"], HalfStudentT(3.0, 0.0, float(implied)))
    _same(found["sd_Subject[Days]"], HalfStudentT(3.0, 0.0, s_y / float(x.std())))
    kept = bl.Model(FORMULA, data, priors={"sd_Subject[Days]": "half_normal(9)"}).priors
    assert "sd_Subject[Intercept]_centred" in kept and "cor_Subject_centred" in kept
    both = {"cor_Subject": "lkj(2)", "sd_Subject[Intercept]_centred": "half_normal(9)"}
    with pytest.raises(bl.errors.PriorError, match="at the centre"):
        bl.Model(FORMULA, data, priors=both)
    with pytest.raises(bl.errors.PriorError, match="two priors"):
        both = {"beta[Days]": "flat", "beta[Days]_centred": "flat"}
        bl.Model(FORMULA, data, priors=both)


KEYS = [
    ({"beta": "normal(0, 5)"}, {"Intercept": "normal(0, 5)", "beta[Days]": "normal(0, 5)"}),
    (
        {"beta": "normal(0, 5)", "beta[Days]": "normal(10, 2)"},
        {"Intercept": "normal(0, 5)", "beta[Days]": "normal(10, 2)"},
    ),
    (
        {"beta": "flat", "Intercept": "normal(250, 50)"},
        {"Intercept": "normal(250, 50)", "beta[Days]": "flat"},
    ),
    (
        {"beta": "flat", "Intercept_centred": "normal(300, 50)"},
        {"Intercept_centred": "normal(300, 50)", "beta[Days]": "flat"},
    ),
    ({"beta[Intercept]": "cauchy(0, 9)"}, {"Intercept": "cauchy(0, 9)"}),
    ("flat", {"Intercept": "flat", "beta[Days]": "flat", "cor_Subject_centred": "lkj(1)"}),
    (
        {"sd": "half_normal(1)", "sd_Subject": "half_normal(2)"},
        {"sd_Subject[Intercept]": "half_normal(2)", "sd_Subject[Days]": "half_normal(2)"},
    ),
    (
        {"sd": "half_normal(1)", "sd_Subject[Days]": "exponential(0.1)"},
        {"sd_Subject[Intercept]": "half_normal(1)", "sd_Subject[Days]": "exponential(0.1)"},
    ),
    ({"cor": "lkj(4)"}, {"cor_Subject": "lkj(4)"}),
    ({"cor": "lkj(4)", "cor_Subject": "lkj(2)"}, {"cor_Subject": "lkj(2)"}),
    ({"sigma^2": "inverse_gamma(1, 1)"}, {"sigma^2": "inverse_gamma(1, 1)"}),
    (
        {"sd^2": "gamma(2, 1)", "sd_Subject[Days]": "half_normal(3)"},
        {"sd_Subject[Intercept]^2": "gamma(2, 1)", "sd_Subject[Days]": "half_normal(3)"},
    ),
    (
        {"sd": "half_normal(1)", "sd_Subject^2": "gamma(2, 1)"},
        {"sd_Subject[Intercept]^2": "gamma(2, 1)", "sd_Subject[Days]^2": "gamma(2, 1)"},
    ),
]


@pytest.mark.parametrize(("given", "expected"), KEYS, ids=[str(given) for given, _ in KEYS])
def test_the_most_specific_key_wins(given: object, expected: dict, data: pd.DataFrame) -> None:
    model = bl.Model(FORMULA, data, priors=given)
    assert {key: model.priors.get(key) for key in expected} == expected
    assert len(model.priors) == 6


@pytest.mark.parametrize("given", [None, *(given for given, _ in KEYS)], ids=str)
def test_resolved_priors_typed_back_are_the_same(given: object, data: pd.DataFrame) -> None:
    model = bl.Model(FORMULA, data, priors=given)
    again = bl.Model(FORMULA, data, priors=model.priors)
    assert again.resolved.priors == model.resolved.priors
    as_objects = bl.Model(FORMULA, data, priors=model.resolved.priors)
    assert as_objects.resolved.priors == model.resolved.priors


def test_a_prior_on_the_variance_is_a_density_of_the_standard_deviation(data: pd.DataFrame) -> None:
    given = {"sigma^2": "inverse_gamma(1, 1)"}
    prior = bl.Model(FORMULA, data, priors=given).resolved.priors["sigma"]
    assert prior == OnVariance(parse_prior("inverse_gamma(1, 1)"))
    s = 1.7
    expected = np.log(2 * s) + prior.inner.log_density(np.array([s**2]))
    np.testing.assert_allclose(prior.log_density(np.array([s])), expected)


def test_prior_objects_stand_for_their_texts(data: pd.DataFrame) -> None:
    given = {"beta": bl.priors.Normal(0, 5), "sd": bl.priors.HalfCauchy(2)}
    texts = {"beta": "normal(0, 5)", "sd": "half_cauchy(2)"}
    assert (
        bl.Model(FORMULA, data, priors=given).priors == bl.Model(FORMULA, data, priors=texts).priors
    )


def test_known_standard_deviations_leave_no_prior_of_sigma(data: pd.DataFrame) -> None:
    model = bl.Model(FORMULA, data, known_sd=np.full(180, 25.0))
    assert "sigma" not in model.priors and len(model.priors) == 5


def test_uncorrelated_terms_have_no_prior_of_correlations(data: pd.DataFrame) -> None:
    model = bl.Model("Reaction ~ Days + (Days || Subject)", data)
    assert not any(key.startswith("cor") for key in model.priors)

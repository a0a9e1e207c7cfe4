"""The balanced one-way model in closed form: against densities, optimisers and distributions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import bayeslmm as bl
from bayeslmm.errors import DataError, MethodError
from bayeslmm.gaussian.oneway import OneWay, not_oneway, oneway_of, sigma_interval
from tests.unit.gaussian.designs import quietly

J, R = 6, 5
INSIDE = OneWay(J, R, 56357.5, 58830.0)  # Dyestuff
EDGE = OneWay(J, R, 41.6816, 358.7014)  # Dyestuff2, about: MSB < MSW


def rows_of(s: OneWay) -> tuple[np.ndarray, np.ndarray]:
    """Some rows with these sums of squares."""
    rng = np.random.default_rng(0)
    means, within = rng.normal(size=s.J), rng.normal(size=(s.J, s.r))
    means, within = means - means.mean(), within - within.mean(axis=1, keepdims=True)
    means *= np.sqrt(s.SSB / s.r / np.sum(means**2))
    within *= np.sqrt(s.SSW / np.sum(within**2))
    return np.repeat(np.arange(s.J), s.r), (10 + means[:, None] + within).ravel()


@pytest.mark.parametrize("s", [INSIDE, EDGE], ids=["inside", "edge"])
def test_the_deviance_is_that_of_the_joint_density(s):
    codes, y = rows_of(s)
    V = 3.0 * (codes[:, None] == codes) + 2.0 * np.eye(len(y))
    ml = -2 * stats.multivariate_normal(np.full(len(y), y.mean()), V).logpdf(y)
    assert s.deviance(3.0, 2.0, reml=False) == pytest.approx(ml, rel=1e-12)
    # the restricted likelihood integrates mu out, whose precision is 1'V⁻¹1
    reml = ml + np.log(np.sum(np.linalg.inv(V))) - np.log(2 * np.pi)
    assert s.deviance(3.0, 2.0, reml=True) == pytest.approx(reml, rel=1e-12)


@pytest.mark.parametrize("reml", [False, True], ids=["ml", "reml"])
@pytest.mark.parametrize("s", [INSIDE, EDGE], ids=["inside", "edge"])
def test_no_variances_have_a_lower_deviance(s, reml):
    found = s.reml() if reml else s.ml()
    scale = s.MSW

    def f(x):
        return s.deviance(scale * x[0], scale * x[1], reml=reml)

    best = optimize.minimize(
        f, [0.5, 1.0], bounds=[(0, None), (1e-3, None)], options={"ftol": 1e-15, "gtol": 1e-9}
    )
    assert s.deviance(found.between, found.within, reml=reml) <= best.fun + 1e-9
    np.testing.assert_allclose(
        scale * best.x, [found.between, found.within], rtol=1e-3, atol=1e-4 * scale
    )
    assert found.boundary == (s is EDGE)


def test_the_divisors():
    """SSB is divided by J in ML, by J - 1 in REML and ANOVA, which agree inside."""
    anova, ml, reml = INSIDE.anova(), INSIDE.ml(), INSIDE.reml()
    assert (anova.between, anova.within) == (reml.between, reml.within)
    assert ml.between == pytest.approx((56357.5 / 6 - 2451.25) / 5)
    assert anova.between == pytest.approx((56357.5 / 5 - 2451.25) / 5)
    edge = EDGE.anova()
    assert edge.between < 0
    assert edge.boundary
    assert edge.within == EDGE.MSW
    assert EDGE.ml().within == pytest.approx((EDGE.SSB + EDGE.SSW) / 30)
    assert EDGE.reml().within == pytest.approx((EDGE.SSB + EDGE.SSW) / 29)


def test_ml_can_be_on_the_boundary_where_reml_is_not():
    between = OneWay(6, 5, 5.5 * 10, 24 * 10)  # SSB/J < MSW < SSB/(J - 1)
    assert between.ml().boundary
    assert not between.reml().boundary


def test_the_intervals_are_those_of_f_and_chi2():
    """At each end the statistic is a 2.5 % or 97.5 % point of its distribution."""
    F = INSIDE.MSB / INSIDE.MSW
    ratio = np.array(INSIDE.ratio_interval())
    tails = stats.f(*INSIDE.df).sf(F / (1 + R * ratio))
    np.testing.assert_allclose(tails, [0.025, 0.975], rtol=1e-10)
    sigma = np.array(sigma_interval(INSIDE.SSW, INSIDE.df[1]))
    tails = stats.chi2(INSIDE.df[1]).sf(INSIDE.SSW / sigma**2)
    np.testing.assert_allclose(tails, [0.025, 0.975], rtol=1e-10)
    assert EDGE.ratio_interval()[0] == 0.0


def test_the_sums_of_squares_of_a_model_are_its_rows():
    codes, y = rows_of(INSIDE)
    frame = pd.DataFrame({"y": y + 1e6, "g": codes.astype(str), "o": 1e6}).sample(
        frac=1, random_state=1
    )
    found = oneway_of(quietly("y ~ 1 + (1 | g)", frame, offset="o"))
    assert (found.J, found.r) == (J, R)
    np.testing.assert_allclose([found.SSB, found.SSW], [INSIDE.SSB, INSIDE.SSW], rtol=1e-10)


@pytest.mark.parametrize(
    ("formula", "extra", "words"),
    [
        ("y ~ x + (1 | g)", {}, "only fixed coefficient"),
        ("y ~ 1 + (1 | g) + (1 | h)", {}, "an intercept by one factor"),
        ("y ~ 1 + (x | g)", {}, "an intercept by one factor"),
        ("y ~ 1 + (1 | g)", {"weights": "w"}, "weights can't be used"),
        ("y ~ 1 + (1 | h)", {}, "not balanced"),
        ("k ~ 1 + (1 | g)", {"family": "poisson"}, "Gaussian"),
    ],
)
def test_other_models_are_told_apart(formula, extra, words):
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({name: rng.normal(size=24) for name in ("y", "x")})
    frame["k"] = rng.poisson(3.0, 24)
    frame["w"] = rng.uniform(1, 2, 24)
    frame["g"], frame["h"] = np.arange(24) % 6, np.minimum(np.arange(24), 10) % 4
    model = bl.Model(formula, frame, **extra)
    assert words in not_oneway(model.resolved)
    with pytest.raises(MethodError, match=words):
        bl.oneway(model)


def test_impossible_sums_of_squares_are_refused():
    with pytest.raises(DataError, match="two levels or more"):
        OneWay(6, 1, 3.0, 0.0)

"""Densities where the mean rounds to an edge of its range; draws at extreme parameters."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, special, stats

from bayeslmm.families import FAMILIES, LINKS, Family, Response
from tests.unit.families.cases import CASES, CUTPOINTS, TAILS, TRIALS, Case

# what each link of a probability is the distribution function of
LATENT = {"logit": stats.logistic, "probit": stats.norm, "cloglog": stats.gumbel_l}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_density_at_a_predictor_is_that_at_its_mean(case: Case) -> None:
    mu = case.family.location(case.full, case.link, case.parameters)
    direct = case.family.log_density(case.y, mu, case.parameters, case.trials)
    np.testing.assert_allclose(case.log_likelihood, direct, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("case", TAILS, ids=str)
def test_densities_are_finite_far_out(case: Case) -> None:
    """And, up to rounding, at most 1 where they are probabilities."""
    if case.family.name == "gaussian" and case.link.name == "inverse":
        pytest.skip("no tail")
    found = case.log_likelihood
    assert found.shape == case.y.shape
    assert np.all(np.isfinite(found))
    if case.family.discrete:
        assert np.all(found <= 1e-12)


def latent_logs(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """log mu and log(1 - mu) from scipy's distribution functions."""
    d = LATENT[case.link.name]
    return d.logcdf(case.eta), d.logsf(case.eta)


@pytest.mark.parametrize(
    "case", [c for c in TAILS if c.family.name in ("bernoulli", "binomial")], ids=str
)
def test_far_probabilities_are_those_of_latent_variables(case: Case) -> None:
    yes, no = latent_logs(case)
    if case.link.name == "cloglog":  # log(1 - exp(-exp(-40))) = -40 - exp(-40)/2
        yes = np.where(case.eta < -30, case.eta - np.exp(case.eta) / 2, yes)
    n = TRIALS if case.family.takes_trials else 1.0
    expected = np.where(case.y > 0, n * yes, n * no)
    np.testing.assert_allclose(case.log_likelihood, expected, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("link", LATENT)
@pytest.mark.parametrize("eta", [-30.0, -4.0, 0.2, 4.0, 30.0])
def test_far_ordinal_probabilities_are_integrals_of_the_latent_density(
    link: str, eta: float
) -> None:
    """The density's integral between cutpoints, relative to its height there."""
    d, cut, ordinal = LATENT[link], CUTPOINTS - eta, FAMILIES["ordinal"]
    given = {"cutpoint": CUTPOINTS}
    found = ordinal.log_likelihood(np.arange(4.0), np.full(4, eta), LINKS[link], given)
    ends = d.logcdf(cut[0]), d.logsf(cut[-1])
    np.testing.assert_allclose(found[[0, 3]], ends, rtol=1e-10, atol=1e-13)
    for k, (low, high) in enumerate(pairwise(cut), start=1):
        peak = max(d.logpdf(low), d.logpdf(high))
        if peak < -1e4:  # cloglog: all of it lies within a hair of the lower end
            assert found[k] == pytest.approx(d.logsf(low), rel=1e-12)
            continue
        edge = low if d.logpdf(low) >= d.logpdf(high) else high
        scale = [edge + s * t for s in (-1, 1) for t in (1e-3, 1e-2, 0.1)]
        inner = [x for x in scale if low < x < high]
        area, _ = integrate.quad(
            lambda x, peak=peak: np.exp(d.logpdf(x) - peak), low, high, points=inner, epsrel=1e-10
        )
        assert found[k] == pytest.approx(peak + np.log(area), rel=1e-8)


@pytest.mark.parametrize("shape", [1e6, 1e9])
def test_a_negative_binomial_of_great_shape_is_nearly_poisson(shape: float) -> None:
    """log p = log Poisson + ((y - mu)² - y) / (2 shape) to first order: no digits cancel."""
    y, mu = np.array([0.0, 3.0, 40.0]), np.array([2.0, 5.0, 30.0])
    family = FAMILIES["negative_binomial"]
    found = family.log_density(y, mu, {"shape": np.array(shape)})
    first = stats.poisson.logpmf(y, mu) + ((y - mu) ** 2 - y) / (2 * shape)
    np.testing.assert_allclose(found, first, rtol=0, atol=1e5 / shape**2 + 1e-12)


def test_categories_far_apart_keep_their_logarithms() -> None:
    eta = np.array([[0.0, 900.0, -900.0]] * 3)
    found = FAMILIES["categorical"].log_likelihood(np.arange(3.0), eta, LINKS["softmax"], {})
    np.testing.assert_allclose(found, [-900.0, 0.0, -1800.0])


@pytest.mark.parametrize(
    "name", [link.name for link in LINKS.values() if link.log_odds is not None]
)
def test_log_odds_are_those_of_the_mean(name: str) -> None:
    link, eta = LINKS[name], np.linspace(-5.0, 1.2, 9)
    np.testing.assert_allclose(link.log_odds(eta), special.logit(link.inverse(eta)), rtol=1e-9)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda f: f.name)
def test_draws_under_wild_defaults_are_responses(family: Family) -> None:
    """Other parameters drawn from their default priors, predictors up to 12 units out: finite and
    allowed, without a warning."""
    rng = np.random.default_rng(5)
    n, draws = 30, 200
    y = np.array([1.0, 2.0, 4.0, 7.0])
    about = Response(y, y.mean(), y.std(), 1.5)
    link = LINKS[family.links[0]]
    eta = rng.uniform(-12, 12, (draws, n))
    if link.name == "softmax":
        eta = rng.uniform(-12, 12, (draws, n, 4))
    given = {}
    for a in family.auxiliaries:
        size = draws * (3 if a.ordered else 1)
        drawn = a.default(about).draw(rng, size).reshape(draws, -1)
        given[a.name] = np.sort(drawn, axis=1) if a.ordered else drawn
    if family.name == "lognormal":  # its heavy-tailed sd is one of logarithms
        given["sigma"] = np.minimum(given["sigma"], 50.0)
    trials = np.full(n, TRIALS) if family.takes_trials else None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = family.simulate(family.location(eta, link, given), given, rng, trials)
    assert found.shape == (draws, n)
    for row in found:
        assert not family.refused(row, trials)[0].any()


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda f: f.name)
def test_missing_and_infinite_responses_are_refused(family: Family) -> None:
    y = np.array([np.nan, np.inf, -np.inf])
    trials = np.full(3, TRIALS) if family.takes_trials else None
    assert family.refused(y, trials)[0].all()


def test_counts_of_astronomic_means_are_drawn() -> None:
    """Within 5 standard errors of a mean that numpy's own generator refuses."""
    mean = np.full(2_000, 1e20)
    y = FAMILIES["poisson"].simulate(mean, {}, np.random.default_rng(2))
    assert abs(y.mean() - 1e20) < 5 * np.sqrt(1e20 / 2_000)
    assert y.var() == pytest.approx(1e20, rel=5 * np.sqrt(2 / 2_000))

"""Every registered family: a density that adds up to one, with the moments that it says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from bayeslmm.families import FAMILIES, LINKS, Family, Response

AUXILIARY = {"sigma": 0.7, "nu": 6.5, "shape": 2.5, "phi": 5.0, "zi": 0.2}
TRIALS = 7.0
COUNTED = [f for f in FAMILIES.values() if f.discrete and not f.categorical]
MEASURED = [f for f in FAMILIES.values() if not f.discrete]
NUMERIC = [*COUNTED, *MEASURED]


def parameters(family: Family) -> dict[str, np.ndarray]:
    values = {a.name: np.array(AUXILIARY.get(a.name, 0.0)) for a in family.auxiliaries}
    if family.name == "lognormal":
        values["sigma"] = np.array(0.4)
    return values


def location(family: Family) -> float:
    return 0.35 if "logit" in family.links else 1.8


def density(family: Family, y: np.ndarray) -> np.ndarray:
    mu, trials = np.full(np.shape(y), location(family)), trials_like(family, y)
    return np.exp(family.log_density(np.asarray(y, float), mu, parameters(family), trials))


def trials_like(family: Family, y: np.ndarray) -> np.ndarray | None:
    return np.full(np.shape(y), TRIALS) if family.takes_trials else None


def moments(family: Family) -> tuple[float, float, float]:
    """Total mass, mean and variance, by sums or by quadrature of the density alone."""
    if family.discrete:
        y = np.arange(
            TRIALS + 1 if family.takes_trials else 2 if family.name == "bernoulli" else 400
        )
        p = density(family, y)
        total, mean = p.sum(), p @ y
        return total, mean, p @ (y - mean) ** 2

    def integral(g) -> float:
        low = -np.inf if family.refused(np.array([-1.0]), None)[0].sum() == 0 else 0.0
        high = 1.0 if family.name == "beta" else np.inf
        f = lambda y: g(y) * density(family, np.array([y]))[0]  # noqa: E731
        middle = 0.5 if high == 1.0 else 2.0
        parts = integrate.quad(f, low, middle), integrate.quad(f, middle, high, limit=200)
        return sum(value for value, _ in parts)

    total, mean = integral(lambda y: 1.0), integral(lambda y: y)
    return total, mean, integral(lambda y: (y - mean) ** 2)


@pytest.mark.parametrize("family", NUMERIC, ids=lambda f: f.name)
def test_density_has_mass_one_and_the_moments_it_says(family: Family) -> None:
    total, mean, variance = moments(family)
    one = np.array([location(family)])
    trials = trials_like(family, one)
    assert total == pytest.approx(1.0, rel=1e-6)
    assert family.mean(one, parameters(family), trials)[0] == pytest.approx(mean, rel=1e-5)
    assert family.variance(one, parameters(family), trials)[0] == pytest.approx(variance, rel=1e-4)


@pytest.mark.parametrize("family", NUMERIC, ids=lambda f: f.name)
def test_simulated_responses_have_the_densitys_moments(family: Family) -> None:
    """Mean and variance of 20,000 within 5 standard errors, and none of them is refused."""
    n = 20_000
    mu = np.full((2, n // 2), location(family))
    y = family.simulate(mu, parameters(family), np.random.default_rng(3), trials_like(family, mu))
    assert y.shape == mu.shape and y.dtype == np.float64
    assert not family.refused(y[0], trials_like(family, y[0]))[0].any()
    _, mean, variance = moments(family)
    assert abs(y.mean() - mean) < 5 * np.sqrt(variance / n)
    fourth = np.mean((y - y.mean()) ** 4)
    assert abs(y.var() - variance) < 5 * np.sqrt((fourth - variance**2) / n)


DISTRIBUTIONS = {
    "gaussian": stats.norm(1.8, 0.7),
    "student_t": stats.t(6.5, 1.8, 0.7),
    "lognormal": stats.lognorm(0.4, scale=np.exp(1.8)),
    "gamma": stats.gamma(2.5, scale=1.8 / 2.5),
    "inverse_gaussian": stats.invgauss(1.8 / 2.5, scale=2.5),
    "exponential": stats.expon(scale=1.8),
    "beta": stats.beta(5 * 0.35, 5 * 0.65),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_simulated_measures_have_scipys_distribution(name: str) -> None:
    """Kolmogorov's distance of 50,000 below its 1 - 1e-4 quantile."""
    family = FAMILIES[name]
    mu = np.full(50_000, location(family))
    y = family.simulate(mu, parameters(family), np.random.default_rng(11))
    assert stats.kstest(y, DISTRIBUTIONS[name].cdf).pvalue > 1e-4


THEIRS = {  # scipy's names for the same
    "gaussian": lambda y, mu: stats.norm.logpdf(y, mu, 0.7),
    "student_t": lambda y, mu: stats.t.logpdf(y, 6.5, mu, 0.7),
    "lognormal": lambda y, mu: stats.lognorm.logpdf(y, 0.4, scale=np.exp(mu)),
    "gamma": lambda y, mu: stats.gamma.logpdf(y, 2.5, scale=mu / 2.5),
    "inverse_gaussian": lambda y, mu: stats.invgauss.logpdf(y, mu / 2.5, scale=2.5),
    "exponential": lambda y, mu: stats.expon.logpdf(y, scale=mu),
    "beta": lambda y, mu: stats.beta.logpdf(y, 5 * mu, 5 * (1 - mu)),
    "poisson": lambda y, mu: stats.poisson.logpmf(y, mu),
    "negative_binomial": lambda y, mu: stats.nbinom.logpmf(y, 2.5, 2.5 / (2.5 + mu)),
    "bernoulli": lambda y, mu: stats.bernoulli.logpmf(y, mu),
    "binomial": lambda y, mu: stats.binom.logpmf(y, 7, mu),
    "beta_binomial": lambda y, mu: stats.betabinom.logpmf(y, 7, 5 * mu, 5 * (1 - mu)),
}


@pytest.mark.parametrize("name", THEIRS)
def test_density_is_scipys(name: str) -> None:
    family = FAMILIES[name]
    y = {"bernoulli": [0, 1], "beta": [0.01, 0.4, 0.97]}.get(name, [1, 2, 5, 7])
    values = np.array(y, dtype=np.float64)
    mu = np.linspace(0.1, 0.9, len(values))
    found = family.log_density(values, mu, parameters(family), trials_like(family, values))
    np.testing.assert_allclose(found, THEIRS[name](values, mu), rtol=1e-11)


BAD = {
    "poisson": [-1, 0.5, np.nan],
    "negative_binomial": [-2, 1.5],
    "bernoulli": [2, 0.5, -1],
    "binomial": [-1, 8, 2.5],
    "beta_binomial": [8, 0.1],
    "gamma": [0, -1, np.inf],
    "lognormal": [0, -1],
    "inverse_gaussian": [0],
    "exponential": [-0.1],
    "beta": [0, 1, 1.2],
    "gaussian": [np.inf, np.nan],
    "zero_inflated_poisson": [-1, 0.5],
    "ordinal": [-1, 0.5],
}


@pytest.mark.parametrize("name", BAD)
def test_impossible_responses_are_refused(name: str) -> None:
    y = np.array(BAD[name], dtype=np.float64)
    bad, allowed = FAMILIES[name].refused(y, trials_like(FAMILIES[name], y))
    assert bad.all() and len(allowed) > 5


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_ordinal_probabilities_are_differences_of_the_cumulative_ones(link: str) -> None:
    """Add up to one, and keep their digits in both tails."""
    ordinal, cut = FAMILIES["ordinal"], np.array([-1.0, 0.3, 1.1])
    eta = np.array([-3.0, 0.0, 0.7, 4.0])
    p = ordinal.location(eta, LINKS[link], {"cutpoint": cut})
    cumulative = LINKS[link].inverse(cut[None, :] - eta[:, None])
    np.testing.assert_allclose(np.cumsum(p, axis=1)[:, :3], cumulative, rtol=1e-12)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-12)
    far = ordinal.location(np.array([-30.0]), LINKS["logit"], {"cutpoint": cut})[0]
    exact = np.exp(-(cut[1] + 30)) - np.exp(-(cut[2] + 30))  # logistic tail, to first order
    assert far[2] == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("name", ["ordinal", "categorical"])
def test_categories_are_drawn_with_their_probabilities(name: str) -> None:
    family, p = FAMILIES[name], np.array([0.2, 0.5, 0.3])
    y = family.simulate(np.tile(p, (20_000, 1)), {}, np.random.default_rng(1))
    shares = np.bincount(y.astype(int)) / len(y)
    assert np.all(np.abs(shares - p) < 5 * np.sqrt(p * (1 - p) / len(y)))
    found = family.log_density(np.array([0.0, 1.0, 2.0]), np.tile(p, (3, 1)), {})
    np.testing.assert_allclose(found, np.log(p))


@pytest.mark.parametrize("name", [n for n in LINKS if n != "softmax"])
def test_links_are_inverted_and_have_their_slope(name: str) -> None:
    link, eta = LINKS[name], np.array([0.2, 0.5, 1.3])
    np.testing.assert_allclose(link.forward(link.inverse(eta)), eta, rtol=1e-12)
    h = 1e-6
    slope = (link.inverse(eta + h) - link.inverse(eta - h)) / (2 * h)
    np.testing.assert_allclose(link.slope(eta), slope, rtol=1e-8)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda f: f.name)
def test_defaults_are_proper_and_within_bounds(family: Family) -> None:
    """And multiply with the response's unit where they have one."""
    y = np.array([1.0, 2.0, 4.0, 7.0])
    for a in family.auxiliaries:
        prior = a.default(Response(y, y.mean(), y.std(), 1.5))
        assert prior.is_proper()
        drawn = prior.draw(np.random.default_rng(1), 200)
        assert np.all((drawn >= a.lower) & (drawn <= a.upper))
        scaled = a.default(Response(1e3 * y, 1e3 * y.mean(), 1e3 * y.std(), 1.5e3))
        factor = 1e3 if a.unit(Response(y, y.mean(), y.std(), 1.5)) != 1.0 else 1.0
        again = scaled.draw(np.random.default_rng(1), 200)
        np.testing.assert_allclose(again, factor * drawn, rtol=1e-5)


@pytest.mark.parametrize("name", ["poisson", "bernoulli", "binomial", "negative_binomial"])
def test_a_typical_mean_is_off_the_edge(name: str) -> None:
    """All zeros, or all successes: half a count away from the edge."""
    family, y = FAMILIES[name], np.zeros(10)
    trials = trials_like(family, y)
    total = 10.0 if trials is None else trials.sum()
    assert family.centre(Response(y, 0.0, 0.0, 0.0), trials) == pytest.approx(0.5 / total)
    if "logit" in family.links:
        assert family.centre(Response(y, 1.0, 0.0, 0.0), trials) == pytest.approx(1 - 0.5 / total)

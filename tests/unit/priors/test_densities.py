"""One contract over every registered density: normalised, drawn as it says, read as written."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from bayeslmm.errors import PriorError
from bayeslmm.priors import PRIORS, OnVariance, Prior, parse_prior


class Folded:
    """The absolute value of a symmetric scipy law."""

    def __init__(self, law: Any) -> None:
        self.law = law

    def logpdf(self, x: np.ndarray) -> np.ndarray:
        return np.log(2) + self.law.logpdf(x)


# Every density by its text, beside scipy's of the same parameters: this pins rate against scale.
EXAMPLES: dict[str, list[tuple[str, Any]]] = {
    "normal": [("normal(-1, 2.5)", stats.norm(-1, 2.5))],
    "student_t": [
        ("student_t(3, 1, 2)", stats.t(3, 1, 2)),
        ("student_t(30, 0, 0.5)", stats.t(30, 0, 0.5)),
    ],
    "laplace": [("laplace(1, 0.5)", stats.laplace(1, 0.5))],
    "beta": [("beta(2, 3)", stats.beta(2, 3)), ("beta(1, 1)", stats.uniform(0, 1))],
    "cauchy": [("cauchy(-2, 0.5)", stats.cauchy(-2, 0.5))],
    "half_normal": [("half_normal(3)", stats.halfnorm(scale=3))],
    "half_student_t": [("half_student_t(3, 0, 2)", Folded(stats.t(3, 0, 2)))],
    "half_cauchy": [("half_cauchy(5)", stats.halfcauchy(scale=5))],
    "exponential": [("exponential(0.1)", stats.expon(scale=10))],
    "gamma": [
        ("gamma(2, 4)", stats.gamma(2, scale=0.25)),
        ("gamma(0.7, 1)", stats.gamma(0.7)),
    ],
    "inverse_gamma": [("inverse_gamma(3, 2)", stats.invgamma(3, scale=2))],
    "lognormal": [("lognormal(0.5, 0.75)", stats.lognorm(0.75, scale=np.exp(0.5)))],
    "uniform": [
        ("uniform(-1, 3)", stats.uniform(-1, 4)),
        ("uniform(0, 0.5)", stats.uniform(0, 0.5)),
    ],
    "flat": [],
    "lkj": [],
    "horseshoe": [],  # over several slopes: test_joint
    "r2d2": [],
    "variance_shares": [],  # over several standard deviations: test_variance_shares
}
TEXTS = [text for examples in EXAMPLES.values() for text, _ in examples]
ON_VARIANCE = [OnVariance(parse_prior(t)) for t in ("inverse_gamma(3, 2)", "gamma(2, 1)")]
PROPER = [parse_prior(text) for text in TEXTS] + ON_VARIANCE
IDS = TEXTS + [f"variance {prior}" for prior in ON_VARIANCE]


def bounds(prior: Prior) -> tuple[float, float]:
    if prior.support == "interval":
        return prior.lower, prior.upper  # type: ignore[attr-defined]
    return (0.0 if prior.support == "positive" else -np.inf), np.inf


def density(prior: Prior, x: float) -> float:
    return float(np.exp(prior.log_density(np.array([x]))[0]))


def integral(prior: Prior, lower: float, upper: float) -> float:
    return float(integrate.quad(lambda x: density(prior, x), lower, upper, limit=200)[0])


def test_every_registered_density_has_examples() -> None:
    assert EXAMPLES.keys() == PRIORS.keys()
    assert all(name == density.name for name, density in PRIORS.items())


@pytest.mark.parametrize("prior", PROPER, ids=IDS)
def test_integrates_to_one(prior: Prior) -> None:
    lower, upper = bounds(prior)
    middle = float(np.median(prior.draw(np.random.default_rng(0), 1001)))
    whole = integral(prior, lower, middle) + integral(prior, middle, upper)
    assert whole == pytest.approx(1.0, abs=1e-6)
    assert prior.is_proper()


@pytest.mark.parametrize("prior", PROPER, ids=IDS)
def test_draws_have_the_density(prior: Prior) -> None:
    """Kolmogorov-Smirnov at 40 quantiles: sqrt(n) D exceeds 2.3 once in 20 000 times."""
    n = 4000
    draws = np.sort(prior.draw(np.random.default_rng(1), n))
    assert draws.shape == (n,)
    at = np.arange(50, n, 100)
    steps = [integral(prior, a, b) for a, b in zip(draws[at][:-1], draws[at][1:], strict=True)]
    cdf = integral(prior, bounds(prior)[0], draws[at[0]]) + np.concatenate(
        [[0.0], np.cumsum(steps)]
    )
    assert np.sqrt(n) * np.abs(cdf - (at + 0.5) / n).max() < 2.3


@pytest.mark.parametrize("prior", PROPER, ids=IDS)
def test_no_density_outside_the_support(prior: Prior) -> None:
    lower, upper = bounds(prior)
    inside = prior.draw(np.random.default_rng(2), 100)
    assert np.all((inside >= lower) & (inside <= upper))
    assert np.all(np.isfinite(prior.log_density(inside)))
    outside = np.array([b for b in (lower - 1e-3, lower - 5, upper + 1e-3) if np.isfinite(b)])
    assert np.all(prior.log_density(outside) == -np.inf)
    assert prior.allows(0.0) == (lower >= 0)


@pytest.mark.parametrize(("text", "known"), [e for each in EXAMPLES.values() for e in each])
def test_parameters_mean_what_scipy_says(text: str, known: Any) -> None:
    prior = parse_prior(text)
    x = prior.draw(np.random.default_rng(3), 20)
    np.testing.assert_allclose(prior.log_density(x), known.logpdf(x), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    "name", [n for n in PRIORS if n not in ("half_student_t", "uniform", "r2d2")]
)
def test_text_reads_back_as_the_same_numbers(name: str) -> None:
    count = len(fields(PRIORS[name]))
    for values in [(0.1, 1 / 3, 1e-7), (1e20, 2.0, 12345.678901234567), (3.0, 1.0, 1e-300)]:
        prior = PRIORS[name](*values[:count])
        assert parse_prior(str(prior)) == prior


def test_text_of_the_others_reads_back_too() -> None:
    for text in ("half_student_t(2.5, 0, 0.1)", "uniform(-0.3, 1e10)", "r2d2(0.1, 1e20, 0.3)"):
        prior = parse_prior(text)
        assert parse_prior(str(prior)) == prior


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("normal(mu=0, sigma=2)", "normal(0, 2)"),
        (" normal( -.5 , +2e0 ) ", "normal(-0.5, 2)"),
        ("half_student_t(3, 0, sigma=2)", "half_student_t(3, 0, 2)"),
        ("flat", "flat"),
        ("flat()", "flat"),
    ],
)
def test_ways_to_write_a_prior(text: str, same: str) -> None:
    assert str(parse_prior(text)) == same
    assert parse_prior(parse_prior(text)) == parse_prior(text)


@pytest.mark.parametrize("prior", [p for p in PROPER if p.normal_mixture()], ids=str)
def test_scale_mixture_of_normals_is_the_density(prior: Prior) -> None:
    """Integrating lambda ~ Gamma(nu/2, nu/2) out of N(location, scale²/lambda)."""
    mixture = prior.normal_mixture()
    assert mixture is not None
    location, scale, nu = mixture
    for x in (location, location + 0.7 * scale, location - 4 * scale):
        if np.isinf(nu):
            found = stats.norm(location, scale).pdf(x)
        else:
            found = integrate.quad(
                lambda a, x=x: (
                    stats.norm.pdf(x, location, scale / np.sqrt(a))
                    * stats.gamma.pdf(a, nu / 2, scale=2 / nu)
                ),
                0,
                np.inf,
            )[0]
        assert found == pytest.approx(density(prior, x), rel=1e-6)


def test_flat_is_improper_and_says_so() -> None:
    flat = parse_prior("flat")
    assert not flat.is_proper()
    assert not OnVariance(flat).is_proper()
    np.testing.assert_array_equal(flat.log_density(np.array([-3.0, 0.0, 1e9])), 0.0)
    with pytest.raises(PriorError, match="improper"):
        flat.draw(np.random.default_rng(0), 1)


def test_flat_on_the_variance_rises_with_the_standard_deviation() -> None:
    s = np.array([0.5, 1.0, 4.0])
    np.testing.assert_allclose(OnVariance(parse_prior("flat")).log_density(s), np.log(2 * s))

"""Priors over all slopes: their density, their draws, and how they stand in a model."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import bayeslmm as bl
from bayeslmm.errors import MethodError, PriorError
from bayeslmm.priors import R2D2, Horseshoe, parse_prior

SHOE, R2 = Horseshoe(3.0, 0.5, 2.0, 1.5, 5.0), R2D2(0.4, 3.0, 0.7)
ROWS = bl.load_dataset("orthodont")


def test_horseshoes_density_is_the_sum_of_its_parts() -> None:
    rng = np.random.default_rng(1)
    values = SHOE.own_draws(rng, 5, 3) | {"z": rng.standard_normal((5, 3))}
    expected = (
        stats.norm.logpdf(values["z"]).sum(axis=1)
        + (np.log(2) + stats.t.logpdf(values["local"], 3)).sum(axis=1)
        + np.log(2)
        + stats.t.logpdf(values["global"], 2, scale=0.5)
        + stats.invgamma.logpdf(values["slab"], 2.5, scale=2.5 * 1.5**2)
    )
    np.testing.assert_allclose(SHOE.joint_log_density(values), expected, rtol=1e-12)


def test_r2d2s_density_is_the_sum_of_its_parts() -> None:
    rng = np.random.default_rng(1)
    values = R2.own_draws(rng, 5, 3) | {"z": rng.standard_normal((5, 3))}
    shares = np.array([stats.dirichlet.logpdf(p, [0.7] * 3) for p in values["phi"]])
    expected = stats.norm.logpdf(values["z"]).sum(axis=1) + shares
    expected = expected + stats.beta.logpdf(values["R2"], 1.2, 1.8)
    np.testing.assert_allclose(R2.joint_log_density(values), expected, rtol=1e-12)


def test_draws_have_the_parts_laws() -> None:
    """Kolmogorov-Smirnov on 5,000 draws of everything beside z."""
    rng, size = np.random.default_rng(3), 5000
    shoe, r2 = SHOE.own_draws(rng, size, 2), R2.own_draws(rng, size, 2)
    slab = stats.invgamma(2.5, scale=2.5 * 1.5**2)
    laws = {
        "local": (shoe["local"][:, 0], lambda x: 2 * stats.t.cdf(x, 3) - 1),
        "global": (shoe["global"], lambda x: 2 * stats.t.cdf(x / 0.5, 2) - 1),
        "slab": (shoe["slab"], slab.cdf),
        "R2": (r2["R2"], stats.beta(1.2, 1.8).cdf),
        "phi": (r2["phi"][:, 0], stats.beta(0.7, 0.7).cdf),
    }
    for name, (drawn, law) in laws.items():
        assert stats.kstest(drawn, law).pvalue > 1e-4, name


def test_slopes_are_z_times_their_scales() -> None:
    """In the limits: a wide slab leaves tau lambda, and R² is the share explained."""
    values = {"local": np.array([[2.0]]), "global": np.array([0.5]), "slab": np.array([1e12])}
    assert SHOE.scales(values, np.array([3.0]))[0, 0] == pytest.approx(3.0)
    values["slab"] = np.array([1e-6])  # a narrow one is all that is left
    assert SHOE.scales(values, np.array([3.0]))[0, 0] == pytest.approx(3e-3, rel=1e-3)
    shares = {"R2": np.array([0.8]), "phi": np.array([[0.25, 0.75]])}
    np.testing.assert_allclose(R2.scales(shares, np.ones(2))[0], [1.0, np.sqrt(3.0)])


@pytest.mark.parametrize("text", ["horseshoe(1, 0.5)", "r2d2(0.3, 4, 1)", "horseshoe", "r2d2"])
def test_texts_are_read_and_stand_for_all_slopes(text: str) -> None:
    model = bl.Model("distance ~ age * Sex + (1 | Subject)", ROWS, priors={"beta": text})
    assert list(model.resolved.priors)[:2] == ["Intercept_centred", "beta"]
    assert model.resolved.priors["beta"] == parse_prior(model.priors["beta"])
    again = bl.Model("distance ~ age * Sex + (1 | Subject)", ROWS, priors=model.priors)
    assert again.priors == model.priors
    with pytest.raises(MethodError, match="normal, Student-t, Cauchy and flat"):
        model.fit("exact")
    prior = model.prior_predictive(50, seed=1)["prior"].dataset["beta"].values
    assert np.all(np.isfinite(prior)) and prior.shape == (1, 50, 4)


@pytest.mark.parametrize(
    ("priors", "words"),
    [
        ({"beta": "horseshoe", "beta[age]": "normal(0, 1)"}, "separate prior"),
        ({"sigma": "r2d2"}, "of all slopes"),
        ({"beta[age]": "horseshoe"}, "of all slopes"),
        ({"beta": "r2d2(1.5)"}, "proportion"),
        ({"beta": "horseshoe(-1)"}, "positive"),
    ],
)
def test_wrong_uses_are_named(priors: dict, words: str) -> None:
    with pytest.raises(PriorError, match=words):
        bl.Model("distance ~ age + (1 | Subject)", ROWS, priors=priors)


def test_without_slopes_there_is_nothing_to_shrink() -> None:
    with pytest.raises(PriorError, match="has none"):
        bl.Model("distance ~ 1 + (1 | Subject)", ROWS, priors={"beta": "horseshoe"})

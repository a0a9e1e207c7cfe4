"""Draws from the prior have the densities that the model states, under a posterior's names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayeslmm as bl
from bayeslmm.model.names import contract_names

DRAWS = 4000
LEVEL = 1e-4  # a Kolmogorov-Smirnov test of this size fails once in 10,000; seeds are fixed


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 40
    return pd.DataFrame(
        {
            "y": rng.integers(0, 6, n).astype(float),
            "x": rng.normal(3.0, 1.0, n),
            "z": rng.normal(size=n),
            "g": np.arange(n) % 8,
            "c": np.array(["low", "mid", "high"])[np.arange(n) % 3],
        }
    )


def has_density(draws: np.ndarray, distribution: object) -> None:
    assert stats.kstest(np.ravel(draws), distribution.cdf).pvalue > LEVEL  # type: ignore[attr-defined]


def test_every_parameter_has_its_prior() -> None:
    priors = {
        "Intercept_centred": "normal(2, 3)",
        "beta": "student_t(4, 0, 1)",
        "sd": "half_normal(2)",
        "sd_g[x]": "exponential(0.5)",
        "cor_g": "lkj(3)",
        "sigma^2": "inverse_gamma(3, 2)",
    }
    model = bl.Model("y ~ x + (x + z | g)", frame(), priors=priors)
    prior = model.prior_predictive(DRAWS, seed=1)["prior"].dataset.isel(chain=0)
    beta = prior["beta"].values
    centred = beta[:, 0] + beta[:, 1] * frame()["x"].mean()
    has_density(centred, stats.norm(2, 3))
    has_density(beta[:, 1], stats.t(4))
    assert abs(stats.pearsonr(centred, beta[:, 1])[0]) < 4 / np.sqrt(DRAWS)
    sd = prior["sd_g"].sel(g_coef=["Intercept", "x", "z"]).values
    has_density(sd[:, 0], stats.halfnorm(scale=2))
    has_density(sd[:, 1], stats.expon(scale=2))
    has_density(sd[:, 2], stats.halfnorm(scale=2))
    has_density(prior["sigma"].values ** 2, stats.invgamma(3, scale=2))
    for pair in prior["g_pair"].values:  # each correlation: Beta(b, b) on (-1, 1), b = 3 + 1/2
        has_density(prior["cor_g"].sel(g_pair=pair).values, stats.beta(3.5, 3.5, -1, 2))
    u = prior["u_g"].transpose("draw", "g", ...).values / sd[:, None]
    has_density(u[:, 5, 1], stats.norm())
    cor = prior["cor_g"].sel(g_pair="Intercept,x").values
    rest = (u[:, 2, 1] - cor * u[:, 2, 0]) / np.sqrt(1 - cor**2)
    has_density(rest, stats.norm())
    assert abs(stats.pearsonr(rest, u[:, 2, 0])[0]) < 4 / np.sqrt(DRAWS)


def test_families_effects_and_further_predictors() -> None:
    data = frame()
    priors = {
        "sigma_beta": "normal(0, 1)",
        "sigma_Intercept": "normal(-1, 0.5)",
        "share_g": "uniform(0, 1)",
    }
    model = bl.Model(
        "y ~ x + (1 | g)", data, family="student_t", dpar={"sigma": "~ x"}, priors=priors,
        random={"g": "mixture"},
    )  # fmt: skip
    prior = model.prior_predictive(DRAWS, seed=1)["prior"].dataset
    assert (prior["shift_g"] > 0).all()
    has_density(prior["shift_g"].values, stats.halfnorm(scale=2))
    has_density(prior["share_g"].values, stats.uniform())
    has_density(prior["nu"].values, stats.gamma(2, scale=10))
    has_density(prior["sigma_beta"].sel(sigma_coef="Intercept").values, stats.norm(-1, 0.5))
    ordered = data.assign(c=pd.Categorical(data["c"], ["low", "mid", "high"], ordered=True))
    ordinal = bl.Model("c ~ x", ordered, family="ordinal", priors={"cutpoint": "normal(1, 2)"})
    cuts = ordinal.prior_predictive(DRAWS, seed=1)["prior"]["cutpoint"]
    assert list(cuts["cutpoint_between"].values) == ["low|mid", "mid|high"]
    lower, upper = cuts.values[0].T
    least = stats.norm(1, 2)  # of two independent ones: P(min > t) = P(X > t)²
    assert stats.kstest(lower, lambda t: 1 - least.sf(t) ** 2).pvalue > LEVEL
    assert stats.kstest(upper, lambda t: least.cdf(t) ** 2).pvalue > LEVEL


def test_slopes_with_a_joint_prior() -> None:
    """One slope under R2D2: beta sd(x) / sigma = z sqrt(R²/(1 - R²)), R² a beta number."""
    data = frame()
    model = bl.Model("y ~ x", data, priors={"beta": "r2d2(0.4, 5)", "sigma": "half_normal(2)"})
    prior = model.prior_predictive(DRAWS, seed=1)["prior"].dataset.isel(chain=0)
    found = prior["beta"].sel(coef="x") * data["x"].std(ddof=0) / prior["sigma"]
    rng = np.random.default_rng(2)
    odds = stats.betaprime(2, 3).rvs(DRAWS, random_state=rng)
    expected = rng.standard_normal(DRAWS) * np.sqrt(odds)
    assert stats.ks_2samp(found, expected).pvalue > LEVEL


def test_one_variance_is_one_number() -> None:
    model = bl.Model("y ~ x + id(x + z | g)", frame())
    sd = model.prior_predictive(50, seed=1)["prior"]["sd_g"].values
    assert sd.shape == (1, 50, 1)


def test_the_prior_has_a_posteriors_names(sleepstudy: bl.Model, exact: bl.Fit) -> None:
    tree = sleepstudy.prior_predictive(20, seed=1)
    prior, posterior = tree["prior"].dataset, exact.tree["posterior"].dataset
    assert set(prior.data_vars) == set(contract_names(sleepstudy.resolved)) <= set(posterior)
    for name, value in posterior[list(prior.data_vars)].data_vars.items():
        assert prior[name].dims == value.dims
    for dim in set(prior.dims) - {"chain", "draw"}:
        np.testing.assert_array_equal(prior[dim], posterior[dim])
    assert tree["prior_predictive"]["Reaction"].shape == (1, 20, 180)
    np.testing.assert_array_equal(
        tree["observed_data"]["Reaction"], bl.load_dataset("sleepstudy")["Reaction"]
    )
    again = sleepstudy.prior_predictive(20, seed=1)["prior_predictive"]["Reaction"]
    assert again.equals(tree["prior_predictive"]["Reaction"])


def test_responses_follow_their_own_parameters(sleepstudy: bl.Model) -> None:
    """Residuals over sigma are standard normal, draw by draw."""
    tree = sleepstudy.prior_predictive(60, seed=2)
    p = tree["prior"].dataset.isel(chain=0)
    data = bl.load_dataset("sleepstudy")
    subject = p["u_Subject"].sel(Subject=data["Subject"].astype(str).to_list())
    columns = np.stack([np.ones(180), data["Days"]])
    line = p["beta"].values @ columns + np.einsum("dnk,kn->dn", subject.values, columns)
    y = tree["prior_predictive"]["Reaction"].values[0]
    has_density((y - line) / p["sigma"].values[:, None], stats.norm())


def test_wide_priors_of_counts_don_t_break() -> None:
    model = bl.Model(
        "y ~ x + (x | g)", frame(), family="poisson", priors={"beta": "normal(0, 500)"}
    )
    y = model.prior_predictive(50, seed=1)["prior_predictive"]["y"].values
    assert not np.isnan(y).any()


def test_improper_priors_are_named() -> None:
    model = bl.Model("y ~ x + (1 | g)", frame(), priors={"beta": "flat", "sigma": "flat"})
    with pytest.raises(bl.errors.MethodError, match=r"beta\[x\].*sigma"):
        model.prior_predictive(10)

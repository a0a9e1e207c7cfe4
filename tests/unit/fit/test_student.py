"""Relative variances given and sigma unknown: the posterior is t, against the dense formulas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayeslmm as bl

FORMULA = "y ~ x + (x | g) + (1 | batch)"
RATIOS = {"rel_sd_g": [2.0, 1.0], "cor_g": 0.3, "rel_sd_batch": 0.7}


def dense(data: pd.DataFrame, kappa: float, prior: tuple[float, float]) -> tuple[np.ndarray, ...]:
    """Location, scale matrix and degrees of freedom of (beta, u), from y ~ N(0, sigma² V)."""
    a, b = prior
    y, x, n = data["y"].to_numpy(), data["x"].to_numpy(), len(data)
    X = np.column_stack([np.ones(n), x])
    g = pd.get_dummies(data["g"]).to_numpy(float)
    batch = pd.get_dummies(data["batch"]).to_numpy(float)
    Z = np.column_stack([g, g * x[:, None], batch])
    cov = np.array([[4.0, 0.6], [0.6, 1.0]])
    G = np.zeros((Z.shape[1], Z.shape[1]))
    G[:18, :18] = np.kron(cov, np.eye(9))
    G[18:, 18:] = 0.49 * np.eye(6)
    W = np.column_stack([X, Z])
    prior_precision = np.zeros((len(G) + 2, len(G) + 2))
    prior_precision[:2, :2] = kappa * np.eye(2)
    prior_precision[2:, 2:] = np.linalg.inv(G)
    M = W.T @ W + prior_precision
    location = np.linalg.solve(M, W.T @ y)
    a_n = a + (n - 2 * (kappa == 0)) / 2
    b_n = b + 0.5 * float(y @ y - location @ M @ location)
    return location, np.linalg.inv(M) * b_n / a_n, np.array([a_n, b_n])


@pytest.mark.parametrize(
    ("kappa", "prior"),
    [(0.0, (0.0, 0.0)), (0.5, (0.0, 0.0)), (2.0, (3.0, 4.0)), (0.0, (-0.5, 0.0))],
)
def test_against_the_dense_posterior(
    kappa: float, prior: tuple[float, float], data: pd.DataFrame
) -> None:
    model = bl.Model(FORMULA, data)
    fit = model.fit("conjugate", variances=RATIOS, kappa=kappa, sigma2_prior=prior, seed=2)
    location, scale, (a_n, b_n) = dense(data, kappa, prior)
    t = stats.t(2 * a_n, location, np.sqrt(np.diag(scale)))
    fixed, u = fit.fixef(), fit.ranef()
    np.testing.assert_allclose(fixed["estimate"], location[:2], rtol=1e-8)
    np.testing.assert_allclose(fixed["std_error"], t.std()[:2], rtol=1e-8)
    np.testing.assert_allclose(fixed["lower"], t.ppf(0.025)[:2], rtol=1e-8)
    np.testing.assert_allclose(fixed["upper"], t.ppf(0.975)[:2], rtol=1e-8)
    order = [*np.array([[2 + j, 11 + j] for j in range(9)]).ravel(), *range(20, 26)]
    np.testing.assert_allclose(u["estimate"], location[order], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(u["std_error"], t.std()[order], rtol=1e-8)
    sigma = fit.varcorr().iloc[-1]
    draws = np.sqrt(stats.invgamma(a_n, scale=b_n).ppf([0.025, 0.975]))
    np.testing.assert_allclose(sigma[["lower", "upper"]].astype(float), draws, rtol=1e-9)


def test_mean_and_sd_of_sigma_by_quadrature(data: pd.DataFrame) -> None:
    fit = bl.Model(FORMULA, data).fit("conjugate", variances=RATIOS, kappa=1.0, seed=2)
    a_n, b_n = dense(data, 1.0, (0.0, 0.0))[2]
    law = stats.invgamma(a_n, scale=b_n)
    mean = law.expect(np.sqrt)
    sigma = fit.varcorr().iloc[-1]
    assert sigma["estimate"] == pytest.approx(mean, rel=1e-6) and fit.sigma == sigma["estimate"]
    assert sigma["std_error"] == pytest.approx(np.sqrt(law.mean() - mean**2), rel=1e-4)


def test_draws_follow_the_t(data: pd.DataFrame) -> None:
    """4000 draws of sigma and of the coefficients, few rows: Kolmogorov-Smirnov at 1e-4."""
    model = bl.Model("y ~ x + (1 | g)", data.iloc[:12])
    given = {"variances": {"rel_sd_g": 1.0}, "kappa": 1.0}
    fit = model.fit("conjugate", **given, seed=3, draws=1000)
    a_n = 0.5 * 12
    posterior, table = fit.tree["posterior"].dataset, fit.fixef()
    b_n = a_n * fit.tree["estimate"].dataset.attrs["scale2"]
    sigma = posterior["sigma"].values.ravel()
    assert stats.kstest(sigma**2, stats.invgamma(a_n, scale=b_n).cdf).pvalue > 1e-4
    beta = posterior["beta"].values.reshape(-1, 2)
    for i in range(2):
        scale = table["std_error"].iloc[i] * np.sqrt((a_n - 1) / a_n)
        law = stats.t(2 * a_n, table["estimate"].iloc[i], scale)
        assert stats.kstest(beta[:, i], law.cdf).pvalue > 1e-4
    ratio = posterior["sd_g"].values[..., 0] / posterior["sigma"].values
    np.testing.assert_allclose(ratio, 1.0)


def test_limit_is_reml_at_the_same_ratios(data: pd.DataFrame) -> None:
    """a = b = kappa = 0: location is BLUE and BLUP, and b_n/a_n REML's sigma²."""
    model = bl.Model(FORMULA, data)
    reml = model.fit("reml")
    v = reml.varcorr()["estimate"].to_numpy()
    ratios = {"rel_sd_g": v[:2] / reml.sigma, "cor_g": v[2], "rel_sd_batch": v[3] / reml.sigma}
    fit = model.fit("conjugate", variances=ratios, kappa=0, seed=1, draws=5)
    np.testing.assert_allclose(fit.fixef()["estimate"], reml.fixef()["estimate"], rtol=1e-8)
    np.testing.assert_allclose(fit.ranef()["estimate"], reml.ranef()["estimate"], atol=1e-8)
    scale2 = fit.tree["estimate"].dataset.attrs["scale2"]
    assert scale2 == pytest.approx(reml.sigma**2, rel=1e-8)


def test_exact_on_a_plain_regression_is_the_closed_form(data: pd.DataFrame) -> None:
    """Flat beta, sigma² ~ IG(2, 3): sigma² | y ~ IG(2 + (n − 2)/2, 3 + RSS/2), 5 MCSE."""
    priors = {"beta": "flat", "sigma^2": "inverse_gamma(2, 3)"}
    fit = bl.Model("y ~ x", data, priors=priors).fit("exact", seed=4)
    X, y = fit.resolved.design.X, data["y"].to_numpy()
    rss = float(np.linalg.lstsq(X, y, rcond=None)[1][0])
    law = stats.invgamma(2 + 44, scale=3 + rss / 2)
    sigma = fit.tree["posterior"].dataset["sigma"].values.ravel()
    size = fit.tree["sample_stats"].attrs["importance_ess"]
    mean = law.expect(np.sqrt)
    sd = np.sqrt(law.mean() - mean**2)
    assert abs(sigma.mean() - mean) < 5 * sd / np.sqrt(size)
    assert abs(sigma.var() / sd**2 - 1) < 5 * np.sqrt(2.5 / size)
    assert fit.sigma == pytest.approx(sigma.mean())

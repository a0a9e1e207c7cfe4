"""Variances of zero handed on: `conjugate` gives the posterior with u = 0 under every pattern."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl

PATTERNS = {
    "ar1": "ar1(0 + t | g)",
    "car1": "car1(0 + t | g)",
    "toep": "toep(0 + t | g)",
    "arma": "arma(0 + t | g)",
    "ante": "ante(0 + t | g)",
    "exp": "exp(0 + t | g)",
    "gau": "gau(0 + t | g)",
    "matern": "matern(0 + t | g)",
    "cs": "cs(0 + f | g)",
    "fa": "fa(0 + f | g, k=1)",
    "us": "(0 + f | g)",
    "diag": "diag(0 + f | g)",
    "id": "id(0 + f | g)",
}


def table() -> pd.DataFrame:
    """More variation within levels than between them: every variance is estimated as zero."""
    rng = np.random.default_rng(0)
    g, f = np.repeat(np.arange(8), 6), np.tile(list("abcaab"), 8)
    t = np.tile([0, 1, 2, 2, 1, 0], 8)
    x = rng.normal(size=48)
    y = 1 + 0.5 * x + np.tile([1.0, 1, 1, -1, -1, -1], 8) + 0.01 * rng.normal(size=48)
    return pd.DataFrame({"y": y, "x": x, "g": g, "f": f, "t": t})


@pytest.mark.parametrize("name", PATTERNS)
def test_the_posterior_at_no_variance_is_the_fixed_effects_own(name):
    frame = table()
    model = bl.Model(f"y ~ x + {PATTERNS[name]}", frame, priors="flat")
    count = model.resolved.design.blocks[0].n_coefs
    fit = model.fit(
        "conjugate", variances={"sd_g": np.zeros(count), "sigma": 0.7}, draws=3, chains=1, seed=1
    )
    X = np.column_stack([np.ones(48), frame["x"]])
    inverse = np.linalg.inv(X.T @ X)
    np.testing.assert_allclose(fit.fixef()["estimate"], inverse @ X.T @ frame["y"], rtol=1e-10)
    np.testing.assert_allclose(fit.vcov(), 0.49 * inverse, rtol=1e-10)
    assert np.all(fit.ranef()[["estimate", "std_error"]] == 0)
    for name, draws in fit.tree["posterior"].data_vars.items():
        assert np.all(np.isfinite(draws)), name
    numbers = fit.varcorr().query("kind == 'par'")["estimate"]
    assert np.all(np.isfinite(numbers))


@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.filterwarnings("ignore::bayeslmm.errors.SingularWarning")
def test_a_boundary_fit_can_be_handed_on(name):
    model = bl.Model(f"y ~ x + {PATTERNS[name]}", table(), priors="flat")
    fit = model.fit("reml")
    assert fit.singular
    handed = model.fit("conjugate", variances=fit, draws=3, chains=1, seed=1)
    for which in ("fixef", "ranef"):
        own, other = getattr(fit, which)(), getattr(handed, which)()
        np.testing.assert_allclose(other["estimate"], own["estimate"], rtol=1e-7, atol=1e-9)
    own, other = fit.varcorr(), handed.varcorr()
    own = own[own["kind"] == "par"]["estimate"]
    np.testing.assert_array_equal(other[other["kind"] == "par"]["estimate"], own)

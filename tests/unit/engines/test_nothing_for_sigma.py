"""A response that the effects reproduce leaves nothing for sigma: the posterior is improper unless
its prior keeps off 0."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate

import bayeslmm as bl
from bayeslmm.errors import MethodError


def constant_within(levels: int, each: int = 10) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(levels), each)
    iq = rng.normal(100, 15, levels)[g]
    return pd.DataFrame({"iq": iq, "x": rng.normal(size=len(g)), "g": g})


@pytest.mark.filterwarnings("ignore::bayeslmm.errors.BayeslmmWarning")
@pytest.mark.parametrize("levels", [30, 60])  # looked at before the fit, and in it
def test_exact_refuses_and_says_why(levels):
    model = bl.Model("iq ~ x + (1 | g)", constant_within(levels))
    with pytest.raises(MethodError, match=r"response exactly.*improper.*prior that excludes 0"):
        model.fit("exact", seed=1)


@pytest.mark.filterwarnings("ignore::bayeslmm.errors.BayeslmmWarning")
def test_a_prior_that_keeps_off_zero_leaves_a_posterior():
    """With the coefficients flat, sigma's posterior by quadrature over what is within levels and
    between them."""
    frame = constant_within(6, 4)[["iq", "g"]]
    priors = {"beta": "flat", "sd_g": "half_normal(20)", "sigma^2": "inverse_gamma(3, 8)"}
    fit = bl.Model("iq ~ 1 + (1 | g)", frame, priors=priors).fit(
        "exact", seed=1, draws=1000, chains=4
    )
    means = frame.groupby("g")["iq"].mean().to_numpy()
    around = float(np.sum((means - means.mean()) ** 2))

    def density(sd: float, sigma: float) -> float:
        between = sd**2 + sigma**2 / 4
        log = -18 * np.log(sigma) - 2.5 * np.log(between) - 0.5 * around / between
        return float(np.exp(log - sd**2 / 800 - 8 / sigma**2 - 7 * np.log(sigma) + 30))

    def moment(power: int) -> float:
        return integrate.dblquad(
            lambda sd, sigma: density(sd, sigma) * sigma**power, 0.3, 3.0, 0.0, 120.0
        )[0]

    draws = fit.tree["posterior"]["sigma"].values.ravel()
    mean = moment(1) / moment(0)
    sd = np.sqrt(moment(2) / moment(0) - mean**2)
    assert draws.mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(1500))

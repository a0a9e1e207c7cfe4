"""Trees that an earlier version saved."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning
from bayeslmm.fit.store_before import current


def fitted() -> bl.Fit:
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"g": np.repeat(list("abcdef"), 8), "t": np.tile(np.arange(4), 12)})
    u = rng.normal(size=(6, 4))[np.repeat(np.arange(6), 8), data["t"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        model = bl.Model("y ~ 1 + ar1(0 + t | g)", data.assign(y=u + 0.3 * rng.normal(size=48)))
        return model.fit("ml")


def test_repeated_standard_deviations_become_one() -> None:
    """They used to stand once for each coefficient; other variables stay as they are."""
    fit = fitted()
    now = fit.tree["estimate"].to_dataset()
    old = now.copy()
    for name in ("sd_g", "sd_g_std_error", "sd_g_lower", "sd_g_upper"):
        values = np.repeat(now[name].to_numpy(), 4)
        old = old.drop_vars(name).assign({name: (("g_coef",), values)})
    tree = xr.DataTree.from_dict({"/estimate": old.drop_vars("g_sd_coef")})
    xr.testing.assert_identical(
        current(fit.resolved, tree)["estimate"].to_dataset(), now[list(old.data_vars)]
    )
    same = current(fit.resolved, fit.tree)
    xr.testing.assert_identical(same["estimate"].to_dataset(), now)


def test_coefficients_in_the_order_of_their_text_are_refused() -> None:
    fit = fitted()
    estimate = fit.tree["estimate"].to_dataset()
    estimate = estimate.assign_coords(g_coef=["t[1]", "t[0]", "t[2]", "t[3]"])
    with pytest.raises(ValueError, match="fit the model again"):
        current(fit.resolved, xr.DataTree.from_dict({"/estimate": estimate}))

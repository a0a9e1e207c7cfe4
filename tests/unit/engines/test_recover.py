"""Exact draws of beta and u for somebody else's draws of the variance parameters."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import bayeslmm as bl
from bayeslmm.engines.recover import recover
from bayeslmm.errors import FitError, MethodError

DRAWS = 2000


def tree_of(**variables: object) -> xr.DataTree:
    """A tree that says the same of the variances in every draw."""
    out = {}
    for name, value in variables.items():
        value = np.asarray(value, dtype=float)
        dims = [f"{name}_{i}" for i in range(value.ndim)]
        out[name] = (("chain", "draw", *dims), np.tile(value, (2, DRAWS, *[1] * value.ndim)))
    coords = {"chain": [0, 1], "draw": np.arange(5, DRAWS + 5)}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(out, coords)})


@pytest.mark.parametrize(
    ("name", "variances"),
    [
        ("sleepstudy", {"sd_Subject": [25.0, 6.0], "cor_Subject": [0.1], "sigma": 25.0}),
        ("penicillin", {"sd_plate": [0.8], "sd_sample": [1.9], "sigma": 0.55}),
        ("dyestuff2", {"sd_Batch": [0.0], "sigma": 3.7}),
    ],
)
def test_draws_have_the_conjugate_posteriors_moments(name, variances, gallery_model):
    """Given the variances the posterior is known: 4 Monte Carlo errors of 4,000 draws."""
    model = gallery_model(name)
    out = recover(model.resolved, tree_of(**variances), seed=1)
    given = model.fit("conjugate", variances=variances, seed=1)
    posterior, size = out["posterior"], 2 * DRAWS
    fixed = given.fixef()
    beta = posterior["beta"].values.reshape(size, -1)
    assert beta.mean(0) == pytest.approx(
        fixed["estimate"].to_numpy(), abs=4 * fixed["std_error"].max() / np.sqrt(size)
    )
    assert beta.std(0) == pytest.approx(fixed["std_error"].to_numpy(), rel=4 / np.sqrt(2 * size))
    for group, rows in given.ranef().groupby("group", sort=False, observed=True):
        u = posterior[f"u_{group}"].values.reshape(size, -1)
        error = rows["std_error"].to_numpy()
        assert np.all(np.abs(u.mean(0) - rows["estimate"]) <= 4.5 * error / np.sqrt(size) + 1e-12)
        assert u.std(0) == pytest.approx(error, rel=4.5 / np.sqrt(2 * size), abs=1e-12)
    assert list(posterior["draw"].values[:2]) == [5, 6]
    assert np.array_equal(posterior["sigma"], np.full((2, DRAWS), variances["sigma"]))


@pytest.mark.parametrize("correlation", [1.0, -1.0])
def test_a_correlation_that_has_rounded_to_one_is_taken(correlation, gallery_model):
    tree = tree_of(sd_Subject=[25.0, 6.0], cor_Subject=[correlation], sigma=25.0)
    u = recover(gallery_model("sleepstudy").resolved, tree, seed=1)["posterior"]["u_Subject"]
    assert u[..., 0].values == pytest.approx(correlation * u[..., 1].values * 25 / 6, abs=1e-2)


def test_everything_else_in_the_tree_stays(gallery_model):
    tree = tree_of(sd_Batch=[1.0], sigma=3.0, more=[1.0, 2.0], beta=[7.0])
    tree["sample_stats"] = xr.DataTree(xr.Dataset({"lp": (("chain", "draw"), np.ones((2, DRAWS)))}))
    out = recover(gallery_model("dyestuff2").resolved, tree, seed=1)
    assert out["posterior"]["more"].shape == (2, DRAWS, 2)
    assert out["posterior"]["beta"].dims == ("chain", "draw", "coef")
    assert out["posterior"]["beta"].std() > 0.1  # drawn anew
    assert out["posterior"]["u_Batch"].dims == ("chain", "draw", "Batch", "Batch_coef")
    assert "lp" in out["sample_stats"]
    again = recover(gallery_model("dyestuff2").resolved, tree, seed=1)
    assert again["posterior"].dataset.identical(out["posterior"].dataset)


def test_what_cannot_be_recovered_from_is_named(gallery_model):
    model = gallery_model("dyestuff2").resolved
    with pytest.raises(FitError, match="no group 'posterior'"):
        recover(model, xr.DataTree())
    with pytest.raises(FitError, match="no draws of 'sd_Batch'"):
        recover(model, tree_of(sigma=3.0))
    with pytest.raises(FitError, match="another model"):
        recover(model, tree_of(sigma=3.0, sd_Batch=[1.0, 2.0]))
    with pytest.raises(MethodError, match="whole number"):
        recover(model, tree_of(sigma=3.0, sd_Batch=[1.0]), seed=-1)
    counts = bl.load_dataset("sleepstudy").assign(count=np.arange(180) % 7)
    other = bl.Model("count ~ 1 + (1 | Subject)", counts, family="poisson").resolved
    with pytest.raises(MethodError, match="Gaussian"):
        recover(other, tree_of(sd_Subject=[1.0]))

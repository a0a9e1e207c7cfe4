"""The PyMC model is the user's to open: names, dims, data, and likelihoods of their own."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytest

import bayeslmm as bl


@pytest.fixture(scope="module")
def built() -> pm.Model:
    return bl.load_model("sleepstudy").to_pymc()


def test_everything_has_a_readable_name_dims_and_coords(built: pm.Model) -> None:
    names = {v.name for v in built.free_RVs}
    assert {"Intercept_centred", "slope_effect", "u_Subject", "sigma"} <= names
    assert "sd_Subject_centred" in names  # at the mean of Days, where its prior is
    assert {"beta", "sd_Subject", "cor_Subject"} <= {v.name for v in built.deterministics}
    assert built.named_vars_to_dims["u_Subject"] == ("Subject", "Subject_coef")
    assert list(built.coords["Subject_coef"]) == ["Intercept", "Days"]
    assert list(built.coords["Subject"])[:2] == ["308", "309"]
    assert {v.name for v in built.data_vars} >= {"X", "Reaction_data", "Subject_index"}


def test_the_graph_is_drawn_by_names(built: pm.Model) -> None:
    """What `pm.model_to_graphviz` would draw: the response depends on all of it, by plates."""
    edges = pm.model_graph.ModelGraph(built).make_compute_graph()
    assert {"sigma"} <= edges["Reaction"]
    assert "u_Subject" in edges


def test_the_data_can_be_swapped(built: pm.Model) -> None:
    """The log density is that of the new response."""
    point = built.initial_point()
    logp = built.compile_logp()
    before = logp(point)
    data = bl.load_dataset("sleepstudy")
    with built:
        pm.set_data({"Reaction_data": data["Reaction"].to_numpy() + 10.0})
    assert logp(point) != before
    with built:
        pm.set_data({"Reaction_data": data["Reaction"].to_numpy()})
    assert logp(point) == pytest.approx(before)


@pytest.mark.slow
def test_a_likelihood_of_the_users_own() -> None:
    """Laplace errors on our linear predictor: the median line of simulated heavy tails."""
    rng = np.random.default_rng(8)
    data = bl.load_dataset("sleepstudy")
    line = 250 + 10 * data["Days"].to_numpy() + 20 * rng.normal(size=18)[np.repeat(range(18), 10)]
    data["Reaction"] = line + rng.laplace(scale=15.0, size=180)
    model = bl.Model("Reaction ~ Days + (1 | Subject)", data)
    with model.to_pymc(likelihood=False) as mine:
        assert "Reaction" not in mine.named_vars
        scale = pm.HalfNormal("scale", 50.0)
        pm.Laplace("y", mine["eta"], scale, observed=data["Reaction"].to_numpy())
        tree = pm.sample(300, tune=500, chains=2, random_seed=1, nuts_sampler="nutpie",
                         progressbar=False, compute_convergence_checks=False)  # fmt: skip
    posterior = tree["posterior"]
    slope = posterior["beta"].sel(coef="Days").values
    for draws, truth in ((posterior["scale"].values, 15.0), (slope, 10.0)):
        assert abs(draws.mean() - truth) < 4 * draws.std()

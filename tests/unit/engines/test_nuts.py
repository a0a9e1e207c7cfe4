"""Method 'nuts': what it refuses, what it says after sampling, and the collapsed road."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import xarray as xr

import bayeslmm as bl
from bayeslmm.compare import agreement
from bayeslmm.engines import sampling
from bayeslmm.engines.findings import findings
from bayeslmm.engines.nuts import acceptance
from bayeslmm.errors import ConvergenceWarning, MethodError

FORMULA = "Reaction ~ Days + (1 | Subject)"


def chains_of(values: np.ndarray, **stats: np.ndarray) -> tuple[xr.Dataset, xr.Dataset]:
    dims = ("chain", "draw")
    kept = {name: (dims, value) for name, value in stats.items()}
    return xr.Dataset({"sigma": (dims, values)}), xr.Dataset(kept)


def test_nothing_is_said_of_good_chains():
    rng = np.random.default_rng(1)
    posterior, stats = chains_of(
        rng.normal(size=(4, 500)),
        diverging=np.zeros((4, 500), np.int8),
        energy=rng.normal(size=(4, 500)),
    )
    scalars, said = findings(posterior, stats, "…")
    assert said == []
    assert scalars["divergences"] == 0
    assert scalars["max_rhat"] < 1.01
    assert 1500 < scalars["min_ess_bulk"] < 2700
    assert scalars["min_bfmi"] == pytest.approx(2.0, abs=0.4)  # of independent energies


def test_bad_chains_are_told_in_words_with_a_next_step():
    rng = np.random.default_rng(2)
    walk = np.cumsum(rng.normal(size=(2, 400)), axis=1)
    posterior, stats = chains_of(
        walk + np.array([[0.0], [50.0]]),
        diverging=(np.arange(800) % 80 == 0).reshape(2, 400).astype(np.int8),
        energy=np.stack([walk[0], rng.normal(size=400)]),
    )
    with pytest.warns(ConvergenceWarning) as caught:
        scalars, said = findings(posterior, stats, "wish")
    assert [str(w.message) for w in caught] == said
    steps, mixing, sizes, energy = said
    assert steps.startswith("10 of 800 draws diverged") and "or wish." in steps
    assert mixing.startswith("R-hat is ") and "for sigma (aim: below 1.01)" in mixing
    assert "bulk" in sizes and "for sigma" in sizes and "aim: 400 or more" in sizes
    assert all("draws=800" in text for text in (mixing, sizes))
    assert "E-BFMI is 0.02 in chain 0" in energy
    assert scalars["divergences"] == 10


@pytest.mark.parametrize("name", ["maxdepth_reached", "reached_max_treedepth"])
def test_trees_that_are_cut_short_are_told(name):
    rng = np.random.default_rng(3)
    cut = (np.arange(2000) % 50 == 0).reshape(4, 500).astype(np.int8)
    posterior, stats = chains_of(rng.normal(size=(4, 500)), **{name: cut})
    with pytest.warns(ConvergenceWarning, match="40 of 2000 draws reached the maximum tree depth"):
        scalars, _ = findings(posterior, stats, "…")
    assert scalars["cut_short"] == 40
    posterior, stats = chains_of(rng.normal(size=(4, 500)), **{name: cut * (np.arange(500) < 100)})
    scalars, said = findings(posterior, stats, "…")
    assert scalars["cut_short"] == 8 and said == []


def test_steps_are_shorter_where_few_levels_tell_a_variance(gallery_model):
    assert acceptance(gallery_model("machines").resolved) == 0.95  # six workers
    assert acceptance(gallery_model("sleepstudy").resolved) == 0.9
    data = bl.load_dataset("sleepstudy")
    data["week"] = data["Days"] // 5
    plain = bl.Model("Reaction ~ Days", data)
    spread = bl.Model("Reaction ~ Days", data, dpar={"sigma": "~ 1 + (1 | week)"})
    assert acceptance(plain.resolved) == 0.9
    assert acceptance(spread.resolved) == 0.95  # of a further parameter's effects too


def test_many_chains_need_a_hundred_each():
    rng = np.random.default_rng(3)
    posterior, stats = chains_of(rng.normal(size=(8, 75)))
    with pytest.warns(ConvergenceWarning, match="aim: 800 or more"):
        findings(posterior, stats, "…")


def test_what_does_not_move_is_no_complaint():
    rng = np.random.default_rng(1)
    posterior, stats = chains_of(rng.normal(size=(4, 500)))
    scalars, said = findings(posterior.assign(none=posterior["sigma"] * 0 + 1.0), stats, "…")
    assert said == []
    assert "min_bfmi" not in scalars


@pytest.mark.parametrize("name", ["nutpie", "numpyro", "blackjax"])
def test_a_sampler_that_is_not_there_names_what_brings_it(name, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    with pytest.raises(MethodError, match=rf"pip install 'bayeslmm\[{name}\]'"):
        sampling.sampler_of(name)
    assert sampling.sampler_of(None) == "pymc"


@pytest.mark.parametrize(
    ("formula", "options", "words"),
    [
        (FORMULA, {"parametrisation": "centred"}, "Leave out one of the two"),
        (FORMULA, {"memory": -1}, "number of GiB"),
        ("Reaction ~ Days", {"known": True}, "the model has none"),
        ("count ~ Days + (1 | Subject)", {"family": "poisson"}, "needs a Gaussian response"),
    ],
)
def test_the_collapsed_road_refuses_before_it_compiles(formula, options, words):
    data = bl.load_dataset("sleepstudy").assign(s=30.0, count=np.arange(180) % 7)
    known = {"known_sd": "s"} if options.pop("known", False) else {}
    model = bl.Model(formula, data, family=options.pop("family", "gaussian"), **known)
    with pytest.raises(MethodError, match=words):
        model.fit("nuts", marginal=True, **options)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sleepstudy", "dyestuff2"])
def test_collapsed_is_exact(name, gallery_fit):
    """Means and sds of all parameters and effects within 4 Monte Carlo standard errors."""
    nuts = gallery_fit(name, "nuts", seed=3, marginal=True)
    assert nuts.notes == (
        "The variance parameters were sampled by nutpie with (beta, u) integrated out; (beta, u) "
        "were drawn given each draw of them.",
    )
    exact = gallery_fit(name, "exact", seed=21, draws=20000)
    table = agreement({"nuts": nuts, "exact": exact}, effects="all")
    assert len(table) > 3
    assert table["mean_z"].abs().max() < 4, table
    assert table["sd_z"].abs().max() < 4, table


def test_past_the_memory_there_are_moments_of_the_effects(gallery_model):
    fit = gallery_model("sleepstudy").fit(
        "nuts", seed=3, draws=600, chains=2, marginal=True, memory=1e-6
    )
    assert "u_Subject" not in fit.tree["posterior"]
    assert any("draw_ranef" in note for note in fit.notes)
    exact = gallery_model("sleepstudy").fit("exact", seed=3)
    ours, theirs = fit.ranef()["estimate"], exact.ranef()["estimate"]
    assert np.abs(ours - theirs).max() < 4 * exact.ranef()["std_error"].max() / np.sqrt(400)

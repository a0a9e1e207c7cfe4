"""`exact` beyond its weights: memory by budget, draws on request, the chain that stands in, and
the same draws whatever the number of threads."""

from __future__ import annotations

import multiprocessing as mp

import numpy as np
import pytest

import bayeslmm as bl
from bayeslmm.engines import exact as engine
from bayeslmm.engines import progress
from bayeslmm.linalg import compiled

SMALL = {"draws": 500, "chains": 2, "seed": 3}


@pytest.fixture(scope="module", params=["sleepstudy", "penicillin"])
def pair(request) -> tuple[bl.Model, bl.Fit, bl.Fit]:
    """A model, its fit with draws of u, and the one without."""
    model = bl.load_model(request.param)
    return model, model.fit("exact", seed=1), model.fit("exact", seed=2, memory=0)


def test_without_memory_the_tree_keeps_moments(pair) -> None:
    """Draws of beta and the variances, means and covariances of u; and it is said."""
    model, _, lean = pair
    posterior, effects = lean.tree["posterior"].dataset, lean.tree["effects"].dataset
    for block in model.resolved.design.blocks:
        assert f"u_{block.group}" not in posterior
        assert effects[f"u_{block.group}"].shape == (block.n_levels, block.n_coefs)
    assert "beta" in posterior and "sigma" in posterior
    assert any("draw_ranef" in note and "GiB" in note for note in lean.notes)


@pytest.mark.parametrize("table", ["ranef", "coef"])
def test_moments_are_those_of_the_draws(pair, table: str) -> None:
    """Means within 5 Monte Carlo standard errors of the draws, sds within an eighth."""
    _, full, lean = pair
    a, b = getattr(full, table)(), getattr(lean, table)()
    assert a[["group", "level", "coef"]].equals(b[["group", "level", "coef"]])
    size = full.tree["sample_stats"].attrs["importance_ess"]
    z = (a["estimate"] - b["estimate"]) / (a["std_error"] * np.sqrt(2 / size))
    assert z.abs().max() < 5
    np.testing.assert_allclose(a["std_error"] / b["std_error"], 1.0, atol=0.125)


def test_draws_on_request_have_those_moments(pair) -> None:
    """All levels of a factor, drawn afterwards: within 5 standard errors of the kept moments."""
    model, _, lean = pair
    for block in model.resolved.design.blocks:
        drawn = lean.draw_ranef(block.group, seed=4)
        assert dict(drawn.sizes)["draw"] == 1000 and drawn.sizes["chain"] == 4
        effects = lean.tree["effects"].dataset
        mean = effects[f"u_{block.group}"].values
        sd = np.sqrt(np.einsum("jaa->ja", effects[f"u_{block.group}_cov"].values))
        size = lean.tree["sample_stats"].attrs["importance_ess"]
        assert np.max(np.abs(drawn.mean(("chain", "draw")).values - mean) / sd) < 5 / np.sqrt(size)
        np.testing.assert_allclose(drawn.std(("chain", "draw")).values, sd, rtol=0.125)


def test_draws_on_request_are_of_the_levels_asked_for(pair) -> None:
    model, full, lean = pair
    block = model.resolved.design.blocks[0]
    level = block.levels[1]
    for fit in (full, lean):
        drawn = fit.draw_ranef(block.group, levels=[level], seed=5)
        assert drawn.sizes[block.group] == 1
        assert list(drawn[block.group].values) == [level]
    kept = full.tree["posterior"].dataset[f"u_{block.group}"].values[:, :, 1]
    np.testing.assert_array_equal(full.draw_ranef(block.group, [level]).values[:, :, 0], kept)
    again = [lean.draw_ranef(block.group, [level], seed=6).values for _ in range(2)]
    np.testing.assert_array_equal(*again)


def test_prediction_without_kept_draws(pair) -> None:
    """Rows of the data: the same mean and sd as with kept draws, within Monte Carlo error."""
    _, full, lean = pair
    a, b = full.predict(seed=1), lean.predict(seed=1)
    size = full.tree["sample_stats"].attrs["importance_ess"]
    z = (a["estimate"] - b["estimate"]) / (a["std_error"] * np.sqrt(2 / size))
    assert z.abs().max() < 5
    np.testing.assert_allclose(a["std_error"] / b["std_error"], 1.0, atol=0.15)


def test_a_fit_without_kept_draws_survives_a_file(pair, tmp_path) -> None:
    _, _, lean = pair
    lean.save(tmp_path / "fit.nc")
    loaded = bl.load_fit(tmp_path / "fit.nc")
    for table in ("ranef", "coef", "fixef", "varcorr"):
        np.testing.assert_allclose(
            getattr(loaded, table)()["estimate"], getattr(lean, table)()["estimate"]
        )


def test_what_cannot_be_drawn_is_refused(pair) -> None:
    model, full, _ = pair
    group = model.resolved.design.blocks[0].group
    with pytest.raises(bl.errors.MethodError, match="Unknown factor"):
        full.draw_ranef("nobody")
    with pytest.raises(bl.errors.LevelError, match="has no level"):
        full.draw_ranef(group, levels=["nobody"])
    with pytest.raises(bl.errors.FitError, match="has no draws"):
        model.fit("reml").draw_ranef(group)
    with pytest.raises(bl.errors.MethodError, match="GiB"):
        model.fit("exact", memory=-1)


@pytest.fixture(scope="module")
def chained() -> bl.Fit:
    """A fit whose importance weights are taken to be bad."""
    limit = engine.KHAT_LIMIT
    engine.KHAT_LIMIT = -9.0
    try:
        return bl.load_model("dyestuff").fit("exact", **SMALL)
    finally:
        engine.KHAT_LIMIT = limit


def test_the_chain_says_what_it_is(chained: bl.Fit) -> None:
    assert any("NUTS" in note and "evidence is not available" in note for note in chained.notes)
    with pytest.raises(bl.errors.FitError, match="log_evidence"):
        _ = chained.log_evidence
    assert "R-hat" in str(chained.summary())


def test_the_chain_draws_the_same_posterior(chained: bl.Fit) -> None:
    """Means within 5 standard errors, with a fifth of the draws counted as independent."""
    weighted = bl.load_model("dyestuff").fit("exact", seed=1)
    a, b = chained.varcorr(), weighted.varcorr()
    z = (a["estimate"] - b["estimate"]) / (b["std_error"] / np.sqrt(1000 / 5))
    assert z.abs().max() < 5
    u, v = chained.ranef(), weighted.ranef()
    z = (u["estimate"] - v["estimate"]) / (v["std_error"] / np.sqrt(1000 / 5))
    assert z.abs().max() < 5


def test_the_chain_survives_a_file(chained: bl.Fit, tmp_path) -> None:
    chained.save(tmp_path / "fit.nc")
    loaded = bl.load_fit(tmp_path / "fit.nc")
    np.testing.assert_array_equal(loaded.ranef()["estimate"], chained.ranef()["estimate"])


@pytest.mark.parametrize("name", ["sleepstudy", "pastes"])
def test_threads_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed gives the same draws, bit by bit, on one thread and on four."""
    model = bl.load_model(name)
    fits = []
    for count in (1, 4):
        monkeypatch.setattr(compiled, "threads", lambda count=count: count)
        fits.append(model.fit("exact", **SMALL).tree["posterior"].dataset)
    for variable in fits[0].data_vars:
        np.testing.assert_array_equal(fits[0][variable].values, fits[1][variable].values)


def test_bounds_of_priors_are_kept() -> None:
    """A bound above what the data say: draws against it, however they were made."""
    data = bl.load_dataset("sleepstudy")
    for priors, name, low, high in (
        ({"sigma": "uniform(0, 30)"}, "sigma", 0, 30),
        ({"sd_Subject[Intercept]": "uniform(0, 5)"}, "sd_Subject", 0, 5),
    ):
        fit = bl.Model("Reaction ~ Days + (1 | Subject)", data, priors=priors).fit("exact", **SMALL)
        drawn = fit.tree["posterior"].dataset[name].values
        assert drawn.min() > low and high - 0.3 * (high - low) < drawn.max() < high


def test_without_variance_parameters_there_is_one_posterior() -> None:
    """All standard deviations known and no random term: the closed form's numbers."""
    data = bl.load_dataset("sleepstudy").assign(s=30.0)
    model = bl.Model("Reaction ~ Days", data, known_sd="s")
    fit, closed = model.fit("exact", **SMALL), model.fit("conjugate", variances={})
    assert fit.tree["sample_stats"].attrs["pareto_k"] == 0
    a, b = fit.fixef(), closed.fixef()
    assert np.all(np.abs(a["estimate"] - b["estimate"]) < 4 * b["std_error"] / np.sqrt(1000))


@pytest.mark.skipif("fork" not in mp.get_all_start_methods(), reason="no fork here")
def test_a_forked_child_has_threads_of_its_own() -> None:
    """The parent's pool is of no use to it: a fit ends there too."""
    model = bl.load_model("sleepstudy")
    expected = model.fit("exact", **SMALL).sigma
    queue = mp.get_context("fork").Queue()
    child = mp.get_context("fork").Process(
        target=lambda: queue.put(model.fit("exact", **SMALL).sigma)
    )
    child.start()
    assert queue.get(timeout=60) == expected
    child.join(10)


def test_a_posterior_that_rounding_hides_is_refused() -> None:
    """A response of 1e8 with errors known to be about 1: log densities are right to 1 at best."""
    data = {
        "y": [213363200.0, 205063900.0, 117189700.0, 437006700.0, 214071800.0, 325152200.0],
        "x": [-1.0, -1.0, -1.0, -1.0, 1.0, 1.0],
        "g": ["a", "a", "a", "b", "a", "b"],
        "s": [0.53, 1.69, 0.78, 0.48, 2.49, 2.88],
    }
    with pytest.warns(bl.errors.IdentifiabilityWarning, match="3 variance parameters for 2"):
        model = bl.Model("y ~ (x | g)", data, known_sd="s")
    with pytest.raises(bl.errors.MethodError, match="Rounding hides the posterior"):
        model.fit("exact", seed=1, draws=50, chains=2)


def test_a_long_search_shows_its_progress(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """A bar on standard error, and the same draws as without."""
    model = bl.load_model("sleepstudy")
    fits = [model.fit("exact", **SMALL)]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "LONG", 0.0)
    fits.append(model.fit("exact", **SMALL))
    assert "Mode of the variances" in capsys.readouterr().err
    assert fits[0].sigma == fits[1].sigma

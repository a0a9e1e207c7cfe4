"""Calibration sees right posteriors as right and wrong ones as wrong, and refuses in words."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslmm as bl
from bayeslmm.diagnostics import calibrate as module
from bayeslmm.diagnostics.calibrate import calibrate
from bayeslmm.diagnostics.calibration import Calibration
from bayeslmm.diagnostics.ranks import LOGLIK, RANKS, draw_data, quantities, rank
from bayeslmm.errors import FitError, MethodError
from bayeslmm.model import Model
from bayeslmm.predict.prior import draw_prior, prior_dataset
from bayeslmm.predict.simulate import responses

PRIORS = {"Intercept": "normal(0, 1)", "beta": "normal(0, 1)", "sd": "half_normal(1)",
          "sigma": "half_normal(1)"}  # fmt: skip
LEVEL = 1e-3  # seeds are fixed: a right posterior would fail once in a thousand seeds


def model() -> Model:
    data = pd.DataFrame({"y": np.zeros(24), "x": np.linspace(-1, 1, 24), "g": np.arange(24) % 6})
    data["y"] = np.arange(24) % 5
    return bl.Model("y ~ x + (1 | g)", data, priors=PRIORS).resolved


def ranked(posterior: Any, n: int) -> Calibration:
    found = [rank(model(), posterior, c) for c in np.random.SeedSequence(5).spawn(n)]
    return Calibration(pd.DataFrame([r.ranks for r in found]), RANKS, "by hand")


def prior_alone(there: Model, seed: int) -> xr.Dataset:
    """What a method would hand back that never looks at the data."""
    rng = np.random.default_rng(seed)
    values = draw_prior(there, RANKS, rng)
    responses(there, values, rng)
    return prior_dataset(there, values)


@pytest.fixture(scope="module")
def exact() -> Calibration:
    return calibrate(model(), "exact", 60, seed=3, progress=False, draws=400)


def test_exact_is_calibrated(exact: Calibration) -> None:
    names = ["beta[Intercept]", "beta[x]", "u_g[0, Intercept]", "u_g[5, Intercept]",
             "sd_g[Intercept]", "sigma", LOGLIK]  # fmt: skip
    assert list(exact.ranks) == names
    assert exact.ranks.shape == (60, 7)
    assert exact.ranks.min().min() >= 0
    assert exact.ranks.max().max() <= RANKS
    assert exact.calibrated
    assert exact.p_values.min() > LEVEL / 7


def test_the_log_likelihood_sees_a_method_that_ignores_the_data() -> None:
    """Each parameter's ranks are uniform then (Modrák et al., 2023, sec. 3.1)."""
    found = ranked(prior_alone, 150)
    p = found.p_values
    assert p.drop(LOGLIK).min() > LEVEL / 6
    assert p[LOGLIK] < 1e-10
    assert not found.calibrated
    assert found.table.loc[LOGLIK, "mean"] > 0.8
    assert "RANKS ARE NOT UNIFORM" in repr(found)


def test_ranks_count_draws_below() -> None:
    def beside(there: Model, seed: int) -> xr.Dataset:
        found = prior_alone(there, seed)
        found["sigma"] = found["sigma"] * 0.0 - 1.0
        found["beta"] = found["beta"] * 0.0 + 1e6
        return found.drop_vars("u_g")

    found = ranked(beside, 8).ranks
    assert (found["sigma"] == RANKS).all()
    assert (found["beta[x]"] == 0).all()
    assert LOGLIK not in found


def test_equal_values_are_ranked_by_lot() -> None:
    children = np.random.SeedSequence(5).spawn(40)

    def itself(child: np.random.SeedSequence) -> Any:
        truth = draw_data(model(), child)[0]
        values = {name: value.repeat(RANKS, axis=0) for name, value in truth.items()}
        return lambda there, seed: prior_dataset(there, values)

    found = pd.DataFrame([rank(model(), itself(c), c).ranks for c in children])
    p = Calibration(found, RANKS, "the truth").p_values
    assert p.drop(LOGLIK).min() > LEVEL / 6


def test_a_seed_fixes_the_ranks_and_a_job_can_travel() -> None:
    options: dict[str, Any] = {"progress": False, "draws": 100}
    found = calibrate(model(), "exact", 4, seed=4, **options).ranks
    pd.testing.assert_frame_equal(calibrate(model(), "exact", 4, seed=4, **options).ranks, found)
    assert not calibrate(model(), "exact", 4, seed=5, **options).ranks.equals(found)
    job = pickle.loads(pickle.dumps(module._Job(model(), "exact", {"draws": 100})))
    children = np.random.SeedSequence(4).spawn(4)
    there = pd.DataFrame([module._elsewhere(job, c).ranks for c in children[::-1]])
    pd.testing.assert_frame_equal(there[::-1].reset_index(drop=True), found)


@pytest.mark.slow
def test_the_same_ranks_whatever_the_number_of_workers() -> None:
    options: dict[str, Any] = {"seed": 4, "progress": False, "draws": 100}
    one = calibrate(model(), "exact", 6, workers=1, **options)
    two = calibrate(model(), "exact", 6, workers=2, **options)
    pd.testing.assert_frame_equal(one.ranks, two.ranks)


def test_what_it_says(exact: Calibration) -> None:
    text, page = repr(exact), exact._repr_html_()
    for said in ("60 data sets, 7 quantities", "Ranks are uniform", "u_g[5, Intercept]"):
        assert said in text
        assert said in page
    table = exact.table
    np.testing.assert_allclose(table["mean"], exact.ranks.mean() / RANKS)
    uniform = Calibration(pd.DataFrame({"a": np.arange(100)}), 99, "by hand")
    row = uniform.table.loc["a"]
    assert row["mean"] == 0.5
    assert row["spread"] == pytest.approx(1.0, abs=0.01)
    assert row["p"] == pytest.approx(1.0)


def test_fits_that_fail_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def failing(often: int) -> Any:
        def posterior(there: Model, seed: int) -> xr.Dataset:
            calls.append(seed)
            if len(calls) % often == 0:
                raise FitError("no luck")
            return prior_alone(there, seed)

        return lambda job: posterior

    monkeypatch.setattr(module._Job, "posterior", failing(4))
    found = calibrate(model(), "exact", 12, seed=1, progress=False)
    assert len(found.ranks) == 9
    assert found.notes == (
        "3 of 12 fits by 'exact' failed and have no ranks; the first error: FitError: no luck.",
    )
    monkeypatch.setattr(module._Job, "posterior", failing(1))
    with pytest.raises(FitError, match="12 of 12 fits failed; the first error: FitError: no luck"):
        calibrate(model(), "exact", 12, seed=1, progress=False)


def test_every_number_of_the_parameters_is_ranked() -> None:
    data = pd.DataFrame(
        {"y": list("abcd") * 15, "x": np.linspace(-1, 1, 60), "g": np.arange(60) % 6}
    )
    inner = bl.Model("y ~ x + (1 | g)", data, family="categorical").resolved
    labels = [label for _, _, label in quantities(inner)]
    assert labels[:6] == [f"beta[{c}, {b}]" for c in "bcd" for b in ("Intercept", "x")]
    assert "u_g[d, 5, Intercept]" in labels
    assert len(labels) == 6 + 3 * 2 + 3


def test_refusals() -> None:
    inner = model()
    for method in ("reml", "conjugate", "best"):
        with pytest.raises(MethodError, match="a method with posterior draws"):
            calibrate(inner, method, 10)
    with pytest.raises(MethodError, match="n must be a whole number"):
        calibrate(inner, "exact", 1)
    with pytest.raises(MethodError, match="workers must be a whole number"):
        calibrate(inner, "exact", 10, workers=0)
    with pytest.raises(MethodError, match=r"no option 'drawz'.*Did you mean 'draws'"):
        calibrate(inner, "exact", 10, drawz=10)
    data = pd.DataFrame({"y": np.arange(24) % 5, "x": np.linspace(-1, 1, 24)})
    flat = bl.Model("y ~ x", data, priors="flat").resolved
    with pytest.raises(MethodError, match=r"improper.*Intercept.*beta\[x\]"):
        calibrate(flat, "exact", 10)
    counts = bl.Model("y ~ x", data, family="poisson").resolved
    with pytest.raises(MethodError, match="needs a Gaussian response"):
        calibrate(counts, "exact", 10)

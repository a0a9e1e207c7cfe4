"""Differences between posteriors are measured by honest Monte Carlo errors."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayeslmm as bl
from bayeslmm.compare import agreement, say_agreement
from bayeslmm.model import Model


@dataclass(frozen=True)
class Chains:
    """A fit's draws without the word that they are independent: read as Markov chains."""

    fit: bl.Fit
    method: str = "nuts"

    @property
    def tree(self) -> xr.DataTree:
        return self.fit.tree.drop_nodes("sample_stats")

    @property
    def resolved(self) -> Model:
        return self.fit.resolved

    def fixef(self, level: float = 0.95) -> pd.DataFrame:
        return self.fit.fixef(level=level)

    def ranef(self, level: float = 0.95) -> pd.DataFrame:
        return self.fit.ranef(level=level)

    def varcorr(self, level: float = 0.95) -> pd.DataFrame:
        return self.fit.varcorr(level=level)


@pytest.fixture(scope="module")
def again(sleepstudy: bl.Model) -> bl.Fit:
    return sleepstudy.fit("exact", seed=2)


def test_seeds_differ_by_their_monte_carlo_error(
    sleepstudy: bl.Model, exact: bl.Fit, again: bl.Fit
) -> None:
    """Over all pairs of five fits, squares of z are about 1 in 42 parameters (these go together,
    and systematic resampling errs less than is claimed for it), and none is beyond 4."""
    fits = [exact, again, *(sleepstudy.fit("exact", seed=seed) for seed in (3, 4, 5))]
    squares: dict[str, list[float]] = {"mean": [], "sd": []}
    for a, b in combinations(fits, 2):
        table = agreement({"a": a, "b": b}, effects="all")
        assert len(table) == 42
        for what, found in squares.items():
            z = table[f"{what}_z"]
            assert z.abs().max() < 4
            found.append(float((z**2).mean()))
    for found in squares.values():
        assert 0.4 < np.mean(found) < 1.6


def test_independent_draws_take_the_honest_size(exact: bl.Fit, again: bl.Fit) -> None:
    table = agreement({"a": exact, "b": again})
    sizes = [f.tree["sample_stats"].attrs["importance_ess"] for f in (exact, again)]
    beta = [
        f.tree["posterior"].dataset["beta"].sel(coef="Days").values.ravel() for f in (exact, again)
    ]
    assert table.index.to_list() == bl.compare_fits(exact).index.to_list()
    variance = sum(b.var(ddof=1) / size for b, size in zip(beta, sizes, strict=True))
    row = table.xs("fixed").xs("Days", level="coef").iloc[0]
    assert row["mean_difference"] == pytest.approx(beta[0].mean() - beta[1].mean())
    assert row["mean_mcse"] == pytest.approx(np.sqrt(variance))
    # a normal's sd has standard error sd / sqrt(2 S); this posterior's tails are a bit heavier
    assert row["sd_mcse"] == pytest.approx(row["mean_mcse"] / np.sqrt(2), rel=0.3)


def test_chains_take_their_own_effective_size(exact: bl.Fit, again: bl.Fit) -> None:
    """Independent draws seen as chains: 4000 of them, so errors near sd / sqrt(4000)."""
    table = agreement({"a": Chains(exact), "b": Chains(again)})
    expected = np.sqrt(2) * exact.fixef()["std_error"] / np.sqrt(4000)
    np.testing.assert_allclose(table.xs("fixed")["mean_mcse"], expected, rtol=0.15)


def test_the_closed_form_has_no_error_of_its_own(sleepstudy: bl.Model, exact: bl.Fit) -> None:
    closed = sleepstudy.fit("conjugate", variances=exact, seed=1, draws=10)
    table = agreement({"closed": closed, "exact": exact})
    alone = agreement({"a": exact, "b": exact})
    np.testing.assert_allclose(table["mean_mcse"] * np.sqrt(2), alone["mean_mcse"])
    difference = closed.fixef()["estimate"] - exact.fixef()["estimate"]
    np.testing.assert_allclose(table.xs("fixed")["mean_difference"], difference)
    nothing = agreement({"a": closed, "b": closed})
    assert nothing["mean_z"].isna().all()
    assert "have no Monte Carlo error" in say_agreement(nothing)


def test_the_sentence_names_the_worst(exact: bl.Fit, again: bl.Fit) -> None:
    table = agreement({"a": exact, "b": again})
    at = table.index.to_list()[int(table["mean_z"].abs().to_numpy().argmax())]
    worst = " ".join(part for part in at if part)
    text = say_agreement(table)
    assert text.startswith("Of 6 parameters, means agree within ")
    assert f"{table['mean_z'].abs().max():.1f} Monte Carlo standard errors ({worst})" in text


def test_refusals(exact: bl.Fit, reml: bl.Fit, dyestuff2: tuple[bl.Model, bl.Fit]) -> None:
    e = bl.errors
    with pytest.raises(e.FitError, match="exactly two fits"):
        agreement({"a": exact})
    with pytest.raises(e.FitError, match=r"'BLUP' \(reml\) has no posterior"):
        agreement({"exact": exact, "BLUP": reml})
    with pytest.raises(e.ModelError, match="of another model"):
        agreement({"a": exact, "b": dyestuff2[1]})
    with pytest.raises(e.MethodError, match="Unknown effects"):
        agreement({"a": exact, "b": exact}, effects="some")

"""Likelihoods without a maximum: found where a path to infinity can be shown, and nowhere else."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.errors import IdentifiabilityError, IdentifiabilityWarning
from bayeslmm.model import Finding

ML, BOTH = {"ml"}, {"ml", "reml", "anova"}


def frame(groups: int = 12, occasions: int = 4, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), occasions)
    return pd.DataFrame(
        {
            "y": rng.normal(size=len(g)),
            "x": rng.normal(size=len(g)),
            "t": np.tile(np.arange(occasions), groups),
            "g": [f"g{i:03d}" for i in g],
            "s": np.where(rng.random(len(g)) < 0.5, "a", "b"),
            "size": np.exp(rng.normal(size=len(g))),
        }
    )


def found(formula: str, data: pd.DataFrame, **options: object) -> list[Finding]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IdentifiabilityWarning)
        findings = bl.Model(formula, data, **options).resolved.findings
    return [f for f in findings if f.unbounded]


def loglik(y: np.ndarray, X: np.ndarray, V: np.ndarray, restricted: bool) -> float:
    """The (restricted) log likelihood at its best b, dense, up to a constant."""
    W = np.linalg.inv(V)
    A = X.T @ W @ X
    e = y - X @ np.linalg.solve(A, X.T @ W @ y)
    out = -0.5 * (np.linalg.slogdet(V)[1] + e @ W @ e)
    return out - 0.5 * np.linalg.slogdet(A)[1] if restricted else out


def climbs(y: np.ndarray, X: np.ndarray, V0: np.ndarray, restricted: bool) -> bool:
    """Whether the likelihood goes on rising on the way to a singular V0."""
    steps = [loglik(y, X, V0 + eps * np.eye(len(y)), restricted) for eps in (1e-5, 1e-7, 1e-9)]
    return bool(min(np.diff(steps)) > 1.0)


FREE = "y ~ 0 + g + g:t"


@pytest.mark.parametrize("restricted", [False, True], ids=["ml", "reml"])
def test_a_stratum_that_is_fitted_by_chance(restricted: bool) -> None:
    """Rows of s = a lie on a plane of the covariates: both likelihoods climb to infinity."""
    data = frame()
    here = (data["s"] == "a").to_numpy()
    data.loc[here, "y"] = 1.0 + 2.0 * data.loc[here, "x"]
    (finding,) = found("y ~ x", data, residual="diag(s)")
    assert finding.fatal == BOTH
    assert "rows of s a exactly" in finding.text
    X = np.column_stack([np.ones(len(data)), data["x"]])
    assert climbs(data["y"].to_numpy(), X, np.diag(np.where(here, 0.0, 1.0)), restricted)
    assert not found("y ~ 1", data, residual="diag(s)")
    data.loc[np.flatnonzero(here)[-1], "y"] += 1e-6
    assert not found("y ~ x", data, residual="diag(s)")


@pytest.mark.parametrize("residual", ["diag(t)", "us(t | g)"])
def test_lines_of_each_group_leave_nothing_of_an_occasion(residual: str) -> None:
    """de Leeuw's cells: ML is unbounded; the restricted likelihood does not climb, and doesn't
    identify what it is a function of."""
    data = frame()
    (finding,) = found(FREE, data, residual=residual)
    assert finding.fatal == ML
    assert "t 0, 1, 2 and 3" in finding.text
    codes = pd.Categorical(data["g"]).codes
    own = np.eye(12)[codes]
    X = np.hstack([own, own * data["t"].to_numpy()[:, None]])
    V0 = np.diag((data["t"] > 0).to_numpy().astype(float))
    assert climbs(data["y"].to_numpy(), X, V0, restricted=False)
    assert not climbs(data["y"].to_numpy(), X, V0, restricted=True)
    with pytest.warns(IdentifiabilityWarning):
        model = bl.Model(FREE, data, residual=residual)
    with pytest.raises(IdentifiabilityError, match="likelihood is unbounded"):
        model.fit("ml")
    with pytest.raises(IdentifiabilityError, match="not all identified"):
        model.fit("reml")


def test_a_free_covariance_of_more_occasions_than_groups() -> None:
    data = frame(groups=3)
    (finding,) = found("y ~ t", data, residual="us(t | g)")
    assert (
        "combination of the residuals of the fixed effects is 0 in each of the 3 groups"
        in finding.text
    )
    assert finding.fatal == BOTH
    Y = data["y"].to_numpy().reshape(3, 4)
    # what differs between groups spans two dimensions, and one more is the line's to choose
    a = np.linalg.svd(np.vstack([Y - Y.mean(axis=0), np.zeros((1, 4))]))[2][-1]
    X = np.column_stack([np.ones(12), data["t"]])
    V0 = np.kron(np.eye(3), np.eye(4) - np.outer(a, a))
    for restricted in (False, True):
        assert climbs(data["y"].to_numpy(), X, V0, restricted)
    assert not found("y ~ t", frame(groups=8), residual="us(t | g)")


def test_two_occasions_that_one_group_has_both() -> None:
    """Their correlation goes to one with nothing against it."""
    data = frame(groups=30, occasions=3)
    early = data["g"] <= "g014"
    data = data[(data["g"] == "g000") | (data["t"] != np.where(early, 2, 1))]
    (finding,) = found("y ~ t", data, residual="us(t | g)")
    assert "one linear combination" in finding.text


def test_residuals_proportional_across_occasions() -> None:
    data = frame(groups=20)
    wide = data["y"].to_numpy().reshape(20, 4).copy()
    wide[:, 3] = 2.0 * wide[:, 1] - 0.5
    data["y"] = wide.reshape(-1)
    (finding,) = found("y ~ 0 + C(t)", data, residual="us(t | g)")
    assert "at 1 and 3" in finding.text or "at 0, 1, 2 and 3" in finding.text
    assert not found("y ~ 0 + C(t)", frame(groups=20), residual="us(t | g)")


def test_groups_that_are_parallel_leave_a_correlation_of_one() -> None:
    data = frame()
    codes = pd.Categorical(data["g"]).codes
    data["y"] = 3.0 * data["t"] + codes**1.5
    for residual in ("cs(t | g, hom=True)", "ar1(t | g)", "exp(t | g)", "toep(t | g, hom=True)"):
        (finding,) = found("y ~ t", data, residual=residual)
        assert "correlation can go to 1" in finding.text
        assert finding.fatal == BOTH
    assert not found("y ~ t", frame(), residual="ar1(t | g)")


def test_compound_symmetry_beside_free_levels() -> None:
    """Sums of groups are fitted: rho goes to -1/(m - 1)."""
    data = frame()
    (finding,) = found("y ~ 0 + g", data, residual="cs(t | g, hom=True)")
    assert finding.fatal == ML
    X = np.eye(12)[pd.Categorical(data["g"]).codes]
    V0 = np.kron(np.eye(12), np.eye(4) - 0.25)
    assert climbs(data["y"].to_numpy(), X, V0, restricted=False)


def test_a_power_that_takes_the_variance_of_fitted_rows_away() -> None:
    data = frame()
    low = (np.log(data["size"]) <= np.log(data["size"]).mean()).to_numpy()
    data.loc[low, "y"] = 1.0 - data.loc[low, "x"]
    (finding,) = found("y ~ x", data, residual="varpower(size)")
    assert f"{low.sum()} of the 48 rows" in finding.text
    assert not found("y ~ x", frame(), residual="varpower(size)")


def test_a_small_stratum_that_random_effects_fit() -> None:
    """Five rows of a stratum in three groups: intercepts and two slopes leave nothing."""
    data = frame()
    data["s"] = "b"
    data.loc[[0, 1, 4, 5, 8], "s"] = "a"
    (finding,) = found("y ~ x + t + (1 | g)", data, residual="diag(s)")
    assert "and random effects fit the rows of s a" in finding.text
    Z = np.eye(12)[pd.Categorical(data["g"]).codes]
    X = np.column_stack([np.ones(48), data["x"], data["t"]])
    V0 = Z @ Z.T + np.diag((data["s"] == "b").to_numpy().astype(float))
    assert climbs(data["y"].to_numpy(), X, V0, restricted=False)


def test_one_row_of_a_stratum_per_level_is_bounded() -> None:
    assert not found("y ~ t + (1 | g)", frame(), residual="diag(t)")


def test_random_lines_beside_lines_of_each_group_are_bounded() -> None:
    """With a covariance matrix of the effects; ML puts it at zero."""
    data = frame()
    assert not found(f"{FREE} + (t | g)", data)
    with pytest.warns(IdentifiabilityWarning, match="ML estimates it as zero"):
        model = bl.Model(f"{FREE} + (t | g)", data)
    with pytest.warns(bl.errors.SingularWarning):
        fit = model.fit("ml")
    assert fit.loglik == pytest.approx(bl.Model(FREE, data).fit("ml").loglik, abs=1e-8)
    with pytest.raises(IdentifiabilityError, match="lies in the span of the fixed effects"):
        model.fit("reml")


def test_proper_priors_only_warn() -> None:
    with pytest.warns(IdentifiabilityWarning):
        model = bl.Model(FREE, frame(groups=4), residual="diag(t)")
    assert "likelihood is unbounded" in model.fit("exact", seed=1, draws=20, chains=1).notes[0]


def test_rows_without_weight_are_not_looked_at() -> None:
    data = frame()
    here = (data["s"] == "a").to_numpy()
    data["w"] = np.random.default_rng(1).uniform(0.5, 2.0, len(data))
    data.loc[here, "y"] = 1.0 + 2.0 * data.loc[here, "x"]
    data.loc[np.flatnonzero(here)[0], ["y", "w"]] = [99.0, 0.0]
    assert found("y ~ x", data, residual="diag(s)", weights="w")
    assert not found("y ~ x", data.assign(w=1.0), residual="diag(s)", weights="w")


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_units_and_a_far_origin_make_no_difference(scale: float) -> None:
    data = frame()
    far = data.assign(y=scale * (1e6 + data["y"]))
    assert not found("y ~ x", far, residual="diag(s)")
    here = (data["s"] == "a").to_numpy()
    far.loc[here, "y"] = scale * (1e6 + data.loc[here, "x"])
    assert len(found("y ~ x", far, residual="diag(s)")) == 1

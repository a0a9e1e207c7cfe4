"""What rows say of effects, against dense algebra and closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.gaussian.reliability import Said, estimated
from bayeslmm.gaussian.working import what_is_said


def _one_way(levels: int = 12, each: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(levels), each)
    y = 5 + rng.normal(size=levels)[g] + rng.normal(scale=0.7, size=levels * each)
    return pd.DataFrame({"y": y, "g": g.astype(str), "x": rng.normal(size=levels * each)})


def test_one_way_is_n_over_sigma2() -> None:
    model = bl.Model("y ~ 1 + (1 | g)", _one_way())
    said = estimated(model.resolved).said[0]
    fit = model.fit("reml")
    sd2 = fit.varcorr()["estimate"].iloc[0] ** 2
    info = 4 / fit.sigma**2
    np.testing.assert_allclose(said.information, info, rtol=1e-6)
    np.testing.assert_allclose(said.reliability, sd2 / (sd2 + 1 / info), rtol=1e-5)
    np.testing.assert_allclose(said.by_beta, info, rtol=1e-6)
    means = _one_way().groupby("g")["y"].mean()[list(model.resolved.design.blocks[0].levels)]
    np.testing.assert_allclose(said.linear[:, 0], info * means, rtol=1e-6)


def test_slopes_and_known_sds_against_the_rows() -> None:
    data = _one_way().assign(se=0.7)
    priors = {"sd": "half_normal(2)"}  # on the users' own coefficients
    model = bl.Model("y ~ x + (x | g)", data, known_sd="se", priors=priors).resolved
    said = estimated(model).said[0]
    block = model.design.blocks[0]
    for j in (0, 5):
        rows = block.codes == j
        Z, X, y = block.values[rows], model.design.X[rows], model.design.y[rows]
        np.testing.assert_allclose(said.information[j], Z.T @ Z / 0.49, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(said.by_beta[j], Z.T @ X / 0.49, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(said.linear[j], Z.T @ y / 0.49, rtol=1e-7, atol=1e-8)
    centred = estimated(bl.Model("y ~ x + (x | g)", data, known_sd="se").resolved).said[0]
    Z = np.column_stack([np.ones(len(data)), data["x"] - data["x"].mean()])[block.codes == 0]
    np.testing.assert_allclose(centred.information[0], Z.T @ Z / 0.49, rtol=1e-7, atol=1e-8)


def _dense_mean(said: Said, sigma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    e = said.linear - said.by_beta @ beta
    return np.linalg.solve(said.information + np.linalg.inv(sigma), e[..., None])[..., 0]


def test_crossed_factors_against_dense_algebra() -> None:
    """The coarse factor with the fine one integrated out, the fine one given the coarse one."""
    data = _one_way(12, 6)
    data["h"] = np.tile(["a", "b", "c"], 24)
    data["y"] += data["h"].map({"a": -2.0, "b": 0.5, "c": 1.5}) + 0.01 * np.arange(72)
    data["se"] = 0.7
    model = bl.Model("y ~ x + (1 | g) + (1 | h)", data, known_sd="se")
    found = estimated(model.resolved)
    sd = model.fit("reml").varcorr().set_index("group")["estimate"]
    blocks = model.resolved.design.blocks
    Z = [np.eye(b.n_levels)[b.codes] for b in blocks]
    X, y = model.resolved.design.X, model.resolved.design.y
    fine, coarse = (0, 1) if blocks[0].group == "g" else (1, 0)
    variances = [sd[b.group] ** 2 for b in blocks]
    V = variances[fine] * Z[fine] @ Z[fine].T + 0.49 * np.eye(72)
    beta = np.array([4.0, 0.3])
    G = variances[coarse] * np.eye(3)
    # Level by level: mean and variance of one effect, the others of its factor random too.
    C = G @ Z[coarse].T @ np.linalg.inv(V + Z[coarse] @ G @ Z[coarse].T)
    mean, cov = C @ (y - X @ beta), G - C @ Z[coarse] @ G
    said = found.said[coarse]
    left = 1 / np.diag(cov) - 1 / G[0, 0]
    np.testing.assert_allclose(said.information[:, 0, 0], left, rtol=1e-4)
    np.testing.assert_allclose(_dense_mean(said, G[:1, :1], beta)[:, 0], mean, rtol=1e-4)
    np.testing.assert_allclose(said.reliability[:, 0], 1 - np.diag(cov) / G[0, 0], rtol=1e-5)

    said, meeting = found.said[fine], found.said[fine].others[0]
    u = np.array([0.2, -1.0, 3.0])
    e = said.linear[:, 0] - said.by_beta[:, 0] @ beta
    np.add.at(e, meeting.own, -meeting.values[:, 0, 0] * u[meeting.other])
    np.testing.assert_allclose(e, Z[fine].T @ (y - X @ beta - Z[coarse] @ u) / 0.49, rtol=1e-8)
    np.testing.assert_allclose(said.information[:, 0, 0], 6 / 0.49, rtol=1e-9)


def test_aliased_columns_take_their_share() -> None:
    data = _one_way().assign(se=0.7, twice=lambda d: 2 * d["x"] + 1)
    with pytest.warns(bl.errors.BayeslmmWarning, match="aliased"):
        model = bl.Model("y ~ x + twice + (1 | g)", data, known_sd="se").resolved
    assert len(model.columns) == 3
    by_beta = estimated(model).said[0].by_beta[:, 0]
    np.testing.assert_allclose(by_beta[:, 2], 2 * by_beta[:, 1] + by_beta[:, 0], rtol=1e-8)


def test_a_variance_of_zero_still_has_information() -> None:
    rng = np.random.default_rng(1)
    data = _one_way().assign(y=np.tile([1.0, 2.0, 3.0, 4.0], 12) + 1e-3 * rng.normal(size=48))
    said = estimated(bl.Model("y ~ 1 + (1 | g)", data).resolved).said[0]
    np.testing.assert_allclose(said.information * data["y"].var() * 47 / 48, 4.0, rtol=0.05)


def test_working_model_of_counts() -> None:
    """Poisson, log link: a level's information is about the sum of its means."""
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(30), 10)
    u = rng.normal(scale=0.8, size=30)
    y = rng.poisson(np.exp(1.5 + u[g]))
    data = pd.DataFrame({"y": y, "g": [f"{i:02d}" for i in g]})
    said = what_is_said(bl.Model("y ~ 1 + (1 | g)", data, family="poisson").resolved)[0]
    totals = np.bincount(g, weights=y)
    shrunk = np.abs(said.information[:, 0, 0] / totals - 1)
    assert np.median(shrunk) < 0.05 and shrunk.max() < 0.5

"""Known relationships: breeding values from a pedigree, by every method."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import bayeslmm as bl

# Blue tit records and their pedigree stay where they are; nothing is copied here.
SHARED = Path(__file__).parents[3] / "shared" / "reference"
there = pytest.mark.skipif(
    not (SHARED / "csv" / "BTdata.csv").exists(), reason="the blue tit data are not here"
)
FORMULA = "tarsus ~ sex + (1 | animal) + (1 | fosternest)"


def blue_tits(**options: object) -> bl.Model:
    entries = pd.read_csv(SHARED / "answers" / "inverseA_BTped_triplets.csv")
    nodes = pd.read_csv(SHARED / "answers" / "inverseA_BTped_nodes.csv")
    size = len(nodes)
    inverse = sparse.coo_array((entries.x, (entries.i - 1, entries.j - 1)), shape=(size, size))
    known = bl.relationship(inverse, nodes.animal.tolist(), kind="precision")
    data = pd.read_csv(SHARED / "csv" / "BTdata.csv")
    return bl.Model(FORMULA, data, relationship={"animal": known}, **options)


@there
@pytest.mark.parametrize("method", ["reml", "ml"])
def test_reference_fit(method: str) -> None:
    answer = json.loads((SHARED / "answers" / f"animal_BTdata_tarsus_{method}.json").read_text())
    fit = blue_tits().fit(method)
    assert fit.loglik == pytest.approx(answer["logLik"], abs=1e-7)
    keys = ["var_animal", "var_fosternest", "var_residual"]
    np.testing.assert_allclose(fit.varcorr().estimate ** 2, [answer[k] for k in keys], rtol=2e-4)
    np.testing.assert_allclose(fit.fixef().estimate, list(answer["fixef"].values()), rtol=1e-5)
    np.testing.assert_allclose(fit.fixef().std_error, list(answer["se"].values()), rtol=1e-5)
    found = fit.ranef().query("group == 'animal'").set_index("level").estimate
    values = answer["ebv_all"]
    np.testing.assert_allclose(found.loc[values["id"]], values["ebv"], atol=2e-5)


@there
def test_exact_is_the_gibbs_sampler_under_its_priors() -> None:
    answer = json.loads((SHARED / "answers" / "mcmcglmm_BTdata_tarsus.json").read_text())["vcv"]
    variance = "inverse_gamma(0.001, 0.001)"
    priors = {"beta": "normal(0, 100000)", "sd^2": variance, "sigma^2": variance}
    fit = blue_tits(priors=priors).fit("exact", seed=1)
    posterior = fit.tree["posterior"]
    drawn = [
        posterior[name].values.ravel() ** 2 for name in ("sd_animal", "sd_fosternest", "sigma")
    ]
    ours = fit.tree["sample_stats"].attrs["importance_ess"]
    for values, mean, sd, ess in zip(
        drawn, answer["mean"], answer["sd"], answer["ess"], strict=True
    ):
        error = sd * np.sqrt(1 / ess + 1 / ours)
        assert abs(values.mean() - mean) < 4 * error
        assert abs(values.std() - sd) < 4 * error  # skewed: about twice a normal's, and counted so


@there
@pytest.mark.slow
def test_exact_is_collapsed_nuts() -> None:
    model = blue_tits()
    exact, nuts = model.fit("exact", seed=1), model.fit("nuts", seed=1, marginal=True)
    a, b = exact.varcorr(), nuts.varcorr()
    error = a.std_error * np.sqrt(2 / 1000)  # effective draws of both are well above a thousand
    assert np.all(np.abs(a.estimate - b.estimate) < 4 * error)


def pedigree(
    generations: int, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Sires and dams (-1 for founders) of animals in generations of one size."""
    count = generations * size
    parents = np.full((2, count), -1)
    for g in range(1, generations):
        own = np.arange(g * size, (g + 1) * size)
        before = np.arange((g - 1) * size, g * size)
        parents[0, own] = rng.choice(before[::2], size)
        parents[1, own] = rng.choice(before[1::2], size)
    return parents[0], parents[1]


def numerator(sire: np.ndarray, dam: np.ndarray) -> np.ndarray:
    """Additive relationships by the tabular method (Henderson, 1976, Biometrics 32(1))."""
    n = len(sire)
    out = np.zeros((n, n))
    for i in range(n):
        for parent in (sire[i], dam[i]):
            if parent >= 0:
                out[i, :i] += 0.5 * out[parent, :i]
        out[:i, i] = out[i, :i]
        both = sire[i] >= 0 and dam[i] >= 0
        out[i, i] = 1 + (0.5 * out[sire[i], dam[i]] if both else 0.0)
    return out


def test_a_simulated_pedigree() -> None:
    """Covariance and precision give one fit, animals without records are predicted by the dense
    best linear prediction, and the inbred have their own variance."""
    rng = np.random.default_rng(11)
    sire, dam = pedigree(5, 20, rng)
    A = numerator(sire, dam)
    names = [f"a{i}" for i in range(len(A))]
    breeding = 0.8 * np.linalg.cholesky(A) @ rng.standard_normal(len(A))
    seen = np.arange(20, 100)
    data = pd.DataFrame({"animal": np.array(names, object)[seen], "herd": seen % 5})
    data["y"] = 2 + 0.3 * data.herd + breeding[seen] + 0.7 * rng.standard_normal(len(seen))
    frame = pd.DataFrame(A, names, names)
    one = bl.Model("y ~ herd + (1 | animal)", data, relationship={"animal": frame}).fit("reml")
    Q = bl.relationship(np.linalg.inv(A), names, kind="precision")
    two = bl.Model("y ~ herd + (1 | animal)", data, relationship={"animal": Q}).fit("reml")
    assert one.loglik == pytest.approx(two.loglik, abs=1e-8)
    sd, sigma = one.varcorr().estimate
    X = np.column_stack([np.ones(len(data)), data.herd])
    V = sd**2 * A[np.ix_(seen, seen)] + sigma**2 * np.eye(len(seen))
    expected = bl.blp(
        data.y.to_numpy(), V, sd**2 * A[seen], X=X, X0=np.zeros((len(A), 2)), V0=sd**2 * A
    )
    found = one.ranef()
    np.testing.assert_allclose(found.estimate, expected.prediction, atol=1e-8)
    np.testing.assert_allclose(found.std_error, expected.std_error, rtol=1e-7)
    assert list(found.level) == names

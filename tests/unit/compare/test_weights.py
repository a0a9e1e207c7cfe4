"""Every BLUP lies where the matrix weight puts it between no pooling and its own population.

The second road is dense: V, without the level's own part, inverted.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import linalg, sparse

import bayeslmm as bl
from bayeslmm.errors import BayeslmmWarning
from bayeslmm.model import Model
from tests.unit.multilevel import DATA, instructors, oats, radon

Floats = np.ndarray


def covariance(fit: bl.Fit, group: str) -> Floats:
    """A factor's covariance matrix from the table."""
    table = fit.varcorr()
    table = table[table["group"] == group]
    sd = table[table["kind"] == "sd"]
    out = np.diag(sd["estimate"].to_numpy() ** 2)
    names = sd["coef"].tolist()
    for row in table[table["kind"] == "cor"].itertuples():
        i, j = names.index(row.coef), names.index(row.coef2)
        out[i, j] = out[j, i] = np.nan_to_num(row.estimate) * np.sqrt(out[i, i] * out[j, j])
    return out


def columns(model: Model, index: int) -> list[Floats]:
    """Z_j of every level, dense, shape (n, k) each."""
    block = model.design.blocks[index]
    return [block.values * (block.codes == j)[:, None] for j in range(block.n_levels)]


def marginal(model: Model, fit: bl.Fit, noise: Floats) -> Floats:
    V = noise.copy()
    for block in model.design.blocks:
        same = block.codes[:, None] == block.codes
        V += same * (block.values @ covariance(fit, block.group) @ block.values.T)
    return V


def check(model: bl.Model, fit: bl.Fit, noise: Floats | None = None) -> pd.DataFrame:
    """Compare the table with the dense weights, level by level; give the table back."""
    inner = model.resolved
    if noise is None:
        sigma = 1.0 if inner.sigma_known else fit.sigma
        noise = np.diag(sigma**2 / inner.precision_weights)
    table = bl.shrinkage(model, {"BLUP": fit})
    beta = fit.fixef()["estimate"].reindex(list(inner.design.coefs)).fillna(0.0).to_numpy()
    left = inner.design.y - inner.design.offset - inner.design.X @ beta
    V = marginal(inner, fit, noise)
    inverse = np.linalg.inv(V)
    for i, block in enumerate(inner.design.blocks):
        own = table[table["group"] == block.group]
        shape = (block.n_levels, block.n_coefs)
        alone, population, blup = (
            own[c].to_numpy().reshape(shape) for c in ("no_pooling", "population", "BLUP")
        )
        factor = own["factor[BLUP]"].to_numpy().reshape(shape)
        G = covariance(fit, block.group)
        size = np.eye(len(G))
        for j, z in enumerate(columns(inner, i)):
            rows = np.flatnonzero(z.any(axis=1))
            half = inverse[rows].T @ z[rows]
            Q, g = half.T[:, rows] @ z[rows], half.T @ left
            P, h = np.linalg.solve(size - Q @ G, Q), np.linalg.solve(size - Q @ G, g)
            if j in (0, block.n_levels - 1):  # the definition itself
                rest = np.linalg.solve(V - z @ G @ z.T, np.column_stack([z, left]))
                np.testing.assert_allclose(P, z.T @ rest[:, :-1], rtol=1e-7, atol=1e-10)
                np.testing.assert_allclose(h, z.T @ rest[:, -1], rtol=1e-7, atol=1e-8)
            plain = linalg.pinvh(P, rtol=1e-10)
            d = plain @ h
            weight = G @ P @ np.linalg.inv(size + G @ P)
            np.testing.assert_allclose(blup[j], population[j] + weight @ d, rtol=1e-8, atol=1e-8)
            fixed = np.linalg.norm(size - plain @ P, axis=1) < 1e-6
            np.testing.assert_array_equal(np.isfinite(alone[j]), fixed)
            scale = np.abs(d).max(initial=1.0)
            wanted = (population[j] + d)[fixed]
            np.testing.assert_allclose(alone[j][fixed], wanted, rtol=1e-8, atol=1e-8 * scale)
            if fixed.all():
                moved = weight @ (alone[j] - population[j])
                np.testing.assert_allclose(blup[j] - population[j], moved, atol=1e-8 * scale)
            share = np.diag(weight @ G) / np.where(np.diag(G) > 0, np.diag(G), 1.0)
            np.testing.assert_allclose(factor[j], share, rtol=1e-6, atol=1e-9)
    return table


def fitted(formula: str, data: pd.DataFrame, **extras: object) -> tuple[bl.Model, bl.Fit]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        model = bl.Model(formula, data, **extras)
        return model, model.fit("reml")


def gallery(name: str) -> Callable[[], pd.DataFrame]:
    return lambda: bl.load_dataset(name)


MODELS = {
    "Oats": ("yield ~ nitro + (1 | Block/Variety)", oats, {}),
    "Oats, slopes of varieties": ("yield ~ nitro + Variety + (nitro | Block:Variety)", oats, {}),
    "Oats, both": ("yield ~ nitro * Variety + (nitro | Block) + (1 | Block:Variety)", oats, {}),
    "Pastes": ("strength ~ 1 + (1 | batch/cask)", gallery("pastes"), {}),
    "instructors": ("y ~ service + (1 | d) + (1 | s) + (1 | dept)", instructors, {}),
    "eight schools": ("y ~ 1 + (1 | school)", gallery("eight_schools"), {"known_sd": "sigma"}),
    "radon": ("log_radon ~ floor * uranium + (floor | county)", radon, {}),
    "radon, intercepts": ("log_radon ~ floor + uranium + (1 | county)", radon, {}),
    "Machines": ("score ~ Machine + (Machine | Worker)", gallery("machines"), {}),
    "Machines, nested": ("score ~ Machine + (1 | Worker/Machine)", gallery("machines"), {}),
    "Penicillin": ("diameter ~ 1 + (1 | plate) + (1 | sample)", gallery("penicillin"), {}),
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", gallery("sleepstudy"), {}),
    "no variance": ("Yield ~ 1 + (1 | Batch)", gallery("dyestuff2"), {}),
    "sex": ("distance ~ age * Sex + (age | Subject)", gallery("orthodont"), {}),
}


@pytest.mark.parametrize("name", MODELS)
def test_matrix_weights(name: str) -> None:
    formula, data, extras = MODELS[name]
    check(*fitted(formula, data(), **extras))


def test_nlme_agrees_on_oats() -> None:
    """lme(yield ~ nitro, random = ~ 1 | Block/Variety), nlme 3.1.162: a block's mean at the mean
    amount of nitrogen is its estimate without pooling."""
    data = oats()
    model, fit = fitted("yield ~ nitro + (1 | Block/Variety)", data)
    table = check(model, fit).query("group == 'Block'").set_index("level")
    effects = table["BLUP"] - table["population"]
    nlme = {"VI": -6.14139190336600, "V": -10.38292875748929, "I": 24.94112035575614}
    np.testing.assert_allclose(effects[list(nlme)], list(nlme.values()), rtol=1e-5)
    means = data.groupby("Block")["yield"].mean() - fit.fixef()["estimate"]["nitro"] * 0.3
    np.testing.assert_allclose(table["no_pooling"], means[table.index], rtol=1e-10)
    one, sub, sigma = fit.varcorr()["estimate"] ** 2
    weight = one / (one + sub / 3 + sigma / 12)
    np.testing.assert_allclose(table["factor[BLUP]"], weight)


@pytest.mark.filterwarnings("ignore::bayeslmm.errors.BayeslmmWarning")
@pytest.mark.parametrize("sds", [[0.0, 2.0], [3.0, 0.0], [0.0, 0.0], [3.0, 1e-7]])
def test_singular_variances(sds: list[float]) -> None:
    """One factor of several without variance, or with next to none: its levels' estimates
    without pooling are as they would be with any."""
    model = bl.Model("strength ~ 1 + (1 | batch/cask)", bl.load_dataset("pastes"))
    given = {"sigma": 0.8, "sd_batch": [sds[0]], "sd_batch:cask": [sds[1]]}
    fit = model.fit("conjugate", variances=given, kappa=0.0, seed=1, draws=2, chains=1)
    check(model, fit)


def test_a_correlation_of_one_beside_another_factor() -> None:
    data = bl.load_dataset("sleepstudy").assign(week=lambda d: d["Days"] // 4)
    model = bl.Model("Reaction ~ Days + (Days | Subject) + (1 | week)", data)
    given = {"sigma": 25.0, "sd_Subject": [20.0, 5.0], "cor_Subject": [1.0], "sd_week": [6.0]}
    fit = model.fit("conjugate", variances=given, kappa=0.0, seed=1, draws=2, chains=1)
    check(model, fit)


@pytest.mark.filterwarnings("ignore::bayeslmm.errors.BayeslmmWarning")
def test_levels_of_too_few_rows() -> None:
    """One subject has a single day, another lacks a machine: what they determine is estimated."""
    data = bl.load_dataset("sleepstudy")
    first = data["Subject"] == data["Subject"].iloc[0]
    check(*fitted("Reaction ~ Days + (Days | Subject)", data[~first | (data["Days"] == 3)]))
    machines = bl.load_dataset("machines")
    gone = (machines["Worker"] == "2") & (machines["Machine"] == "B")
    for formula in ("(0 + Machine | Worker)", "(0 + Machine | Worker) + (1 | row)"):
        rows = machines[~gone].assign(row=lambda d: np.arange(len(d)) % 5)
        table = check(*fitted(f"score ~ Machine + {formula}", rows))
        assert table.query("no_pooling.isna()")[["level", "coef"]].astype(
            str
        ).to_numpy().tolist() == [["2", "Machine[B]"]]


def test_residuals_that_correlate() -> None:
    """Within a subject, and over subjects on a day."""
    data = bl.load_dataset("sleepstudy")
    model = bl.Model("Reaction ~ Days + (1 | Subject)", data, residual="ar1(Days | Subject)")
    fit = model.fit("reml")
    rho = float(fit.varcorr().query("kind == 'par'")["estimate"].iloc[0])
    same = data["Subject"].to_numpy()[:, None] == data["Subject"].to_numpy()
    lag = np.abs(data["Days"].to_numpy()[:, None] - data["Days"].to_numpy())
    check(model, fit, fit.sigma**2 * same * rho**lag)
    order = data["Subject"].astype(int)
    other = bl.Model(
        "Reaction ~ Days + (1 | Subject)",
        data.assign(number=order - order.min()),
        residual="car1(number | Days)",
    )
    given = {"sigma": 30.0, "sd_Subject": [30.0], "residual_par": [0.8]}
    fit = other.fit("conjugate", variances=given, kappa=0.0, seed=1, draws=2, chains=1)
    apart = np.abs(order.to_numpy()[:, None] - order.to_numpy())
    check(other, fit, 900.0 * (lag == 0) * 0.8**apart)


def test_related_levels() -> None:
    """Its own rows' part, Z_j'V⁻¹Z_j, with the relatives' in V; one batch has no rows at all."""
    data = bl.load_dataset("dyestuff").query("Batch != 'C'").assign(d=lambda d: np.arange(25) % 5)
    names = list("ABCDEF")
    A = 0.5 * np.eye(6) + 0.5 * 0.6 ** np.abs(np.subtract.outer(range(6), range(6)))
    model = bl.Model(
        "Yield ~ 1 + (1 | Batch) + (1 | d)",
        data.assign(Batch=data["Batch"].astype(str)),
        relationship={"Batch": pd.DataFrame(A, names, names)},
    )
    given = {"sigma": 50.0, "sd_Batch": [40.0], "sd_d": [10.0]}
    fit = model.fit("conjugate", variances=given, kappa=0.0, seed=1, draws=2, chains=1)
    table = bl.shrinkage(model, {"BLUP": fit}, group="Batch").set_index("level")
    batch = data["Batch"].astype(str).to_numpy()
    Z = (batch[:, None] == np.array(names)).astype(float)
    same = data["d"].to_numpy()[:, None] == data["d"].to_numpy()
    V = 1600.0 * Z @ A @ Z.T + 100.0 * same + 2500.0 * np.eye(25)
    beta = fit.fixef()["estimate"].iloc[0]
    half = np.linalg.solve(V, Z)
    kept = [0, 1, 3, 4, 5]
    d = (half.T @ (data["Yield"].to_numpy() - beta))[kept] / np.diag(half.T @ Z)[kept]
    shown = table.loc[[names[j] for j in kept], "no_pooling"]
    np.testing.assert_allclose(shown, beta + d, rtol=1e-10)
    assert np.isnan(table.loc["C", "no_pooling"])


@pytest.mark.slow
def test_all_instructors() -> None:
    """InstEval whole, 2,972 students and 1,128 lecturers: with one coefficient a level the weight
    is the factor; of some levels it is found again by sparse equations in absolute terms."""
    data = pd.read_csv(DATA / "InstEval.csv.gz")
    model = bl.Model("y ~ service + (1 | s) + (1 | d) + (1 | dept)", data)
    sds = {"s": 0.325, "d": 0.512, "dept": 0.08}
    given = {"sigma": 1.18} | {f"sd_{g}": [sd] for g, sd in sds.items()}
    fit = model.fit("conjugate", variances=given, kappa=0.0, seed=1, draws=2, chains=1)
    table = bl.shrinkage(model, {"BLUP": fit})
    moved = table["factor[BLUP]"] * (table["no_pooling"] - table["population"])
    np.testing.assert_allclose(table["BLUP"] - table["population"], moved, rtol=1e-8, atol=1e-9)
    design = model.resolved.design
    Z = sparse.hstack(
        [
            sparse.csr_array((np.ones(design.n), (np.arange(design.n), b.codes)))
            for b in design.blocks
        ]
    ).tocsc()
    prior = np.concatenate([np.full(b.n_levels, sds[b.group] ** -2) for b in design.blocks])
    solve = sparse.linalg.splu((Z.T @ Z / 1.18**2 + sparse.diags_array(prior)).tocsc()).solve
    for j in (0, 1500, 2971, 2972, 3600, 4099, 4100, 4113):
        z = Z[:, [j]].toarray()[:, 0]
        Q = z @ (z - Z @ solve(Z.T @ z) / 1.18**2) / 1.18**2
        assert table["factor[BLUP]"].iloc[j] == pytest.approx(Q / prior[j], rel=1e-7)

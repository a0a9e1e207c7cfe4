"""Random effects that are not normal: densities, draws, nodes, and what is got back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytensor
import pytest
from pytensor.compile.mode import Mode
from scipy import stats

import bayeslmm as bl
from bayeslmm.graph import hierarchical
from bayeslmm.model.effects import EFFECTS

# PyTensor's own linker, which evaluates without compiling, looks for a BLAS that isn't needed
pytestmark = pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS")
PLAIN = Mode(linker="py", optimizer=None)
ROOT = np.array([[1.5, 0.0], [-0.4, 0.6]])
EXTRAS = {
    "student_t": {"nu": np.array(5.0)},
    "mixture": {"share": np.array(0.3), "shift": np.array([2.0, -1.0])},
}


def test_student_t_density() -> None:
    u = np.random.default_rng(0).normal(size=(7, 2)) * 4
    found = EFFECTS["student_t"].log_density(u, ROOT, EXTRAS["student_t"])
    wanted = stats.multivariate_t(shape=ROOT @ ROOT.T, df=5.0).logpdf(u)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_mixture_density() -> None:
    u = np.random.default_rng(0).normal(size=(7, 2)) * 4
    found = EFFECTS["mixture"].log_density(u, ROOT, EXTRAS["mixture"])
    centre = ROOT @ EXTRAS["mixture"]["shift"]
    parts = [
        p * stats.multivariate_normal(m * centre, ROOT @ ROOT.T).pdf(u)
        for p, m in ((0.3, 0.7), (0.7, -0.3))
    ]
    np.testing.assert_allclose(found, np.log(sum(parts)), rtol=1e-11)


@pytest.mark.parametrize("kind", EFFECTS)
def test_densities_take_leading_axes(kind: str) -> None:
    rng = np.random.default_rng(0)
    u = rng.normal(size=(3, 4, 7, 2))
    roots = np.broadcast_to(ROOT, (3, 4, 2, 2))
    extras = {n: np.broadcast_to(v, (3, 4, *v.shape)) for n, v in EXTRAS[kind].items()}
    found = EFFECTS[kind].log_density(u, roots, extras)
    assert found.shape == (3, 4, 7)
    one = EFFECTS[kind].log_density(u[2, 1], ROOT, EXTRAS[kind])
    np.testing.assert_allclose(found[2, 1], one, rtol=1e-12)


@pytest.mark.parametrize("kind", EFFECTS)
def test_draws_have_the_moments_of_theory(kind: str) -> None:
    """Mean and covariance within 5 Monte Carlo standard errors."""
    size = 100_000
    u = EFFECTS[kind].draw(np.random.default_rng(7), ROOT, EXTRAS[kind], size)
    inner = np.eye(2) * 5 / 3
    if kind == "mixture":
        d = EXTRAS[kind]["shift"]
        inner = np.eye(2) + 0.3 * 0.7 * np.outer(d, d)
    squares = np.einsum("si,sj->sij", u, u)
    for draws, wanted in ((u, np.zeros(2)), (squares, ROOT @ inner @ ROOT.T)):
        error = draws.std(axis=0) / np.sqrt(size)
        assert np.all(np.abs(draws.mean(axis=0) - wanted) < 5 * error)


def _data() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(8), 4)
    x = rng.normal(size=32)
    y = 3 + rng.normal(size=8)[g] + 0.5 * x * rng.normal(size=8)[g] + rng.normal(size=32)
    return pd.DataFrame({"y": y, "x": x, "g": [f"g{i}" for i in g], "se": 1.0})


@pytest.mark.parametrize("how", ["centred", "noncentred", "auto"])
@pytest.mark.parametrize("kind", [*EFFECTS, "normal"])
@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ x + (x | g)", "y ~ x + (x || g)"])
def test_nodes_density_is_numpys(kind: str, how: str, formula: str) -> None:
    """log p(w) = log p(u) + log |du/dw|, the determinant from numerical derivatives."""
    model = bl.Model(formula, _data(), known_sd="se", random={"g": kind}).resolved
    graph = hierarchical(model, how)
    (coordinates,) = [v.name for v in graph.value_vars if v.name.startswith("u_g")]
    logp = [graph.logp(vars=[graph["u_g"]], jacobian=j, sum=False)[0].sum() for j in (False, True)]
    others = ["nu_g"] if kind == "student_t" else ["share_g", "shift_g"] * (kind == "mixture")
    wanted = ["u_g", "sd_g", *others, *(["cor_g"] if "(x | g" in formula else [])]
    outs = graph.replace_rvs_by_values([graph[name] for name in wanted])
    f = pytensor.function(graph.value_vars, [*logp, *outs], mode=PLAIN, on_unused_input="ignore")
    rng = np.random.default_rng(3)
    point = {n: v + rng.normal(scale=0.5, size=v.shape) for n, v in graph.initial_point().items()}

    def at(moved: dict[str, Any]) -> list[Any]:
        return f(*[moved[v.name] for v in graph.value_vars])

    of_u, of_w, u, sd, *rest = at(point)
    extras = {n[:-2]: v for n, v in zip(others, rest, strict=False)}
    correlation = np.eye(len(sd))
    if "(x | g" in formula:
        correlation[0, 1] = correlation[1, 0] = rest[-1][0]
    root = sd[:, None] * np.linalg.cholesky(correlation)
    if kind == "normal":
        own = stats.multivariate_normal(np.zeros(len(sd)), root @ root.T).logpdf(u)
    else:
        own = EFFECTS[kind].log_density(u, root, extras)
    np.testing.assert_allclose(of_u, own.sum(), rtol=1e-10, atol=1e-8)
    total = own.sum() + _log_volume(at, point, coordinates)
    np.testing.assert_allclose(of_w, total, rtol=1e-10, atol=1e-8)


def _log_volume(at: Any, point: dict[str, Any], name: str) -> float:
    """log |du/dw| by differences: exact up to rounding, u being affine in w."""
    columns = []
    for where in np.ndindex(point[name].shape):
        step = np.zeros(point[name].shape)
        step[where] = 1.0
        high, low = (at(point | {name: point[name] + s * step})[2] for s in (1, -1))
        columns.append((high - low).ravel() / 2)
    return float(np.linalg.slogdet(np.array(columns))[1])


def _simulated(effects: np.ndarray, seed: int) -> pd.DataFrame:
    """Five rows a level, residual sd 0.5."""
    g = np.repeat(np.arange(len(effects)), 5)
    noise = np.random.default_rng(seed).normal(scale=0.5, size=len(g))
    return pd.DataFrame({"y": 1 + effects[g] + noise, "g": [f"{i:03d}" for i in g]})


def _two_clusters(levels: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(11)
    high = rng.random(levels) < 0.3
    return _simulated(np.where(high, 0.7, -0.3) * 6.0 + rng.normal(size=levels), 12)


def _heavy_tails(levels: int = 200) -> pd.DataFrame:
    return _simulated(np.random.default_rng(13).standard_t(1.5, size=levels), 14)


def _sampled(data: pd.DataFrame, kind: str) -> Any:
    import pymc as pm

    model = bl.Model("y ~ 1 + (1 | g)", data, random={"g": kind}).resolved
    with hierarchical(model):
        tree = pm.sample(
            500, tune=500, chains=2, cores=1, random_seed=1, nuts_sampler="nutpie",
            progressbar=False, compute_convergence_checks=False, target_accept=0.9,
        )  # fmt: skip
    assert int(tree["sample_stats"]["diverging"].sum()) <= 2
    return tree["posterior"]


@pytest.mark.slow
def test_what_was_simulated_comes_back() -> None:
    """Posteriors of the extra parameters lie about the truth, and away from the normal."""
    found = _sampled(_two_clusters(), "mixture")
    share, shift = found["share_g"].values.ravel(), found["shift_g"].values.ravel()
    for draws, truth in ((share, 0.3), (shift, 6.0)):
        assert abs(draws.mean() - truth) < 3 * draws.std()
    assert np.quantile(shift, 0.025) > 3 and shift.min() > 0
    nu = _sampled(_heavy_tails(), "student_t")["nu_g"].values.ravel()
    low, high = np.quantile(nu, [0.005, 0.995])
    assert low < 1.5 < high and np.quantile(nu, 0.975) < 10

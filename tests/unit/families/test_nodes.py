"""Every family's PyMC node: the numpy density, its weights, finite gradients, and its draws."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from pytensor.graph.rewriting.db import RewriteDatabaseQuery
from scipy import special

from bayeslmm.families import FAMILIES, LINKS
from bayeslmm.graph.families import NODES
from bayeslmm.graph.links import inverse, log_normal_cdf, log_odds
from bayeslmm.graph.observe import observe
from tests.unit.families.cases import CASES, TAILS, Case

pytestmark = pytest.mark.filterwarnings(
    "ignore:PyTensor could not link to a BLAS",
    # in branches that a switch doesn't take
    "ignore:(divide by zero|invalid value|overflow) encountered:RuntimeWarning",
)
# PyTensor's rewrites (it is they that keep logarithms of probabilities finite), and no compiler
MODE = Mode("py", RewriteDatabaseQuery(include=["fast_run"], exclude=["fusion"]))
WEIGHTS = (0.5, 3.0)


def build(case: Case, weights: bool = False) -> pm.Model:
    """A model whose only free variable is the linear predictor."""
    n = len(case.y)
    dtype = "int64" if case.family.discrete else "float64"
    with pm.Model(coords={"row": np.arange(n)}) as out:
        eta = pm.Normal("eta", shape=case.eta.shape)
        y = pm.Data("y_data", case.y.astype(dtype), dims="row")
        trials = None if case.trials is None else pm.Data("trials", case.trials, dims="row")
        parameters = {k: pt.as_tensor(v) for k, v in case.parameters.items()}
        w = pm.Data("w", np.resize(WEIGHTS, n), dims="row") if weights else None
        observe(
            "y", case.family, eta, parameters, y,
            link=case.link.name, dims="row", trials=trials, weights=w,
        )  # fmt: skip
    return out


def logp_and_gradient(model: pm.Model, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By row, and of their sum."""
    value = model.rvs_to_values[model["eta"]]
    rows = model.logp(vars=[model["y"]], sum=False)[0]
    f = pytensor.function([value], [rows, pt.grad(rows.sum(), value)], mode=MODE)
    return f(eta)


def test_every_family_has_a_node_of_its_name() -> None:
    assert NODES.keys() == FAMILIES.keys()
    assert all(name == node.name for name, node in NODES.items())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_logp_is_the_numpy_density_and_its_gradient_the_slope(case: Case) -> None:
    rows, gradient = logp_and_gradient(build(case), case.eta)
    np.testing.assert_allclose(rows, case.log_likelihood, rtol=1e-10, atol=1e-14)
    h = 1e-6

    def moved(by: float) -> np.ndarray:
        shift = by * np.ones(1) if case.eta.ndim == 1 else by * np.eye(case.eta.shape[1])[0]
        return Case(
            case.family, case.link, case.eta + shift, case.y, case.parameters
        ).log_likelihood

    slope = (moved(h) - moved(-h)) / (2 * h)
    own = gradient if gradient.ndim == 1 else gradient[:, 0]
    np.testing.assert_allclose(own, slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("case", TAILS, ids=str)
def test_logp_and_gradient_are_finite_far_out(case: Case) -> None:
    rows, gradient = logp_and_gradient(build(case), case.eta)
    np.testing.assert_allclose(rows, case.log_likelihood, rtol=1e-9, atol=1e-12)
    assert np.all(np.isfinite(gradient))


def first_links() -> list[Case]:
    return [c for c in CASES if c.link.name == c.family.links[0]]


@pytest.mark.parametrize("case", first_links(), ids=str)
def test_weights_multiply_the_density_and_draws_have_its_moments(case: Case) -> None:
    """4,000 draws a row, of which each row's mean is within 5 standard errors."""
    model = build(case, weights=True)
    value = model.rvs_to_values[model["eta"]]
    total = model.logp(vars=[model["y"], model["y_weights"]])
    found = pytensor.function([value], total, mode=MODE)(case.eta)
    expected = np.resize(WEIGHTS, len(case.y)) @ case.log_likelihood
    assert float(found) == pytest.approx(expected, rel=1e-10)

    fixed = pm.do(model, {"eta": case.eta})
    y = np.asarray(pm.draw(fixed["y"], draws=4_000, random_seed=1, mode=MODE), dtype=np.float64)
    mu = case.family.location(case.full, case.link, case.parameters)
    if case.family.categorical:
        y, mean = (y[..., None] == np.arange(mu.shape[-1])).astype(np.float64), mu
    else:
        mean = case.family.mean(mu, case.parameters, case.trials)
    variance = case.family.variance(mu, case.parameters, case.trials)
    assert np.all(np.abs(y.mean(axis=0) - mean) < 5 * np.sqrt(variance / len(y)) + 1e-12)


def test_links_are_numpys() -> None:
    """Inverse links, log odds and the normal's log distribution function, in the tails too."""
    x = pt.vector("x")
    names = [n for n in LINKS if n != "softmax"]
    odds = [n for n, link in LINKS.items() if link.log_odds is not None]
    outputs = [inverse(n, x) for n in names] + [log_odds(n, x) for n in odds]
    smooth = log_normal_cdf(x)
    outputs += [smooth, pt.grad(smooth.sum(), x)]
    at = np.array([-60.0, -25.001, -25.0, -24.999, -5.0, -0.3, 0.4, 3.0, 6.0])
    *found, tail, slope = pytensor.function([x], outputs, mode=MODE)(at)
    expected = [LINKS[n].inverse(at) for n in names] + [LINKS[n].log_odds(at) for n in odds]
    for name, own, numpys in zip([*names, *odds], found, expected, strict=True):
        np.testing.assert_allclose(own, numpys, rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(tail, special.log_ndtr(at), rtol=1e-14, atol=1e-15)
    ratio = np.exp(-0.5 * at**2 - 0.5 * np.log(2 * np.pi) - special.log_ndtr(at))
    np.testing.assert_allclose(slope, ratio, rtol=1e-10)

"""The collapsed PyMC model: its density is the sum of numpy's, compiled or not."""

from __future__ import annotations

import importlib.util
import re

import cloudpickle
import numpy as np
import pymc as pm
import pytest
from pytensor.compile.mode import Mode
from pytensor.gradient import NullTypeGradError
from scipy import stats

from bayeslmm.errors import MethodError
from bayeslmm.gaussian.variances import Variances
from bayeslmm.graph import collapsed, marginal_loglik
from bayeslmm.graph.numbers import f64
from bayeslmm.model import Model, prior_rows
from bayeslmm.model.names import group_names
from tests.unit.gaussian.designs import build, frame_of, quietly
from tests.unit.gaussian.test_by_roots import by_dense
from tests.unit.graph.joint import own_scales

pytestmark = pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS")
PLAIN = Mode("py", None)
CASES = {
    "slopes": ("y ~ x + (x | g)", "plain", None),
    "three coefficients": ("y ~ x + (x + z | g)", "weights and offset", {"cor_g": "lkj(2)"}),
    "two coefficients under LKJ(3)": ("y ~ x + (x | g)", "plain", {"cor_g": "lkj(3)"}),
    "uncorrelated": ("y ~ x + (x || g)", "plain", {"sd_g[x]": "exponential(2)"}),
    "one variance": ("y ~ x + id(x | g)", "plain", None),
    "two terms": ("y ~ x + (1 | g) + (0 + x + z | g)", "missing cells", None),
    "crossed": ("y ~ x + (x | g) + (1 | h)", "plain", {"sigma": "half_cauchy(2)"}),
    "nested": ("y ~ z + (z | h/m)", "plain", {"sd^2": "inverse_gamma(2, 1)"}),
    "known sds": ("y ~ x + (1 | g)", "known sd", {"sd": "uniform(0, 50)"}),
    "heavy tails": (
        "y ~ x + (1 | g)", "plain", {"beta": "student_t(4, 0, 2)", "Intercept": "cauchy(0, 5)"},
    ),
    "flat": ("y ~ x + (1 | g)", "plain", "flat"),
    "no random part": ("y ~ x", "plain", None),
}  # fmt: skip


def values_of(built: pm.Model, point: dict) -> tuple[float, dict[str, np.ndarray]]:
    """The log density without Jacobian, and everything that has a name."""
    named = [*built.free_RVs, *built.deterministics]
    outputs = built.replace_rvs_by_values([built.logp(jacobian=False), *named])
    found, *values = built.compile_fn(outputs, mode=PLAIN, on_unused_input="ignore")(point)
    return float(found), {v.name: x for v, x in zip(named, values, strict=True)}


def variances_of(model: Model, values: dict[str, np.ndarray]) -> Variances:
    out = []
    for g in group_names(model):
        correlation = np.eye(len(g.coefs))
        for number, (i, j) in enumerate(g.pairs):
            correlation[i, j] = correlation[j, i] = values[g.cor][number]
        out.append((correlation * np.outer(values[g.sd], values[g.sd]))[None])
    return Variances(tuple(out), np.atleast_1d(values.get("sigma", 1.0)))


def log_density(model: Model, values: dict[str, np.ndarray]) -> float:
    """Priors by numpy and scipy, the likelihood by an n x n normal density."""
    at, rows = variances_of(model, values), prior_rows(model)
    multiplier = values.get("beta_multiplier", np.empty(0))
    half = 0.5 * rows.nu[rows.heavy]
    total = by_dense(model, at, multiplier)
    total += stats.gamma.logpdf(multiplier, half, scale=1 / half).sum()
    if not model.sigma_known:
        total += float(model.priors["sigma"].log_density(at.sigma).sum())
    for term in model.terms:
        g = group_names(model)[term.block]
        own = list(term.columns)
        users = np.atleast_1d(values[g.sd])[g.sd_of][own]
        cov = at.covariances[term.block][0][np.ix_(own, own)]
        sd, inner = own_scales(term, users, cov / np.outer(users, users))
        for i, key in zip(term.structure.free_sds(len(own)), term.sd_keys, strict=True):
            total += float(model.priors[key].log_density(sd[i]))
            if model.priors[key].name == "on_variance":  # what is drawn is the variance
                total -= float(np.log(2 * sd[i]))
        if term.cor_key:
            total += float(model.priors[term.cor_key].log_density(inner[None])[0])
            # of its Cholesky factor, which is what is drawn: |dR/dL| = prod L_ii^(k - 1 - i)
            diagonal = np.diag(np.linalg.cholesky(inner))
            total += float(np.arange(len(own))[::-1][1:] @ np.log(diagonal[1:]))
    return total


@pytest.mark.parametrize(("formula", "extra", "priors"), CASES.values(), ids=CASES)
def test_density_is_the_sum_of_its_parts(formula, extra, priors):
    model = build(formula, extra, priors=priors)
    built = collapsed(model)
    assert not built.observed_RVs
    rng, start = np.random.default_rng(1), built.initial_point()
    for _ in range(2):
        point = {k: v + 0.3 * rng.normal(size=np.shape(v)) for k, v in start.items()}
        found, values = values_of(built, point)
        assert found == pytest.approx(log_density(model, values), rel=1e-10)


def test_names_and_dims_are_those_of_a_fits_tree(gallery_model):
    built = collapsed(gallery_model("sleepstudy").resolved)
    assert {"sd_Subject", "cor_Subject", "sigma"} <= set(built.named_vars)
    assert built.named_vars_to_dims["sd_Subject"] == ("Subject_coef",)
    assert built.named_vars_to_dims["cor_Subject"] == ("Subject_pair",)
    assert list(built.coords["Subject_coef"]) == ["Intercept", "Days"]
    assert sum(np.size(v) for v in built.initial_point().values()) == 4


@pytest.mark.parametrize("formula", ["y ~ x + (x | g)", "y ~ x + (x | g) + (1 | h)"])
def test_compiled_value_and_gradient_are_the_uncompiled_ones(formula):
    built = collapsed(build(formula, priors={"beta[x]": "cauchy(0, 1)"}))
    built = cloudpickle.loads(cloudpickle.dumps(built))
    outputs = [built.logp(), built.dlogp()]
    compiled = built.compile_fn(outputs, mode="NUMBA")
    plain = built.compile_fn(outputs, mode=PLAIN)
    rng, start = np.random.default_rng(2), built.initial_point()
    point = {k: v + 0.3 * rng.normal(size=np.shape(v)) for k, v in start.items()}
    value, gradient = compiled(point)
    expected, slope = plain(point)
    assert value == pytest.approx(expected, rel=1e-12)
    assert gradient == pytest.approx(slope, rel=1e-9)
    outside = {k: np.full_like(v, 800.0) for k, v in start.items()}
    value, gradient = compiled(outside)
    assert not np.isfinite(value)


def test_it_is_a_term_of_somebodys_own_model():
    """Two data sets, two designs, one spread of their subjects, with a prior above both."""
    first = build("y ~ x + (1 | g)", priors="flat")
    second = build("y ~ z + (1 | g) + (1 | h)", seed=5)
    with pm.Model() as own:
        centre = pm.HalfNormal("centre", f64(2.0))
        spread = pm.LogNormal("spread", pm.math.log(centre), f64(0.5))
        plots = pm.HalfNormal("plots", f64(1.0))
        sigma = pm.HalfNormal("sigma", f64(1.0), shape=2)
        root = spread[None, None]
        one = marginal_loglik(first, {"g": root}, sigma=sigma[0])
        two = marginal_loglik(second, {"g": root, "h": plots[None, None]}, sigma=sigma[1])
        pm.Potential("first", one)
        pm.Potential("second", two)
    point = {"centre_log__": 0.3, "spread_log__": -0.2, "plots_log__": -1.0}
    point = {k: np.array(v) for k, v in point.items()} | {"sigma_log__": np.array([0.1, -0.4])}
    found = own.compile_fn(own.logp(jacobian=False), mode=PLAIN)(point)
    centre, spread, plots = np.exp([0.3, -0.2, -1.0])
    sigma = np.exp([0.1, -0.4])
    g, h = np.full((1, 1, 1), spread**2), np.full((1, 1, 1), plots**2)
    expected = (
        stats.halfnorm.logpdf(centre, scale=2.0)
        + stats.lognorm.logpdf(spread, 0.5, scale=centre)
        + stats.halfnorm.logpdf([plots, *sigma]).sum()
        + by_dense(first, Variances((g,), sigma[:1]), np.empty(0))
        + by_dense(second, Variances((g, h), sigma[1:]), np.empty(0))
    )
    assert float(found) == pytest.approx(expected, rel=1e-10)
    gradient = own.compile_fn(own.dlogp(), mode=PLAIN)
    value = own.compile_fn(own.logp(), mode=PLAIN)
    moved = {k: {**point, k: v + 1e-6} for k, v in point.items() if v.ndim == 0}
    back = {k: {**point, k: v - 1e-6} for k, v in point.items() if v.ndim == 0}
    differences = [(value(moved[k]) - value(back[k])) / 2e-6 for k in moved]
    assert gradient(point)[:3] == pytest.approx(np.array(differences), rel=1e-5)


def test_second_derivatives_are_refused_not_wrong():
    built = collapsed(build("y ~ x + (1 | g)"))
    with pytest.raises(NullTypeGradError, match="second derivatives"):
        built.compile_fn(built.d2logp(), mode=PLAIN)


@pytest.mark.parametrize(
    ("roots", "sigma", "words"),
    [
        ({}, 1.0, "needs a root of each factor's covariance"),
        ({"g": np.eye(1), "hh": np.eye(1)}, 1.0, "Unknown factor 'hh'"),
        ({"g": np.eye(1)}, None, "needs sigma="),
        ({"g": np.eye(2)}, 1.0, "one root"),
    ],
)
def test_parts_that_do_not_fit_are_named(roots, sigma, words):
    model = build("y ~ x + (1 | g)")
    with pytest.raises(MethodError, match=words):
        marginal_loglik(model, roots, sigma=None if sigma is None else f64(sigma))


@pytest.mark.parametrize(
    ("formula", "keywords", "words"),
    [
        ("m ~ x", {"family": "poisson"}, "needs a Gaussian response"),
        ("y ~ x + (1 | g)", {"random": {"g": "student_t"}}, "needs normal random effects"),
        ("y ~ x + (1 | g)", {"dpar": {"sigma": "~ x"}}, "one sigma for all rows"),
        ("y ~ x", {"priors": {"beta[x]": "uniform(-1, 1)"}}, r"uniform.* on beta\[x\]"),
    ],
)
def test_what_has_no_closed_form_is_refused_in_words(formula, keywords, words):
    frame = frame_of(0).assign(m=np.arange(48) % 5)
    with pytest.raises(MethodError, match=words) as caught:
        collapsed(quietly(formula, frame, **keywords))
    assert re.search("use 'nuts'|hierarchical model takes", str(caught.value))


@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="jax is not installed")
def test_jax_gives_the_same_value_and_gradient():
    built = collapsed(build("y ~ x + (x | g)"))
    outputs = [built.logp(), built.dlogp()]
    point = built.initial_point()
    value, gradient = built.compile_fn(outputs, mode="JAX")(point)
    expected, slope = built.compile_fn(outputs, mode=PLAIN)(point)
    assert float(value) == pytest.approx(float(expected), rel=1e-12)
    assert np.asarray(gradient) == pytest.approx(slope, rel=1e-9)

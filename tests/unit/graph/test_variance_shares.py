"""Total variance and shares in PyMC models and in the closed form: densities equal numpy's.

The same model with flat standard deviations has all the rest of the density; what is left is the
total's and the shares', by scipy.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pytensor.compile.mode import Mode
from scipy import stats

import bayeslmm as bl
from bayeslmm.compare import agreement
from bayeslmm.errors import BayeslmmWarning
from bayeslmm.gaussian.target import target
from bayeslmm.graph import collapsed, hierarchical
from bayeslmm.model import Model, shared_variance
from bayeslmm.model.names import contract_names, group_names
from tests.unit.gaussian.designs import build
from tests.unit.graph.joint import log_joint, own_scales
from tests.unit.graph.test_collapsed import log_density, values_of
from tests.unit.graph.test_joint import model_of

pytestmark = pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS")
HIERARCHICAL: dict[str, tuple[str, str, dict[str, Any]]] = {
    "slopes": ("gaussian", "x + (x | g)", {"sd": "variance_shares([1, 0.5, 2], 4, 1.5)"}),
    "crossed counts": ("poisson", "x + (x || g) + (1 | h)", {"sd": "variance_shares(0.7)"}),
    "one component": ("bernoulli", "x + (1 | g)", {"sd": "variance_shares(1, 5, 2)"}),
    "R2D2 asks for sigma": ("gaussian", "x + f + (1 | g)", {"beta": "r2d2(0.3, 4)"}),
    "one sd of several": ("student_t", "x + id(x | g)", {"sd": "variance_shares(2)"}),
    "a parameter's own": ("gaussian", "x + (1 | g)", {"sigma_sd": "variance_shares(2, 3, 0.5)"}),
}


def flat_for(model: Model) -> dict[str, str]:
    """Flat priors of all standard deviations that share a variance, where their prior is."""
    found = {m.prefix: shared_variance(m) for m in (model, *model.dpars.values())}
    return {f"{prefix}{key}": "flat" for prefix, one in found.items() if one for key in one[1]}


def parts(model: Model, values: dict[str, np.ndarray]) -> float:
    """log p(T) + log Dir(shares) by scipy; checks the standard deviations that they make."""
    found = shared_variance(model)
    assert found is not None
    prior, keys = found
    total, count = float(values[f"{model.prefix}total_sd"]), len(keys)
    out = float(np.log(2) + stats.t.logpdf(total, prior.nu, scale=prior.spread))
    shares = np.ones(1)
    if count > 1:
        shares = values[f"{model.prefix}variance_share"]
        out += float(stats.dirichlet.logpdf(shares, prior.weights(count)))
    sds = total * np.sqrt(shares) / prior.unit(count)
    assert sds == pytest.approx(np.array([_sd(model, key, values) for key in keys]), rel=1e-12)
    # the same density, of the standard deviations themselves
    jacobian = np.log(2 * total ** (2 * count - 1)) - np.log(2 * prior.unit(count) ** 2 * sds).sum()
    assert prior.log_density(sds[None])[0] + jacobian == pytest.approx(out, rel=1e-10)
    return out


def _sd(model: Model, key: str, values: dict[str, np.ndarray]) -> float:
    """A standard deviation under its name in the tree."""
    if key == "sigma":
        return float(values["sigma"])
    name, _, rest = key.partition("[")
    coef = rest.removesuffix("_centred").removesuffix("]")
    index, g = next((i, g) for i, g in enumerate(group_names(model)) if f"sd_{g.group}" == name)
    each = np.atleast_1d(values[g.sd])
    if not rest.endswith("_centred"):
        return float(each[g.sds.index(coef)])
    correlation, place = np.eye(len(g.coefs)), g.coefs.index(coef)
    for number, (i, j) in enumerate(g.pairs):
        correlation[i, j] = correlation[j, i] = values[g.cor][number]
    term = next(t for t in model.terms if t.block == index and place in t.columns)
    own = list(term.columns)
    scales, _ = own_scales(term, each[g.sd_of][own], correlation[np.ix_(own, own)])
    return float(scales[own.index(place)])


@pytest.mark.parametrize("case", HIERARCHICAL)
def test_hierarchical_density_is_the_sum_of_its_parts(case: str) -> None:
    family, rhs, given = HIERARCHICAL[case]
    given = given if set(given) & {"sd", "sigma_sd"} else given | {"sd": "variance_shares"}
    options = {"dpar": {"sigma": "~ x + (x | h)"}} if "sigma_sd" in given else {}
    model = model_of(family, rhs, priors=given, **options)
    others = {k: v for k, v in given.items() if not v.startswith("variance_shares")}
    flat = model_of(family, rhs, priors=others | flat_for(model), **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayeslmmWarning)
        built = hierarchical(model, "noncentred")
    names = [v.name for v in (*built.free_RVs, *built.deterministics)]
    assert set(contract_names(model)) <= set(names)
    outputs = built.replace_rvs_by_values(
        [built.logp(jacobian=False), *map(built.__getitem__, names)]
    )
    evaluate = built.compile_fn(outputs, mode=Mode("py", None), on_unused_input="ignore")
    rng, start = np.random.default_rng(1), built.initial_point()
    for _ in range(3):
        point = {k: v + 0.3 * rng.normal(size=np.shape(v)) for k, v in start.items()}
        found, *drawn = evaluate(point)
        values = dict(zip(names, drawn, strict=True))
        expected = log_joint(flat, values)
        shared = [m for m in (model, *model.dpars.values()) if "sd" in m.priors]
        assert shared
        expected += sum(parts(m, values) for m in shared)
        # PyMC's half-Student-t holds log 2 in single precision: 2e-9 for each number
        assert float(found) == pytest.approx(expected, rel=1e-10, abs=4e-9)


COLLAPSED = {
    "slopes": ("y ~ x + (x | g)", "plain", "variance_shares([1, 0.5, 2], 4, 1.5)"),
    "crossed": ("y ~ x + (x || g) + (1 | h)", "weights and offset", "variance_shares(0.7)"),
    "one variance": ("y ~ x + id(x | g)", "plain", "variance_shares"),
    "known sds": ("y ~ x + (1 | g)", "known sd", "variance_shares(1, 3, 2)"),
    "no random part": ("y ~ x", "plain", "variance_shares"),
}


@pytest.mark.parametrize(("formula", "extra", "text"), COLLAPSED.values(), ids=COLLAPSED)
def test_collapsed_density_is_the_sum_of_its_parts(formula: str, extra: str, text: str) -> None:
    model = build(formula, extra, priors={"sd": text})
    flat = build(formula, extra, priors=flat_for(model))
    built = collapsed(model)
    rng, start = np.random.default_rng(1), built.initial_point()
    for _ in range(2):
        point = {k: v + 0.3 * rng.normal(size=np.shape(v)) for k, v in start.items()}
        found, values = values_of(built, point)
        expected = log_density(flat, values) + parts(model, values)
        assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("formula", "extra", "text"), COLLAPSED.values(), ids=COLLAPSED)
def test_exact_has_the_joint_density(formula: str, extra: str, text: str) -> None:
    """Its log density is the flat model's and the prior's at the standard deviations of psi."""
    model = build(formula, extra, priors={"sd": text})
    flat = build(formula, extra, priors=flat_for(model))
    density, plain = target(model), target(flat)
    psi = density.start() + 0.3 * np.random.default_rng(5).normal(size=(4, density.dimension))
    read, sigma2 = density.read(psi)
    columns = [
        read.sd[i][:, c]
        for i, term in enumerate(model.terms)
        for c in term.structure.free_sds(len(term.columns))
    ]
    sds = np.column_stack([*columns, *([] if model.sigma_known else [np.sqrt(sigma2)])])
    prior = model.priors["sd"].log_density(sds)
    np.testing.assert_allclose(density(psi), plain(psi) + prior, rtol=1e-12)
    value, gradient = density.value_and_gradient(psi[0])
    assert value == pytest.approx(density(psi[:1])[0], rel=1e-12)
    steps = 1e-5 * np.eye(density.dimension)
    slopes = (density(psi[0] + steps) - density(psi[0] - steps)) / 2e-5
    np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-5)


def test_evidence_of_exact_by_quadrature() -> None:
    """Dyestuff on a grid of (log sd, log sigma), the prior written in T and one share."""
    priors = {"Intercept": "normal(1500, 100)", "sd": "variance_shares([0.7, 2], 4, 80)"}
    model = bl.Model("Yield ~ 1 + (1 | Batch)", bl.load_dataset("dyestuff"), priors=priors)
    design = model.resolved.design
    y, Z = design.y, np.eye(6)[design.blocks[0].codes]
    log_sd, log_sigma = np.linspace(-8, 6.5, 100), np.linspace(3.0, 5.4, 60)
    values = np.empty((len(log_sd), len(log_sigma)))
    for i, sd in enumerate(np.exp(log_sd)):
        for j, sigma in enumerate(np.exp(log_sigma)):
            V = 1e4 + sd**2 * Z @ Z.T + sigma**2 * np.eye(30)
            total = np.hypot(sd, sigma)
            values[i, j] = (
                stats.multivariate_normal.logpdf(y, np.full(30, 1500.0), V)
                + np.log(2)
                + stats.t.logpdf(total, 4, scale=80)
                + stats.beta.logpdf(sd**2 / total**2, 0.7, 2)
                + np.log(2 * sd * sigma / total**3)  # |d(T, share)/d(sd, sigma)|
            )
    values += log_sd[:, None] + log_sigma
    top = values.max()
    inner = np.trapezoid(np.exp(values - top), log_sigma, axis=1)
    expected = top + np.log(np.trapezoid(inner, log_sd))
    fit = model.fit("exact", seed=5)
    assert fit.log_evidence == pytest.approx(expected, abs=4 * fit.log_evidence_error + 1e-3)


def test_names_and_dims_are_readable() -> None:
    model = build("y ~ x + (x | g)", priors={"sd": "variance_shares"})
    for built in (collapsed(model), hierarchical(model)):
        assert built.named_vars_to_dims["variance_share"] == ("variance_component",)
        keys = ["sd_g[Intercept]_centred", "sd_g[x]", "sigma"]
        assert list(built.coords["variance_component"]) == keys
        free = {v.name for v in built.free_RVs}
        assert {"total_sd", "variance_share"} <= free
        assert not {"sd_g", "sigma"} & free


@pytest.mark.slow
@pytest.mark.parametrize("marginal", [True, False], ids=["collapsed", "hierarchical"])
def test_nuts_is_exact(marginal: bool) -> None:
    """Every parameter's mean and sd within 4 Monte Carlo standard errors."""
    model = bl.Model(
        "Reaction ~ Days + (1 | Subject)",
        bl.load_dataset("sleepstudy"),
        priors={"sd": "variance_shares(1, 3, 50)"},
    )
    exact = model.fit("exact", seed=21, draws=10_000)
    assert np.isfinite(exact.log_evidence)
    nuts = model.fit("nuts", seed=11, marginal=marginal)
    table = agreement({"nuts": nuts, "exact": exact}, effects="all")
    assert len(table) == 22
    assert table["mean_z"].abs().max() < 4, table
    assert table["sd_z"].abs().max() < 4, table
    assert nuts.values.scalars["divergences"] <= (0 if marginal else 4)


@pytest.mark.slow
def test_exact_is_calibrated() -> None:
    """Ranks of 300 data sets over 8 x 5 crossed levels, shares that are often near 0, uniform."""
    rows = np.arange(60)
    data = pd.DataFrame({"a": rows % 8, "b": (rows * 7 // 3) % 5, "x": np.linspace(-1, 1, 60)})
    priors = {"Intercept": "normal(0, 1)", "beta": "normal(0, 1)"}
    priors["sd"] = "variance_shares([0.6, 1, 2], 5, 2)"
    model = bl.Model("y ~ x + (1 | a) + (1 | b)", data.assign(y=rows % 7), priors=priors)
    p = bl.calibrate(model, "exact", 300, seed=7, progress=False).p_values
    assert len(p) >= 5 and p.min() > 1e-4 / len(p)


def test_a_saved_fit_knows_its_prior(tmp_path: Any) -> None:
    model = bl.Model(
        "Reaction ~ Days + (1 | Subject)",
        bl.load_dataset("sleepstudy"),
        priors={"sd": "variance_shares([1, 2], 3, 50)"},
    )
    fit = model.fit("exact", seed=1, draws=100)
    fit.save(tmp_path / "fit.nc")
    again = bl.load_fit(tmp_path / "fit.nc")
    assert again.resolved.prior_texts == model.priors
    assert model.priors["sd"] == "variance_shares([1, 2], 3, 50, [1, 1])"

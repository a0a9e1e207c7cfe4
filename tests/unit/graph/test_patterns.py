"""PyMC models with covariance structures: their log density is the sum of the textbook's parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytest
from pytensor.compile.mode import Mode
from scipy import stats

from bayeslmm.covariance import Correlation, Patterned, Places
from bayeslmm.errors import MethodError
from bayeslmm.gaussian.variances import Variances
from bayeslmm.graph import collapsed, hierarchical
from bayeslmm.linalg.differences import jacobian
from bayeslmm.model import prior_rows
from bayeslmm.model.names import group_names
from tests.unit.gaussian.structured import (
    EFFECTS,
    LEVELS,
    RANDOM,
    RESIDUALS,
    Setting,
    effects_frame,
    frame_of,
    positive,
    relationships,
    setting_of,
)
from tests.unit.graph.joint import own_scales

# PyTensor's own linker, which evaluates without compiling, looks for a BLAS that isn't needed
pytestmark = pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS")
PLAIN = Mode("py", None)
FRAME, TWICE = frame_of(), effects_frame()
A = positive(len(LEVELS), 1)
MATRIX = positive(len(FRAME), 5)
Values = dict[str, np.ndarray]


def of_partial(pattern: Correlation, places: Places, partial: np.ndarray) -> float:
    """log |d numbers / d partial|, by differences."""
    slope = jacobian(lambda p: pattern.constrain(np.arctanh(p), places)[0], partial, 1e-6)
    return float(np.linalg.slogdet(slope)[1])


def of_cholesky(R: np.ndarray) -> float:
    """log |dR / dL| of a correlation matrix: prod L_ii^(k - 1 - i)."""
    diagonal = np.diag(np.linalg.cholesky(R))
    return float(np.arange(len(R))[::-1][1:] @ np.log(diagonal[1:]))


def correlations(k: int, pairs: Any, values: np.ndarray) -> np.ndarray:
    out = np.eye(k)
    for (i, j), value in zip(pairs, values, strict=True):
        out[i, j] = out[j, i] = value
    return out


def effects_part(s: Setting, values: Values) -> tuple[float, list[np.ndarray]]:
    """Log priors of the effects' variance parameters, and the covariance of every block."""
    model, total, out = s.model, 0.0, []
    for index, g in enumerate(group_names(model)):
        sd = np.atleast_1d(values[g.sd])[g.sd_of]
        numbers = values.get(g.par, np.empty(0))
        R = correlations(len(sd), g.pairs, values[g.cor]) if g.pairs else np.eye(len(sd))
        cov = R * np.outer(sd, sd)
        for i, term in enumerate(model.terms):
            if term.block != index:
                continue
            own = list(term.columns)
            scales, inner = own_scales(term, sd[own], R[np.ix_(own, own)])
            for c, key in zip(term.structure.free_sds(len(own)), term.sd_keys, strict=True):
                total += float(model.priors[key].log_density(scales[c]))
            if term.cor_key:
                total += float(model.priors[term.cor_key].log_density(inner[None])[0])
                total += of_cholesky(inner)
            if isinstance(term.structure, Patterned):
                mine, numbers = np.split(numbers, [len(term.structure.parameters)])
                expected = s.covariance_of_effects(i, sd[own], mine)
                np.testing.assert_allclose(cov[np.ix_(own, own)], expected, rtol=1e-9)
                for value, key in zip(mine, term.par_keys, strict=True):
                    total += float(model.priors[key].log_density(value))
                if term.structure.pattern.joint:
                    partial = values[f"{g.prefix}{g.label}_partial"]
                    total += of_partial(term.structure.pattern, term.structure.places, partial)
        assert not len(numbers)
        out.append(cov)
    return total, out


def residual_part(s: Setting, values: Values) -> tuple[float, np.ndarray | None, float]:
    """Log priors of the residuals' parameters, their coordinates, and the first sigma."""
    model, residual = s.model, s.model.residual
    sigmas = np.ones(1) if model.sigma_known else np.atleast_1d(values["sigma"])
    total = sum(
        float(model.priors[key].log_density(x))
        for key, x in zip(model.sigma_keys, sigmas, strict=False)
    )
    if residual is None:
        return total, None, float(sigmas[0])
    par = values.get("residual_par", np.empty(0))
    for key, value in zip(model.residual_keys, par, strict=False):
        total += float(model.priors[key].log_density(value))
    c = residual.correlated
    if model.residual_cor_key and c is not None:
        k = len(c.places)
        R = np.eye(k)
        R[np.tril_indices(k, -1)] = par[len(residual.functions) :]
        R = R + np.tril(R, -1).T
        total += float(model.priors[model.residual_cor_key].log_density(R[None])[0])
        total += of_cholesky(R)
    elif c is not None and c.pattern.joint:
        total += of_partial(c.pattern, c.places, values["residual_partial"])
    delta = residual.delta(sigmas[None], par[None])
    return total, delta, float(sigmas[0])


def of_hierarchy(s: Setting, values: Values) -> float:
    model = s.model
    rows = prior_rows(model)
    beta = values["beta"]
    total = float(stats.norm.logpdf(rows.rows @ beta, rows.location, rows.scale).sum())
    own, covariances = effects_part(s, values)
    more, delta, sigma = residual_part(s, values)
    e = model.design.y[model.used] - model.design.rows.offset[model.used]
    e = e - model.design.X[model.used] @ beta
    for g, block, cov in zip(group_names(model), model.design.blocks, covariances, strict=True):
        u = values[g.u]
        whole = np.kron(s.kin.get(block.group, np.eye(len(u))), cov)
        total += float(stats.multivariate_normal.logpdf(u.ravel(), np.zeros(u.size), whole))
        e = e - np.sum(u[block.codes[model.used]] * block.values[model.used], axis=1)
    R = s.R(delta, sigma)
    return total + own + more + float(stats.multivariate_normal.logpdf(e, np.zeros(len(e)), R))


def of_collapsed(s: Setting, values: Values) -> float:
    own, covariances = effects_part(s, values)
    more, delta, sigma = residual_part(s, values)
    at = Variances(tuple(c[None] for c in covariances), np.array([sigma]), delta)
    dense, rows = s.dense(at), prior_rows(s.model)
    half = dense.X @ np.linalg.inv(rows.rows)
    V = (half * rows.scale**2) @ half.T + dense.V.astype(float)
    return own + more + float(stats.multivariate_normal.logpdf(dense.y, half @ rows.location, V))


def check(s: Setting, how: str) -> None:
    """At two points off the start."""
    built = collapsed(s.model) if how == "collapsed" else hierarchical(s.model, how)
    named = [*built.free_RVs, *built.deterministics]
    outputs = built.replace_rvs_by_values([built.logp(jacobian=False), *named])
    evaluate = built.compile_fn(outputs, mode=PLAIN, on_unused_input="ignore")
    rng, start = np.random.default_rng(1), built.initial_point()
    for _ in range(2):
        point = {k: v + 0.3 * rng.normal(size=np.shape(v)) for k, v in start.items()}
        found, *drawn = evaluate(point)
        values = {v.name: np.asarray(x) for v, x in zip(named, drawn, strict=True)}
        expected = (of_collapsed if how == "collapsed" else of_hierarchy)(s, values)
        assert float(found) == pytest.approx(expected, rel=1e-8, abs=1e-5)


# A pattern of residuals and one of effects in one model each.
MODELS = {
    "us": ("us", "y ~ x + (x | g)"),
    "cs": ("cs", f"y ~ x + {EFFECTS['cs het']}"),
    "ar1": ("ar1, diag and varpower", f"y ~ x + {EFFECTS['ar1 het']}"),
    "car1": ("car1", f"y ~ x + {EFFECTS['car1']} + (1 | item)"),
    "arma": ("arma", f"y ~ x + {EFFECTS['arma']}"),
    "toep": ("toep het", f"y ~ x + {EFFECTS['toep']}"),
    "ante": ("ante", f"y ~ x + {EFFECTS['ante']}"),
    "fa": ("fa het", f"y ~ x + {EFFECTS['fa het']}"),
    "exp": ("exp nugget", f"y ~ x + {EFFECTS['exp het, nugget']}"),
    "gau": ("gau", f"y ~ x + {EFFECTS['gau']}"),
    "matern": ("matern", f"y ~ x + {EFFECTS['matern het, nugget']}"),
    "variances": ("diag and both", f"y ~ x + {EFFECTS['two on a factor']}"),
}


def model_of(name: str) -> Setting:
    residual, formula = MODELS[name]
    if RESIDUALS[residual].at:  # rows twice would be at one place: their own residuals differ
        frame = TWICE.copy()
        first = np.arange(len(TWICE)) < len(FRAME)
        frame["g"] = np.where(first, frame["g"], [f"h{v[1]}" for v in frame["g"]])
        return setting_of(formula, frame, "weights", RESIDUALS[residual])
    return setting_of(formula, TWICE, "weights", RESIDUALS[residual])


QUICK = ("us", "toep", "exp", "variances")


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in MODELS]
)
def test_hierarchical_and_collapsed_density_of_every_pattern(name):
    s = model_of(name)
    check(s, "noncentred")
    check(s, "collapsed")


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_centred_effects_have_patterns_too(name):
    check(model_of(name), "centred")


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in RESIDUALS if n not in ("us",)])
def test_every_residual_structure(name):
    s = setting_of(RANDOM["both"], FRAME, "missing", RESIDUALS[name])
    check(s, "centred")
    check(s, "collapsed")


def test_related_levels():
    for formula in ("y ~ x + (1 | g)", "y ~ x + (x | g) + (1 | item)"):
        kin = {"g": (relationships(A, LEVELS)["sparse precision"], A)}
        s = setting_of(formula, TWICE, "weights", kin=kin)
        check(s, "noncentred")
        check(s, "collapsed")
        with pytest.raises(MethodError, match="relationship matrix"):
            hierarchical(s.model, "centred")


@pytest.mark.parametrize("extra", ["weights", "known sd"])
def test_a_known_matrix_of_residuals(extra):
    s = setting_of(RANDOM["both"], FRAME, extra, residual=MATRIX)
    check(s, "centred")
    check(s, "collapsed")


def test_known_sds_beside_a_correlation():
    s = setting_of(RANDOM["crossed"], FRAME, "known sd", RESIDUALS["toep"])
    check(s, "noncentred")
    check(s, "collapsed")


def test_a_users_own_priors_are_those_that_count():
    residual = {"residual_par[rho]": "uniform(0, 1)"}
    effects = {"g_par[rho]": "uniform(-0.5, 0.9)"}
    strata = {"sigma[F]": "exponential(2)", "residual_par[varpower(v)]": "normal(0, 0.2)"}
    s = setting_of(
        f"y ~ x + {EFFECTS['ar1']}", TWICE,
        "plain", RESIDUALS["ar1 of rows"],
        priors=residual | effects,
    )  # fmt: skip
    assert s.model.prior_texts["g_par[rho]"] == "uniform(-0.5, 0.9)"
    check(s, "collapsed")
    s = setting_of(
        RANDOM["crossed"], FRAME, "plain", RESIDUALS["ar1, diag and varpower"],
        priors=residual | strata,
    )  # fmt: skip
    check(s, "noncentred")


@pytest.mark.parametrize("name", [pytest.param("toep", marks=pytest.mark.slow), "ar1"])
def test_gradients_of_both_models(name):
    s = model_of(name)
    for built in (hierarchical(s.model, "noncentred"), collapsed(s.model)):
        value = built.compile_fn(built.logp(), mode=PLAIN)
        slope = built.compile_fn(built.dlogp(), mode=PLAIN)
        rng, start = np.random.default_rng(2), built.initial_point()
        point = {k: v + 0.2 * rng.normal(size=np.shape(v)) for k, v in start.items()}
        found = slope(point)
        place, scale = 0, 1 + np.abs(found).max()
        for v in built.value_vars:
            size = np.size(point[v.name])
            for i in range(size)[:4]:  # a few of the many effects
                ends = []
                for step in (1e-5, -1e-5):
                    moved = np.array(point[v.name], dtype=float)
                    moved.reshape(-1)[i] += step
                    ends.append(float(value({**point, v.name: moved})))
                expected = (ends[0] - ends[1]) / 2e-5
                assert found[place + i] == pytest.approx(expected, abs=1e-5 * scale)
            place += size
        assert place == len(found)
        assert isinstance(built, pm.Model)

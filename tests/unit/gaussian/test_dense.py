"""The blocked equations against the dense textbook formulas, n x n matrices and all.

The oracle forms V = Z G Z' + R for the rows of positive weight and works from there: log
densities, generalised least squares, prediction error variances (Searle, Casella & McCulloch,
1992, ch. 7). It shares no formula with the room under test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy import linalg, stats

from bayeslmm.gaussian import equations
from bayeslmm.gaussian import moments as moments_room
from bayeslmm.gaussian.equations import Factor, factorise, solve
from bayeslmm.gaussian.likelihood import deviance, marginal_deviance, profiled_sigma2
from bayeslmm.gaussian.moments import moments
from bayeslmm.gaussian.posterior import covariance, draw, linear_variance, normal_prior
from bayeslmm.gaussian.variances import Variances, lambdas_from_covariances
from bayeslmm.model import Model, prior_rows

Make = Callable[..., Model]
DrawVariances = Callable[..., Variances]
LOG_2PI = np.log(2 * np.pi)


@dataclass(frozen=True)
class Dense:
    """A model at one point of the variances as dense matrices, rows of weight zero left out."""

    X: np.ndarray
    Z: np.ndarray
    y: np.ndarray
    G: np.ndarray
    R: np.ndarray

    @property
    def V(self) -> np.ndarray:
        return self.Z @ self.G @ self.Z.T + self.R

    @property
    def precision(self) -> np.ndarray:
        return self.X.T @ np.linalg.solve(self.V, self.X)

    def blue(self) -> np.ndarray:
        return np.linalg.solve(self.precision, self.X.T @ np.linalg.solve(self.V, self.y))

    def blup(self) -> np.ndarray:
        return self.G @ self.Z.T @ np.linalg.solve(self.V, self.y - self.X @ self.blue())

    def ml(self) -> float:
        """−2 log N(y; X b, V) at the generalised least squares b."""
        return -2 * float(stats.multivariate_normal.logpdf(self.y, self.X @ self.blue(), self.V))

    def reml(self) -> float:
        """−2 log of the integral of N(y; X b, V) over b (Harville, 1974)."""
        p = self.X.shape[1]
        return self.ml() + float(np.linalg.slogdet(self.precision)[1]) - p * LOG_2PI

    def effects_covariance(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Var(beta), Var(u − û), Cov(u − û, beta) and Var(u | beta, y), singular G or not."""
        beta = np.linalg.inv(self.precision)
        C = self.Z @ self.G
        given = self.G - C.T @ np.linalg.solve(self.V, C)
        slope = C.T @ np.linalg.solve(self.V, self.X)
        return beta, given + slope @ beta @ slope.T, -slope @ beta, given


def dense_of(model: Model, at: Variances, point: int = 0) -> Dense:
    used = model.used
    design = model.design
    columns, covs = [np.empty((design.n, 0))], [np.empty((0, 0))]
    for block, cov in zip(design.blocks, at.covariances, strict=True):
        Z = np.zeros((design.n, block.n_levels, block.n_coefs))
        Z[np.arange(design.n), block.codes] = block.values
        columns.append(Z.reshape(design.n, -1))
        covs.append(np.kron(np.eye(block.n_levels), cov[point]))
    extras = design.extras
    sd = extras.get(
        "known_sd", at.sigma[point] / np.sqrt(extras.get("weights", np.ones(design.n))[used])
    )
    return Dense(
        design.X[used],
        np.column_stack(columns)[used],
        (design.y - design.offset)[used],
        linalg.block_diag(*covs),
        np.diag(np.broadcast_to(sd, int(used.sum())) ** 2),
    )


def factor_of(model: Model, at: Variances) -> Factor:
    return factorise(moments(model), lambdas_from_covariances(at), at.sigma**2)


def likelihoods_agree(model: Model, at: Variances) -> None:
    factor = factor_of(model, at)
    ml = deviance(factor, at.sigma**2, reml=False)
    reml = deviance(factor, at.sigma**2, reml=True)
    for i in range(len(at.sigma)):
        dense = dense_of(model, at, i)
        np.testing.assert_allclose([ml[i], reml[i]], [dense.ml(), dense.reml()], rtol=1e-8)


def stacked(u: tuple[np.ndarray, ...]) -> np.ndarray:
    return np.concatenate([np.empty(0), *(part.ravel() for part in u)])


def own_blocks(model: Model, dense: np.ndarray) -> list[np.ndarray]:
    """Each level's own rows of a matrix with a row for each random effect, (J, k, ...) a factor."""
    out, start = [], 0
    for block in model.design.blocks:
        stop = start + block.n_levels * block.n_coefs
        out.append(dense[start:stop].reshape(block.n_levels, block.n_coefs, -1))
        start = stop
    return out


def diagonal_blocks(model: Model, dense: np.ndarray) -> list[np.ndarray]:
    """Each level's own covariance out of that of all random effects, (J, k, k) a factor."""
    out, start = [], 0
    for block in model.design.blocks:
        k = block.n_coefs
        places = [slice(start + k * j, start + k * (j + 1)) for j in range(block.n_levels)]
        out.append(np.stack([dense[s, s] for s in places]))
        start += k * block.n_levels
    return out


def test_likelihoods_at_several_points_at_once(
    formula: str, extra: str, make: Make, draw_variances: DrawVariances
) -> None:
    model = make(formula, extra)
    likelihoods_agree(model, draw_variances(model, 1, size=3))


@pytest.mark.parametrize("seed", range(1, 9))
def test_likelihoods_of_more_random_designs(
    seed: int, make: Make, draw_variances: DrawVariances
) -> None:
    model = make("y ~ x + z + (x | g) + (1 | h/m)", "weights and offset", seed)
    likelihoods_agree(model, draw_variances(model, seed, size=2))


def test_singular_covariances_are_as_good(
    formula: str, make: Make, draw_variances: DrawVariances
) -> None:
    """A direction without variance: likelihoods, effects and covariances need no inverse of G."""
    model = make(formula, "weights and offset")
    at = draw_variances(model, 2, singular=True)
    likelihoods_agree(model, at)
    effects_agree(model, at)
    covariances_agree(model, at)


def test_variances_of_zero(make: Make) -> None:
    """All variances zero: ordinary least squares."""
    model = make("y ~ x + (x | g) + (1 | h)", "weights and offset")
    at = Variances((np.zeros((1, 2, 2)), np.zeros((1, 1, 1))), np.array([1.3]))
    likelihoods_agree(model, at)
    effects = solve(factor_of(model, at))
    assert all(np.all(u == 0) for u in effects.u)


def effects_agree(model: Model, at: Variances) -> None:
    dense = dense_of(model, at)
    effects = solve(factor_of(model, at))
    np.testing.assert_allclose(effects.beta[0], dense.blue(), rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(stacked(effects.u), dense.blup(), rtol=1e-8, atol=1e-9)


def test_solution_is_blue_and_blup(
    formula: str, extra: str, make: Make, draw_variances: DrawVariances
) -> None:
    """(X'V⁻¹X)⁻¹X'V⁻¹y and GZ'V⁻¹(y − X b)."""
    model = make(formula, extra)
    effects_agree(model, draw_variances(model, 3))


def covariances_agree(model: Model, at: Variances) -> None:
    beta, u, u_beta, u_given = dense_of(model, at).effects_covariance()
    found = covariance(factor_of(model, at), float(at.sigma[0] ** 2))
    close = {"rtol": 1e-7, "atol": 1e-9}
    np.testing.assert_allclose(found.beta, beta, **close)
    for got, expected in zip(found.u, diagonal_blocks(model, u), strict=True):
        np.testing.assert_allclose(got, expected, **close)
    for got, expected in zip(found.u_given_beta, diagonal_blocks(model, u_given), strict=True):
        np.testing.assert_allclose(got, expected, **close)
    for got, expected in zip(found.u_beta, own_blocks(model, u_beta), strict=True):
        np.testing.assert_allclose(got, expected.reshape(got.shape), **close)


def test_covariances_of_the_effects(
    formula: str, extra: str, make: Make, draw_variances: DrawVariances
) -> None:
    model = make(formula, extra)
    covariances_agree(model, draw_variances(model, 4))


def henderson_inverse(dense: Dense) -> np.ndarray:
    """Inverse of [Z'R⁻¹Z + G⁻¹, Z'R⁻¹X; X'R⁻¹Z, X'R⁻¹X]: the covariance of (u, beta)."""
    W = np.column_stack([dense.Z, dense.X])
    C = W.T @ np.linalg.solve(dense.R, W)
    q = dense.Z.shape[1]
    C[:q, :q] += np.linalg.inv(dense.G)
    return np.linalg.inv(C)


def test_variance_of_any_combination_of_effects(
    formula: str, extra: str, make: Make, draw_variances: DrawVariances
) -> None:
    """x'beta + sum z'u by the dense inverse of the mixed-model equations; levels left out too."""
    model = make(formula, extra)
    at = draw_variances(model, 5)
    rng = np.random.default_rng(6)
    r = 12
    fixed = rng.normal(size=(r, model.design.p))
    random = tuple(
        (rng.integers(-1, b.n_levels, r), rng.normal(size=(r, b.n_coefs)))
        for b in model.design.blocks
    )
    columns = [np.empty((r, 0))]
    for block, (codes, values) in zip(model.design.blocks, random, strict=True):
        Z = np.zeros((r, block.n_levels, block.n_coefs))
        seen = codes >= 0
        Z[np.flatnonzero(seen), codes[seen]] = values[seen]
        columns.append(Z.reshape(r, -1))
    whole = np.column_stack([*columns, fixed])
    expected = np.einsum("ri,ij,rj->r", whole, henderson_inverse(dense_of(model, at)), whole)
    factor = factor_of(model, at)
    found = linear_variance(factor, float(at.sigma[0] ** 2), fixed, random)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-10)
    if random:
        without = linear_variance(factor, float(at.sigma[0] ** 2), fixed, (None, *random[1:]))
        whole[:, : columns[1].shape[1]] = 0.0
        expected = np.einsum("ri,ij,rj->r", whole, henderson_inverse(dense_of(model, at)), whole)
        np.testing.assert_allclose(without, expected, rtol=1e-7, atol=1e-10)


PRIORS: dict[str, tuple[dict[str, str], list[float], list[float], bool]] = {
    # what is given, then location and sd by coefficient (inf is flat), and whether centred
    "proper": (
        {"Intercept": "normal(1, 3)", "beta": "normal(-0.5, 2)"}, [1, -0.5], [3, 2], False
    ),
    "centred": (
        {"Intercept_centred": "normal(4, 0.5)", "beta[x]": "normal(1, 2)"}, [4, 1], [0.5, 2], True
    ),
    "flat intercept": (
        {"Intercept": "flat", "beta[x]": "normal(1, 0.1)"}, [0, 1], [np.inf, 0.1], False
    ),
    "flat": ({"beta": "flat"}, [0, 0], [np.inf, np.inf], False),
}  # fmt: skip


@pytest.mark.parametrize("extra", ["weights and offset", "known sd"])
@pytest.mark.parametrize("given", PRIORS.values(), ids=PRIORS)
def test_marginal_density_of_the_response(
    given: tuple[Any, ...], extra: str, make: Make, draw_variances: DrawVariances
) -> None:
    """−2 log of the integral over (beta, u): N(y; X m, V + X S X'), flat parts with density one."""
    priors, location, sd, centred = given
    model = make("y ~ x + (x | g) + (1 | h)", extra, priors=priors)
    at = draw_variances(model, 7, size=2)
    to_user = np.eye(2)
    if centred:
        to_user[0, 1] = -model.design.X[:, 1].mean()
    factor, prior = with_prior(model, at)
    found = marginal_deviance(factor, at.sigma**2, prior)
    flat = np.isinf(sd)
    S = np.diag(np.where(flat, 0.0, sd) ** 2)
    for i in range(2):
        d = dense_of(model, at, i)
        X = d.X @ to_user
        proper = Dense(X[:, flat], d.Z, d.y - X @ location, d.G, d.R + X @ S @ X.T)
        np.testing.assert_allclose(found[i], proper.reml(), rtol=1e-8)


def with_prior(model: Model, at: Variances) -> tuple[Factor, Any]:
    m = moments(model)
    prior = normal_prior(prior_rows(model), m.shift, None, len(at.sigma))
    return factorise(m, lambdas_from_covariances(at), at.sigma**2, prior), prior


def test_posterior_of_the_effects_under_a_prior(make: Make, draw_variances: DrawVariances) -> None:
    """A proper prior is G's business for beta as well: the BLUP of (beta − m, u) jointly."""
    given = {"Intercept": "normal(1, 3)", "beta": "normal(-0.5, 2)"}
    model = make("y ~ x + (x | g) + (1 | h)", "weights and offset", priors=given)
    at = draw_variances(model, 8)
    d, location = dense_of(model, at), np.array([1.0, -0.5])
    joint = Dense(
        np.empty((len(d.y), 0)),
        np.column_stack([d.X, d.Z]),
        d.y - d.X @ location,
        linalg.block_diag(np.diag([9.0, 4.0]), d.G),
        d.R,
    )
    expected, spread = joint.blup(), joint.effects_covariance()[3]
    factor, _ = with_prior(model, at)
    effects = solve(factor)
    np.testing.assert_allclose(effects.beta[0], location + expected[:2], rtol=1e-8)
    np.testing.assert_allclose(stacked(effects.u), expected[2:], rtol=1e-7, atol=1e-9)
    found = covariance(factor, float(at.sigma[0] ** 2))
    np.testing.assert_allclose(found.beta, spread[:2, :2], rtol=1e-8)
    for got, block in zip(found.u, diagonal_blocks(model, spread[2:, 2:]), strict=True):
        np.testing.assert_allclose(got, block, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("name", ["slopes", "crossed", "nested"])
def test_draws_have_the_posterior_mean_and_covariance(
    name: str, make: Make, draw_variances: DrawVariances
) -> None:
    """20 000 joint draws: every mean and covariance within 5 Monte Carlo standard errors."""
    formulas = {
        "slopes": "y ~ x + (x | g)",
        "crossed": "y ~ x + (x | g) + (1 | h)",
        "nested": "y ~ z + (1 | h/m)",
    }
    model = make(formulas[name], "weights and offset")
    at, size = draw_variances(model, 9), 20_000
    dense = dense_of(model, at)
    sigma2 = np.full(size, at.sigma[0] ** 2)
    effects = draw(factor_of(model, at), sigma2, np.random.default_rng(10))
    draws = np.column_stack([u.reshape(size, -1) for u in effects.u] + [effects.beta])
    mean, C = np.concatenate([dense.blup(), dense.blue()]), henderson_inverse(dense)
    variance = np.diag(C)
    assert np.all(np.abs(draws.mean(axis=0) - mean) < 5 * np.sqrt(variance / size))
    mcse = np.sqrt((np.outer(variance, variance) + C**2) / size)
    assert np.all(np.abs(np.cov(draws, rowvar=False) - C) < 5 * mcse)


def test_profiled_variance_is_the_minimum(make: Make, draw_variances: DrawVariances) -> None:
    """No other sigma² does better at the same Lambda, on either side."""
    model = make("y ~ x + (x | g)", "weights and offset")
    factor = factor_of(model, draw_variances(model, 11))
    for reml in (False, True):
        best = profiled_sigma2(factor, reml=reml)
        around = [deviance(factor, best * c, reml=reml)[0] for c in (0.98, 1.0, 1.02)]
        assert around[1] < around[0] and around[1] < around[2]


def test_a_large_mean_takes_no_digits(make: Make, draw_variances: DrawVariances) -> None:
    """y + 1e9 has the likelihood of y to the digits that the data still have."""
    model = make("y ~ x + (x | g)")
    moved = replace(model, design=replace(model.design, y=model.design.y + 1e9))
    at = draw_variances(model, 12)
    values = [deviance(factor_of(m, at), at.sigma**2, reml=True)[0] for m in (model, moved)]
    assert values[1] == pytest.approx(values[0], rel=1e-6)


def _negated(*args: Any) -> Any:
    return -CROSSED(*args)


def _unscaled(*args: Any) -> None:
    return None


CROSSED = moments_room._crossed
BREAKAGES: dict[str, tuple[Any, str, Any]] = {
    "sign of the crossed block": (moments_room, "_crossed", _negated),
    "Lambda left out of the rest": (equations, "_scale_rest", _unscaled),
    "border not solved": (equations, "solve_lower", lambda factor, b: b),
}


@pytest.mark.parametrize(("room", "name", "wrong"), BREAKAGES.values(), ids=BREAKAGES)
def test_a_wrong_block_would_be_seen(
    room: Any,
    name: str,
    wrong: Any,
    make: Make,
    draw_variances: DrawVariances,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The comparison has power: with one block spoilt it fails, and without it passes."""
    model = make("y ~ x + (x | g) + (1 | h)", "weights and offset")
    at = draw_variances(model, 13)
    likelihoods_agree(model, at)
    monkeypatch.setattr(room, name, wrong)
    with pytest.raises(AssertionError):
        likelihoods_agree(model, at)


@pytest.mark.parametrize("term", ["log_det_z", "log_det_x", "rho2"])
def test_a_dropped_term_would_be_seen(
    term: str, make: Make, draw_variances: DrawVariances, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make("y ~ x + (x | g) + (1 | h)", "weights and offset")
    monkeypatch.setattr(Factor, term, property(lambda f: np.zeros(len(f.schur))))
    with pytest.raises(AssertionError):
        likelihoods_agree(model, draw_variances(model, 13))


def test_a_dropped_weight_constant_would_be_seen(make: Make, draw_variances: DrawVariances) -> None:
    model = make("y ~ x + (x | g) + (1 | h)", "weights and offset")
    at = draw_variances(model, 13)
    factor = factor_of(model, at)
    spoilt = replace(factor, moments=replace(factor.moments, sum_log_weight=0.0))
    value = deviance(spoilt, at.sigma**2, reml=False)[0]
    assert value != pytest.approx(dense_of(model, at).ml(), rel=1e-3)

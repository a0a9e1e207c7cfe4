"""The blocked equations against the dense textbook formulas of the oracle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import linalg

from bayeslmm.gaussian import crossed_point, moments, single
from bayeslmm.gaussian.equations import BetaPrior, Equations, Factor, FactorPoint, solve
from bayeslmm.gaussian.likelihood import deviance, marginal_deviance, profiled_sigma2
from bayeslmm.gaussian.posterior import covariance, draw, linear_variance, normal_prior
from bayeslmm.gaussian.variances import Variances, lambdas_from_covariances
from bayeslmm.model import Model, prior_rows
from tests.unit.gaussian.agree import (
    covariances_agree,
    effects_agree,
    factor_of,
    likelihoods_agree,
    point_of,
)
from tests.unit.gaussian.designs import build, random_variances, system_of
from tests.unit.gaussian.oracle import Dense, dense_of, diagonal_blocks, stacked

Solved = tuple[str, str | None]
CROSSED = "y ~ x + (x | g) + (1 | h)"
RESTS = ("dense", "sparse")


def test_likelihoods_at_several_points_at_once(solved: Solved, extra: str) -> None:
    model = build(solved[0], extra)
    likelihoods_agree(model, system_of(model, solved[1]), random_variances(model, 1, size=3))


@pytest.mark.parametrize("rest", RESTS)
@pytest.mark.parametrize("seed", range(1, 9))
def test_likelihoods_of_more_random_designs(seed: int, rest: str) -> None:
    model = build("y ~ x + z + (x | g) + (1 | h/m)", "weights and offset", seed)
    likelihoods_agree(model, system_of(model, rest), random_variances(model, seed, size=2))


def test_singular_covariances_are_as_good(solved: Solved) -> None:
    """A direction without variance: likelihoods, effects and covariances need no inverse of G."""
    model = build(solved[0], "weights and offset")
    system, at = system_of(model, solved[1]), random_variances(model, 2, singular=True)
    likelihoods_agree(model, system, at)
    effects_agree(model, system, at)
    covariances_agree(model, system, at)


@pytest.mark.parametrize("rest", RESTS)
def test_variances_of_zero(rest: str) -> None:
    """All variances zero: ordinary least squares."""
    model = build(CROSSED, "weights and offset")
    at = Variances((np.zeros((1, 2, 2)), np.zeros((1, 1, 1))), np.array([1.3]))
    system = system_of(model, rest)
    likelihoods_agree(model, system, at)
    effects = solve(point_of(system, at))
    assert all(np.all(u == 0) for u in effects.u)


def test_any_root_of_the_covariance_will_do(solved: Solved) -> None:
    """Lambda Q for an orthogonal Q is as good as Lambda, whatever the structure's own root."""
    model = build(solved[0], "weights and offset")
    system, at = system_of(model, solved[1]), random_variances(model, 14)
    plain = lambdas_from_covariances(system.moments.coordinates, at)
    rng = np.random.default_rng(15)
    turned = tuple(f @ np.linalg.qr(rng.normal(size=f.shape[1:]))[0] for f in plain)
    one, other = system.at(plain), system.at(turned)
    for reml in (False, True):
        values = [deviance(f, at.sigma**2, reml=reml) for f in (one, other)]
        np.testing.assert_allclose(values[1], values[0], rtol=1e-10)
    for a, b in zip(covariance(one, 1.0).u, covariance(other, 1.0).u, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-8, atol=1e-10)


def test_solution_is_blue_and_blup(solved: Solved, extra: str) -> None:
    """(X'V⁻¹X)⁻¹X'V⁻¹y and GZ'V⁻¹(y − X b)."""
    model = build(solved[0], extra)
    effects_agree(model, system_of(model, solved[1]), random_variances(model, 3, size=2))


def test_covariances_of_the_effects(solved: Solved, extra: str) -> None:
    model = build(solved[0], extra)
    covariances_agree(model, system_of(model, solved[1]), random_variances(model, 4))


def test_variance_of_any_combination_of_effects(solved: Solved, extra: str) -> None:
    """x'beta + sum z'u by the dense joint covariance; levels left out too."""
    model = build(solved[0], extra)
    at = random_variances(model, 5)
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
    C = dense_of(model, at).joint_covariance()
    expected = np.einsum("ri,ij,rj->r", whole, C, whole)
    point, sigma2 = point_of(system_of(model, solved[1]), at), float(at.sigma[0] ** 2)
    found = linear_variance(point, sigma2, fixed, random)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-10)
    for i, own in enumerate(columns[1:]):
        left = tuple(None if i == j else pair for j, pair in enumerate(random))
        without = linear_variance(point, sigma2, fixed, left)
        start = sum(c.shape[1] for c in columns[: i + 1])
        rows = whole.copy()
        rows[:, start : start + own.shape[1]] = 0.0
        expected = np.einsum("ri,ij,rj->r", rows, C, rows)
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


@pytest.mark.parametrize("rest", RESTS)
@pytest.mark.parametrize("extra", ["weights and offset", "known sd"])
@pytest.mark.parametrize("given", PRIORS.values(), ids=PRIORS)
def test_marginal_density_of_the_response(given: tuple[Any, ...], extra: str, rest: str) -> None:
    """−2 log of the integral over (beta, u): N(y; X m, V + X S X'), flat parts with density one."""
    priors, location, sd, centred = given
    model = build(CROSSED, extra, priors=priors)
    at = random_variances(model, 7, size=2)
    to_user = np.eye(2)
    if centred:
        to_user[0, 1] = -model.design.X[:, 1].mean()
    factor, prior = with_prior(model, system_of(model, rest), at)
    found = marginal_deviance(factor, at.sigma**2, prior)
    flat = np.isinf(sd)
    S = np.diag(np.where(flat, 0.0, sd) ** 2)
    for i in range(2):
        d = dense_of(model, at, i)
        X = d.X @ to_user
        proper = Dense(X[:, flat], d.Z, d.y - X @ location, d.G, d.R + X @ S @ X.T)
        np.testing.assert_allclose(found[i], proper.reml(), rtol=1e-8)


def with_prior(model: Model, system: Equations, at: Variances) -> tuple[Factor, BetaPrior]:
    about = system.moments.coordinates
    prior = normal_prior(prior_rows(model), about, None, len(at.sigma))
    return system.factor(lambdas_from_covariances(about, at), at.sigma**2, prior), prior


@pytest.mark.parametrize("rest", RESTS)
def test_posterior_of_the_effects_under_a_prior(rest: str) -> None:
    """A proper prior is G's business for beta as well: the BLUP of (beta − m, u) jointly."""
    given = {"Intercept": "normal(1, 3)", "beta": "normal(-0.5, 2)"}
    model = build(CROSSED, "weights and offset", priors=given)
    at = random_variances(model, 8)
    d, location = dense_of(model, at), np.array([1.0, -0.5])
    joint = Dense(
        np.empty((len(d.y), 0)),
        np.column_stack([d.X, d.Z]),
        d.y - d.X @ location,
        linalg.block_diag(np.diag([9.0, 4.0]), d.G),
        d.R,
    )
    expected, spread = joint.blup(), joint.effects_covariance()[3]
    system = system_of(model, rest)
    about = system.moments.coordinates
    prior = normal_prior(prior_rows(model), about, None, 1)
    factor = system.at(lambdas_from_covariances(about, at), at.sigma**2, prior)
    effects = solve(factor)
    np.testing.assert_allclose(effects.beta[0], location + expected[:2], rtol=1e-8)
    np.testing.assert_allclose(stacked(effects.u), expected[2:], rtol=1e-7, atol=1e-9)
    found = covariance(factor, float(at.sigma[0] ** 2))
    np.testing.assert_allclose(found.beta, spread[:2, :2], rtol=1e-8)
    for got, block in zip(found.u, diagonal_blocks(model, spread[2:, 2:]), strict=True):
        np.testing.assert_allclose(got, block, rtol=1e-7, atol=1e-10)


DRAWN = {
    "slopes": ("y ~ x + (x | g)", None),
    "crossed, dense": (CROSSED, "dense"),
    "crossed, sparse": (CROSSED, "sparse"),
    "nested, dense": ("y ~ z + (1 | h/m)", "dense"),
    "nested, sparse": ("y ~ z + (1 | h/m)", "sparse"),
}


@pytest.mark.parametrize("points", ["one point", "many points"])
@pytest.mark.parametrize("case", DRAWN.values(), ids=DRAWN)
def test_draws_have_the_posterior_mean_and_covariance(case: Solved, points: str) -> None:
    """20 000 joint draws (5 000 at many points) within 5 Monte Carlo standard errors."""
    model = build(case[0], "weights and offset")
    at, size = random_variances(model, 9), 20_000 if points == "one point" else 5_000
    dense = dense_of(model, at)
    sigma2 = np.full(size, at.sigma[0] ** 2)
    system = system_of(model, case[1])
    factor: Factor = point_of(system, at)
    if points == "many points":
        factor = system.factor(tuple(np.repeat(f, size, axis=0) for f in factor.lambdas), sigma2)
    effects = draw(factor, sigma2, np.random.default_rng(10))
    draws = np.column_stack([u.reshape(size, -1) for u in effects.u] + [effects.beta])
    mean, C = np.concatenate([dense.blup(), dense.blue()]), dense.joint_covariance()
    variance = np.diag(C)
    assert np.all(np.abs(draws.mean(axis=0) - mean) < 5 * np.sqrt(variance / size))
    mcse = np.sqrt((np.outer(variance, variance) + C**2) / size)
    assert np.all(np.abs(np.cov(draws, rowvar=False) - C) < 5 * mcse)


@pytest.mark.parametrize("rest", RESTS)
def test_draws_at_one_point_and_at_many_are_the_same(rest: str) -> None:
    """Same noise, same draws: each of three points alone or all at once."""
    model = build("y ~ x + (1 | h) + (0 + z | m) + (x | g)", "weights and offset")
    system, at = system_of(model, rest), random_variances(model, 16, size=3)
    together = solve(factor_of(system, at), noise_of(system, 3))
    for i in range(3):
        beta, u = noise_of(system, 3)
        own = solve(point_of(system, at, i), (beta[i : i + 1], tuple(x[i : i + 1] for x in u)))
        np.testing.assert_allclose(own.beta[0], together.beta[i], rtol=1e-9, atol=1e-11)
        found, expected = (stacked(tuple(x[j] for x in e.u)) for e, j in ((own, 0), (together, i)))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


def noise_of(system: Equations, size: int) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    rng, m = np.random.default_rng(17), system.moments
    return rng.normal(size=(size, m.p)), tuple(rng.normal(size=(size, *s)) for s in m.sizes)


def test_profiled_variance_is_the_minimum() -> None:
    """No other sigma² does better at the same Lambda, on either side."""
    model = build("y ~ x + (x | g)", "weights and offset")
    factor = factor_of(system_of(model), random_variances(model, 11))
    for reml in (False, True):
        best = profiled_sigma2(factor, reml=reml)
        around = [deviance(factor, best * c, reml=reml)[0] for c in (0.98, 1.0, 1.02)]
        assert around[1] < around[0] and around[1] < around[2]


def test_a_large_mean_takes_no_digits() -> None:
    """y + 1e9 has the likelihood of y to the digits that the data still have."""
    model = build("y ~ x + (x | g)")
    moved = replace(model, design=replace(model.design, y=model.design.y + 1e9))
    at = random_variances(model, 12)
    values = [
        deviance(factor_of(system_of(m), at), at.sigma**2, reml=True)[0] for m in (model, moved)
    ]
    assert values[1] == pytest.approx(values[0], rel=1e-6)


def spoilt(whole: Callable[..., Any], how: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel with something done to its arguments before or after."""
    return lambda *args: how(whole, *args)


def no_border(whole: Callable[..., Any], *args: Any) -> Any:
    """The Schur complement without what the eliminated levels take from it."""
    return whole(args[0], np.zeros_like(args[1]), *args[2:])


def no_rest(whole: Callable[..., Any], *args: Any) -> Any:
    """Right-hand sides without what the eliminated levels take from the rest."""
    return whole(*args[:3], np.zeros_like(args[3]), *args[4:])


def halved(whole: Callable[..., Any], *args: Any) -> Any:
    """Lambda' left out of the levels' own products."""
    return whole(0.5 * args[0], *args[1:])


SEVERAL = {
    "sign of the pairs": (moments, "pair_products", lambda whole, *args: -whole(*args)),
    "Schur complement": (crossed_point, "assemble", no_border),
    "Lambda of the border": (crossed_point, "factor_border", halved),
    "elimination of the right-hand side": (crossed_point, "half_forward", no_rest),
    "products with the fixed part": (
        moments,
        "factor_tables",
        lambda whole, *args: (lambda zz, zf: (zz, 0.9 * zf))(*whole(*args)),
    ),
}


@pytest.mark.parametrize("rest", RESTS)
@pytest.mark.parametrize(("room", "name", "how"), SEVERAL.values(), ids=SEVERAL)
def test_a_wrong_block_of_several_factors_would_be_seen(
    room: Any,
    name: str,
    how: Callable[..., Any],
    rest: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The comparison has power: with one block spoilt it fails, and without it passes."""
    model = build(CROSSED, "weights and offset")
    at = random_variances(model, 13)
    likelihoods_agree(model, system_of(model, rest), at)
    monkeypatch.setattr(room, name, spoilt(getattr(room, name), how))
    if rest == "sparse" and room is crossed_point:  # its batches are compiled whole: by the point
        monkeypatch.setattr(Equations, "factor", Equations.at)
    with pytest.raises(AssertionError):
        likelihoods_agree(model, system_of(model, rest), at)


ONE = {
    "reduction": ("reduce_levels", likelihoods_agree),
    "draws": ("draw_levels", effects_agree),
    "solutions": ("solve_levels", covariances_agree),
}


@pytest.mark.parametrize(("name", "agree"), ONE.values(), ids=ONE)
def test_a_wrong_block_of_one_factor_would_be_seen(
    name: str, agree: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build("y ~ x + (x | g)", "weights and offset")
    at = random_variances(model, 13)
    agree(model, system_of(model), at)
    monkeypatch.setattr(single, name, spoilt(getattr(single, name), halved))
    with pytest.raises(AssertionError):
        agree(model, system_of(model), at)


def half_inverse(whole: Callable[..., Any], *args: Any) -> Any:
    """The levels' own blocks with half of what the rest's inverse brings."""
    return whole(*args[:11], 0.5 * args[11], *args[12:])


COVARIANCES = {
    "own blocks": ("slope_border", half_inverse),
    "back substitution": ("half_backward", no_rest),
}


@pytest.mark.parametrize("rest", RESTS)
@pytest.mark.parametrize(("name", "how"), COVARIANCES.values(), ids=COVARIANCES)
def test_a_wrong_covariance_would_be_seen(
    name: str, how: Callable[..., Any], rest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build(CROSSED, "weights and offset")
    at = random_variances(model, 13)
    covariances_agree(model, system_of(model, rest), at)
    monkeypatch.setattr(crossed_point, name, spoilt(getattr(crossed_point, name), how))
    with pytest.raises(AssertionError):
        covariances_agree(model, system_of(model, rest), at)


@pytest.mark.parametrize("term", ["log_det_z", "log_det_x", "rho2"])
def test_a_dropped_term_would_be_seen(term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(CROSSED, "weights and offset")
    monkeypatch.setattr(Factor, term, property(lambda f: np.zeros(len(f.lower))))
    with pytest.raises(AssertionError):
        likelihoods_agree(model, system_of(model), random_variances(model, 13))


def test_a_dropped_weight_constant_would_be_seen() -> None:
    model = build(CROSSED, "weights and offset")
    at = random_variances(model, 13)
    factor = point_of(system_of(model), at)
    system = factor.equations
    without = replace(system, moments=replace(system.moments, sum_log_weight=0.0))
    wrong: FactorPoint = replace(factor, equations=without)
    value = deviance(wrong, at.sigma**2, reml=False)[0]
    assert value != pytest.approx(dense_of(model, at).ml(), rel=1e-3)

"""Random designs of every build: the equations against the dense oracle.

One to four factors, nested, crossed or partly nested, with one to three coefficients each; empty
cells, levels of a single row, levels that only rows without weight have, pairs of factors of
which no levels meet twice, and weights over eight orders of magnitude. A factor's variance may
be zero. The oracle works in extended precision, so that tolerances are those of the room: 1e-7 of
a number's own scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from bayeslmm.gaussian.equations import solve
from bayeslmm.gaussian.likelihood import deviance
from bayeslmm.gaussian.posterior import covariance, linear_variance
from bayeslmm.gaussian.variances import Variances
from bayeslmm.model import Model
from tests.unit.gaussian.agree import factor_of, point_of
from tests.unit.gaussian.designs import quietly, random_variances, system_of
from tests.unit.gaussian.oracle import Dense, dense_of, own_blocks

SEEDS = range(100, 142)
RTOL = 1e-7
EFFECTS = ("1", "x", "0 + x", "z", "x + z", "0 + x + z")


@dataclass(frozen=True)
class Case:
    """A random model and a point of its variances."""

    model: Model
    at: Variances
    words: str


def codes_of(rng: np.random.Generator, n: int, earlier: list[np.ndarray]) -> np.ndarray:
    """Levels of a factor: free, unbalanced, nested in an earlier one, or almost so."""
    levels = int(rng.integers(2, 8))
    kind = rng.choice(["free", "unbalanced", "nested", "partly nested"])
    own = rng.integers(0, levels, n)
    if kind == "unbalanced" or not earlier:
        own = np.minimum(rng.geometric(0.4, n) - 1, levels)
        own[: min(3, n)] = levels + 1 + np.arange(min(3, n))  # levels of a single row
    elif kind != "free":
        parent = earlier[int(rng.integers(len(earlier)))]
        own = 2 * parent + rng.integers(0, 2, n)
        if kind == "partly nested":
            loose = rng.random(n) < 0.15
            own[loose] = rng.permutation(own)[loose]
    return own


def case_of(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(25, 60))
    frame = pd.DataFrame({"x": rng.normal(1.0, 1.0, n), "z": rng.uniform(-1.0, 3.0, n)})
    factors: list[np.ndarray] = []
    terms = []
    for i in range(1 + seed % 4):
        name = f"f{i}"
        factors.append(codes_of(rng, n, factors))
        frame[name] = [f"l{c:03d}" for c in factors[-1]]
        bar = "|" if rng.random() < 0.7 else "||"
        terms.append(f"({rng.choice(EFFECTS)} {bar} {name})")
    weights = np.ones(n)
    if rng.random() < 0.75:
        weights = 10.0 ** rng.uniform(-4, 4, n)
    if rng.random() < 0.5:  # a level without any weight, and a few more rows
        weights[factors[0] == factors[0][-1]] = 0.0
        weights[rng.integers(0, n, 3)] = 0.0
    frame["w"] = weights
    frame["y"] = (
        2 + frame["x"] + rng.normal(size=n) + rng.normal(size=int(factors[0].max()) + 1)[factors[0]]
    )
    fixed = rng.choice(["1", "x", "x + z", "0 + x"])
    formula = f"y ~ {fixed} + " + " + ".join(terms)
    model = quietly(formula, frame, weights="w")
    at = random_variances(model, seed, size=2, singular=bool(rng.random() < 0.25))
    return Case(model, at, formula)


def close(found: np.ndarray, expected: np.ndarray) -> None:
    """To RTOL of the largest number of an array."""
    scale = float(np.abs(expected).max(initial=1e-3))
    np.testing.assert_allclose(found, expected, rtol=0, atol=RTOL * scale)


def covariances_close(case: Case, dense: Dense, rest: str | None) -> None:
    beta, u, u_beta, u_given = dense.effects_covariance()
    at, model = case.at, case.model
    point = point_of(system_of(model, rest), at)
    sigma2 = float(at.sigma[0] ** 2)
    found = covariance(point, sigma2)
    close(found.beta, beta)
    start = 0
    rows = own_blocks(model, u_beta)
    for i, block in enumerate(model.design.blocks):
        k = block.n_coefs
        close(found.u_beta[i], rows[i].reshape(found.u_beta[i].shape))
        for j in range(block.n_levels):
            place = slice(start + k * j, start + k * (j + 1))
            close(found.u[i][j], u[place, place])
            close(found.u_given_beta[i][j], u_given[place, place])
        start += k * block.n_levels
    rng = np.random.default_rng(7)
    fixed = rng.normal(size=(5, model.design.p))
    random = tuple(
        (rng.integers(-1, b.n_levels, 5), rng.normal(size=(5, b.n_coefs)))
        for b in model.design.blocks
    )
    parts = []
    for block, (codes, values) in zip(model.design.blocks, random, strict=True):
        Z = np.zeros((5, block.n_levels, block.n_coefs))
        seen = codes >= 0
        Z[np.flatnonzero(seen), codes[seen]] = values[seen]
        parts.append(Z.reshape(5, -1))
    whole = np.column_stack([*parts, fixed])
    expected = np.einsum("ri,ij,rj->r", whole, dense.joint_covariance(), whole)
    close(linear_variance(point, sigma2, fixed, random), expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_value_effects_and_covariances(seed: int) -> None:
    case = case_of(seed)
    model, at = case.model, case.at
    used = list(np.flatnonzero(model.used))
    assert len(used) > model.design.p and len(model.aliasing.kept) == model.design.p, case.words
    rests = (None,) if len(model.design.blocks) < 2 else ("dense", "sparse")
    dense = [dense_of(model, at, i) for i in range(2)]
    for rest in rests:
        system = system_of(model, rest)
        batch = factor_of(system, at)
        effects = solve(batch)
        values = [deviance(batch, at.sigma**2, reml=reml) for reml in (False, True)]
        for i, d in enumerate(dense):
            np.testing.assert_allclose([v[i] for v in values], [d.ml(), d.reml()], rtol=RTOL)
            close(effects.beta[i], d.blue())
            blup = own_blocks(model, d.blup()[:, None])
            for u, expected in zip(effects.u, blup, strict=True):
                close(u[i], expected.reshape(u[i].shape))
        point = point_of(system, at)
        found = [deviance(point, at.sigma[:1] ** 2, reml=reml)[0] for reml in (False, True)]
        np.testing.assert_allclose(found, [v[0] for v in values], rtol=1e-9)
        covariances_close(case, dense[0], rest)


def test_the_cases_are_of_every_kind() -> None:
    """What the header promises is there: else the tests above would say less than they claim."""
    models = [case_of(seed).model for seed in SEEDS]
    blocks = [m.design.blocks for m in models]
    assert {len(b) for b in blocks} == {1, 2, 3, 4}
    assert {part.n_coefs for b in blocks for part in b} >= {1, 2, 3}
    single = [np.bincount(part.codes).min() == 1 for b in blocks for part in b]
    assert sum(single) > 10
    spread = [np.ptp(np.log10(m.precision_weights[m.used])) for m in models]
    assert sum(s > 7 for s in spread) > 10
    unweighted = [
        len(np.unique(part.codes[m.used])) < part.n_levels
        for m in models
        for part in m.design.blocks
    ]
    assert sum(unweighted) > 10
    nested, loose = 0, 0
    for factors in blocks:
        for i, a in enumerate(factors):
            for b in factors[i + 1 :]:
                met = len(np.unique(a.codes * b.n_levels + b.codes))
                nested += met == b.n_levels
                loose += b.n_levels < met < a.n_levels * b.n_levels
    assert nested > 5 and loose > 5

"""Twins: the same data in awkward units and from far origins give the same answers.

With x' = c (x + o) and y' = d y + a, beta' = d A beta + a, u' = d A u, A = [[1, −o], [0, 1/c]],
G' = d² A G A', sigma' = d sigma, and the restricted log likelihood moves by −log|c| for every
scaled column and by −(n − p) log d. Weights times v make sigma² times v, and nothing else: the
constant 0.5 Σ log w is in the likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayeslmm as bl
from bayeslmm.gaussian import variances
from bayeslmm.gaussian.likelihood import marginal_deviance
from bayeslmm.gaussian.posterior import normal_prior
from bayeslmm.gaussian.target import Target, target
from tests.unit.gaussian.designs import quietly

FORMULAS = {
    "one factor": "y ~ x + z + (x | g)",
    "crossed": "y ~ x + z + (x | g) + (1 | h)",
}
RTOL = 1e-6


@dataclass(frozen=True)
class Twin:
    """x' = c (x + o), z' = e z, y' = d y + a, w' = v w."""

    c: float = 1.0
    o: float = 0.0
    e: float = 1.0
    d: float = 1.0
    a: float = 0.0
    v: float = 1.0

    @property
    def random(self) -> np.ndarray:
        """u' by u."""
        return self.d * np.array([[1.0, -self.o], [0.0, 1 / self.c]])

    def beta(self, plain: np.ndarray) -> np.ndarray:
        return np.append(self.random @ plain[:2] + [self.a, 0.0], self.d * plain[2] / self.e)

    def frame(self, plain: pd.DataFrame) -> pd.DataFrame:
        x, y = self.c * (plain["x"] + self.o), self.d * plain["y"] + self.a
        return plain.assign(x=x, z=self.e * plain["z"], y=y, w=self.v * plain["w"])

    def back(self, moved: pd.DataFrame) -> pd.DataFrame:
        """The plain data that the moved ones are of, after their rounding."""
        x, y = moved["x"] / self.c - self.o, (moved["y"] - self.a) / self.d
        return moved.assign(x=x, z=moved["z"] / self.e, y=y, w=moved["w"] / self.v)


TWINS = {
    "columns 1e8 apart": Twin(c=1e4, e=1e-4),
    "a column of 1e8": Twin(c=1e8),
    "columns 1e-8 and 1e8": Twin(c=1e-8, e=1e8),
    "years": Twin(o=2000.0),
    "a very far origin": Twin(o=1e6),
    "a very far origin in odd units": Twin(o=1e6, c=1e-3, e=1e3),
    "response about 1e9": Twin(a=1e9),
    "response in units of 1e-8": Twin(d=1e-8),
    "response in units of 1e8": Twin(d=1e8),
    "weights of 1e-8": Twin(v=1e-8),
    "weights of 1e8": Twin(v=1e8),
    "all at once": Twin(c=1e-2, o=2000.0, e=1e5, d=1e-3, a=1e5, v=1e-8),
}


@cache
def plain_frame() -> pd.DataFrame:
    """x within ±5 of its origin, a response with sd of some units, moderate weights."""
    rng = np.random.default_rng(60)
    n, g, h = 240, np.arange(240) % 16, rng.permutation(np.arange(240) % 9)
    x, z = rng.uniform(-5, 5, n), rng.normal(1.0, 2.0, n)
    u = rng.multivariate_normal([0, 0], [[1.0, 0.1], [0.1, 0.09]], 16)[g]
    y = 3 + 0.4 * x - 0.3 * z + u[:, 0] + u[:, 1] * x + rng.normal(0, 0.7, 9)[h]
    w = rng.uniform(0.5, 2.0, n)
    y += rng.normal(size=n) / np.sqrt(w)
    return pd.DataFrame({"y": y, "x": x, "z": z, "w": w, "g": g, "h": [f"h{i}" for i in h]})


def covariance_of(fit: bl.Fit, group: str) -> np.ndarray:
    table = fit.varcorr()
    own = table[table["group"] == group]
    sd = own[own["kind"] == "sd"]["estimate"].to_numpy()
    R = np.eye(len(sd))
    cor = own[own["kind"] == "cor"]["estimate"].to_numpy()
    if len(cor):
        R[0, 1] = R[1, 0] = cor[0]
    return sd[:, None] * R * sd


def effects_of(fit: bl.Fit, group: str) -> np.ndarray:
    """BLUPs, shape (J, k)."""
    table = fit.ranef()
    own = table[table["group"] == group]
    return own["estimate"].to_numpy().reshape(own["level"].nunique(), -1)


def close(found: np.ndarray, expected: np.ndarray) -> None:
    scale = float(np.abs(expected).max(initial=0.0))
    np.testing.assert_allclose(found, expected, rtol=RTOL, atol=RTOL * scale)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("formula", FORMULAS.values(), ids=FORMULAS)
@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_fits_of_twins_are_the_same(twin: Twin, formula: str, method: str) -> None:
    fits_agree(twin, formula, method, plain_frame())


ABOUT_THE_ORIGIN = {
    "slope alone": ("y ~ x + z + (0 + x | g) + (1 | h)", 0.0),
    "slope alone, far": ("y ~ x + z + (0 + x | g) + (1 | h)", 2000.0),
    "uncorrelated": ("y ~ x + z + (x || g)", 0.0),
    "uncorrelated, elsewhere": ("y ~ x + z + (x || g)", 3.0),
}


@pytest.mark.parametrize(("formula", "origin"), ABOUT_THE_ORIGIN.values(), ids=ABOUT_THE_ORIGIN)
@pytest.mark.parametrize("name", [name for name, twin in TWINS.items() if twin.o == 0])
def test_terms_that_know_their_origin(name: str, formula: str, origin: float) -> None:
    """Slopes that don't co-vary with an intercept: units alone may change, near or far."""
    frame = plain_frame()
    fits_agree(TWINS[name], formula, "reml", frame.assign(x=frame["x"] + origin))


def fits_agree(twin: Twin, formula: str, method: str, frame: pd.DataFrame) -> None:
    """beta, standard errors, sds, correlations, BLUPs and log likelihood to 1e-6; no warning."""
    moved = twin.frame(frame)
    fit = bl.Model(formula, moved, weights="w").fit(method)
    plain = bl.Model(formula, twin.back(moved), weights="w").fit(method)
    assert fit.converged and plain.converged
    assert fit.notes == plain.notes == ()
    beta = twin.beta(plain.fixef()["estimate"].to_numpy())
    np.testing.assert_allclose(fit.fixef()["estimate"], beta, rtol=RTOL)
    A = np.zeros((3, 3))
    A[:2, :2], A[2, 2] = twin.random, twin.d / twin.e
    error = np.sqrt(np.diag(A @ plain.vcov().to_numpy() @ A.T))
    np.testing.assert_allclose(fit.fixef()["std_error"], error, rtol=RTOL)
    assert fit.sigma == pytest.approx(twin.d * np.sqrt(twin.v) * plain.sigma, rel=RTOL)
    for group in plain.varcorr()["group"].drop_duplicates():
        if group == "Residual":
            continue
        G, u = covariance_of(plain, group), effects_of(plain, group)
        if group == "h":
            move = np.array([[twin.d]])
        elif len(G) == 1:
            move = np.array([[twin.d / twin.c]])
        else:
            move = twin.random
        expected = move @ G @ move.T
        found = covariance_of(fit, group)
        sd = np.sqrt(np.diag(expected))
        np.testing.assert_allclose(np.sqrt(np.diag(found)), sd, rtol=RTOL)
        np.testing.assert_allclose(found / np.outer(sd, sd), expected / np.outer(sd, sd), rtol=RTOL)
        moved_u = effects_of(fit, group)
        for c in range(len(G)):
            close(moved_u[:, c], (u @ move.T)[:, c])
    n, p = len(moved), 3
    shift = -(n - (p if method == "reml" else 0)) * np.log(twin.d)
    if method == "reml":
        shift -= np.log(abs(twin.c)) + np.log(abs(twin.e))
    assert fit.loglik - shift == pytest.approx(plain.loglik, rel=RTOL, abs=RTOL)


def priors_of(twin: Twin, *, flat: bool) -> dict[str, str]:
    """Priors about the plain data's units, in the twin's."""
    d, c, e = twin.d, twin.c, twin.e
    slopes = {
        "Intercept_centred": f"normal({4 * d + twin.a!r}, {3 * d!r})",
        "beta[x]": f"normal({0.2 * d / c!r}, {d / c!r})",
        "beta[z]": f"student_t(4, 0, {2 * d / e!r})",
    }
    scales = {
        "sd_g": f"half_normal({d!r})",
        "sigma": f"half_student_t(3, 0, {d * twin.v**0.5!r})",
    }
    return scales | ({"beta": "flat", "Intercept": "flat"} if flat else slopes)


DENSITIES = {
    "an intercept": "y ~ x + z + (1 | g)",
    "intercepts of two factors": "y ~ x + z + (1 | g) + (1 | h)",
}


@pytest.mark.parametrize("flat", [False, True], ids=["proper", "flat"])
@pytest.mark.parametrize("formula", DENSITIES.values(), ids=DENSITIES)
@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_densities_of_twins_are_the_same(twin: Twin, formula: str, flat: bool) -> None:
    """log p(y, psi) at matching psi moves by −n log d, and by flat columns' units."""
    moved = twin.frame(plain_frame())
    priors, plain_priors = priors_of(twin, flat=flat), priors_of(Twin(), flat=flat)
    if "h" in formula.split("~")[1]:
        priors["sd_h"], plain_priors["sd_h"] = f"half_normal({twin.d!r})", "half_normal(1)"
    there = target(quietly(formula, moved, weights="w", priors=priors))
    here = target(quietly(formula, twin.back(moved), weights="w", priors=plain_priors))
    psi = 0.4 * np.random.default_rng(61).normal(size=(3, here.dimension))
    by_scale = np.full(here.dimension, np.log(twin.d))
    by_scale[here.n_terms] += 0.5 * np.log(twin.v)
    by_scale[here.n_terms + 1 :] = 0.0  # the mixtures' own
    n, p = len(moved), 3
    shift = -n * np.log(twin.d)
    if flat:
        shift += p * np.log(twin.d) - np.log(abs(twin.c)) - np.log(abs(twin.e))
    found, expected = there(psi + by_scale), here(psi)
    np.testing.assert_allclose(found - shift, expected, rtol=RTOL)
    for point in psi:
        (value, slope), (_, plain) = (
            there.value_and_gradient(point + by_scale),
            here.value_and_gradient(point),
        )
        assert value == pytest.approx(there((point + by_scale)[None])[0], rel=1e-9)
        np.testing.assert_allclose(slope, plain, rtol=1e-5, atol=1e-5)


def likelihood_part(density: Target, psi: np.ndarray) -> np.ndarray:
    """log p(y | psi) without the mixtures' and the variances' priors."""
    point = density.at(psi)
    about = density.equations.moments.coordinates
    prior = normal_prior(density.rows, about, None, len(psi))
    return -0.5 * marginal_deviance(point.factor, point.sigma2, prior)


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_likelihoods_of_twins_with_slopes_are_the_same(
    twin: Twin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """About the covariates' centre a far origin moves nothing, and a unit one log sd."""
    monkeypatch.setattr(variances, "FAR", 0.0)
    formula = FORMULAS["crossed"]
    moved = twin.frame(plain_frame())
    normal: dict[str, Any] = {}
    for key, t in (("there", twin), ("here", Twin())):
        normal[key] = priors_of(t, flat=False) | {"beta[z]": f"normal(0, {2 * t.d / t.e!r})"}
    there = target(quietly(formula, moved, weights="w", priors=normal["there"]))
    here = target(quietly(formula, twin.back(moved), weights="w", priors=normal["here"]))
    psi = 0.4 * np.random.default_rng(62).normal(size=(3, here.dimension))
    # log sd of intercepts and slopes, atanh cor, log sd of h, log sigma
    log_d, log_c, log_v = np.log(twin.d), np.log(twin.c), np.log(twin.v)
    by_scale = np.array([log_d, log_d - log_c, 0.0, log_d, log_d + 0.5 * log_v])
    found = likelihood_part(there, psi + by_scale)
    np.testing.assert_allclose(found + len(moved) * log_d, likelihood_part(here, psi), rtol=RTOL)

"""The chain over the variance parameters, on densities with known moments."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import numpy as np
import pytest

import bayeslmm.engines.chain as chain_module
from bayeslmm.engines.chain import sample_chain
from bayeslmm.errors import FitError, MethodError

Floats = np.ndarray


@dataclass(frozen=True)
class Gaussian:
    mean: Floats
    covariance: Floats

    def __call__(self, psi: Floats) -> Floats:
        z = psi - self.mean
        return -0.5 * np.einsum("si,ij,sj->s", z, np.linalg.inv(self.covariance), z)

    def value_and_gradient(self, psi: Floats) -> tuple[float, Floats]:
        slope = -np.linalg.solve(self.covariance, psi - self.mean)
        return float(0.5 * (psi - self.mean) @ slope), slope


@dataclass(frozen=True)
class Funnel:
    """v ~ normal(0, 1), x | v ~ normal(0, exp(v/2)); no density beyond v = 4, raised or −inf."""

    def __call__(self, psi: Floats) -> Floats:
        v, x = psi[:, 0], psi[:, 1]
        return -0.5 * v**2 - 0.5 * v - 0.5 * x**2 * np.exp(-v)

    def value_and_gradient(self, psi: Floats) -> tuple[float, Floats]:
        if psi[0] > 4:
            return -np.inf, np.full(2, np.nan)
        v, x = psi
        slope = np.array([-v - 0.5 + 0.5 * x**2 * np.exp(-v), -x * np.exp(-v)])
        return float(self(psi[None])[0]), slope


CORRELATED = Gaussian(
    np.array([1.0, -2.0, 300.0]),
    np.array([[1.0, 1.6, 0.0], [1.6, 4.0, 0.003], [0.0, 0.003, 1e-4]]),
)


def run(density: Gaussian | Funnel, start: Floats, covariance: Floats, seed: int = 5) -> tuple:
    return sample_chain(density, start, covariance, draws=600, chains=4, tune=400, seed=seed)


def test_moments_of_a_correlated_gaussian() -> None:
    """Means, and squares, within 5 standard errors by the effective size; started off-centre."""
    sd = np.sqrt(np.diag(CORRELATED.covariance))
    draws, stats = run(CORRELATED, CORRELATED.mean + 0.5 * sd, 2 * CORRELATED.covariance)
    assert draws.shape == (4, 600, 3)
    z = ((draws - CORRELATED.mean) / sd).reshape(-1, 3)
    assert stats.min_ess > 400
    assert np.all(np.abs(z.mean(axis=0)) < 5 / np.sqrt(stats.min_ess))
    assert np.all(np.abs((z**2).mean(axis=0) - 1) < 5 * np.sqrt(2 / stats.min_ess))
    assert np.corrcoef(z.T)[0, 1] == pytest.approx(0.8, abs=5 * 0.36 / np.sqrt(stats.min_ess))
    assert stats.divergences == 0
    assert stats.max_rhat < 1.02
    assert all(value.shape == (4, 600) for value in stats.statistics.values())


def test_a_funnel_with_an_edge() -> None:
    """v is normal(0, 1) and E x² = exp(1/2), within 5 standard errors; the edge stops nothing."""
    draws, stats = run(Funnel(), np.array([-0.5, 0.0]), np.diag([1.0, 1.0]))
    v, x = draws[..., 0].ravel(), draws[..., 1].ravel()
    assert abs(v.mean()) < 5 / np.sqrt(stats.min_ess)
    assert abs((v**2).mean() - 1) < 5 * np.sqrt(2 / stats.min_ess)
    # Var x² = 3 exp(2) − exp(1)
    error = np.sqrt((3 * np.exp(2) - np.exp(1)) / stats.min_ess)
    assert abs((x**2).mean() - np.exp(0.5)) < 5 * error
    assert np.all(v <= 4)


def test_the_same_seed_gives_the_same_chain() -> None:
    one, two = (run(CORRELATED, CORRELATED.mean, CORRELATED.covariance)[0] for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_without_nutpie_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MethodError, match=r"bayeslmm\[nutpie\]"):
        run(CORRELATED, CORRELATED.mean, CORRELATED.covariance)


def test_a_chain_ends_with_its_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound, in the first chain or the last, there is an error and not another chain."""
    seen: list[Floats] = []

    class Counted(Gaussian):
        def value_and_gradient(self, psi: Floats) -> tuple[float, Floats]:
            seen.append(psi)
            return super().value_and_gradient(psi)

    density = Counted(np.zeros(2), np.eye(2))
    monkeypatch.setattr(chain_module, "MOST_STEPS", 2)
    with pytest.raises(FitError, match="NUTS took 400 gradients"):
        sample_chain(density, np.zeros(2), np.eye(2), draws=60, chains=2, tune=40, seed=1)
    assert len(seen) == 400 + 2


def test_nowhere_to_begin() -> None:
    nowhere = Gaussian(np.zeros(2), np.full((2, 2), np.inf))
    with pytest.raises(FitError, match="no point to start from"):
        sample_chain(nowhere, np.zeros(2), np.eye(2), draws=6, chains=1, tune=4, seed=1)

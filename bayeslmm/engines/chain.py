"""A Markov chain on the few variance parameters, where independent draws don't serve.

The No-U-Turn sampler of nutpie on the same density that method ``exact`` weights draws of, with
its exact gradient and no PyMC model: (beta, u) stay integrated out. Coordinates are centred on
the mode and scaled by the curvature there, so that the chain begins in a round posterior.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.errors import FitError, MethodError
from bayeslmm.linalg.mode import Density

Floats = NDArray[np.float64]
TARGET_ACCEPT = 0.9
VARIABLE = "z"
MOST_STEPS = 100  # gradients a draw, on average; a posterior near normal takes 7 to 31
USUAL_STEPS, LONG = 15, 10.0  # gradients a draw, and expected seconds, for progress to be shown


class OutOfDomain(ValueError):
    """A point without density; the sampler counts a divergence there and goes on."""

    is_recoverable = True


class Spent(RuntimeError):
    """The gradients that a chain may take are spent."""


@dataclass(frozen=True, slots=True)
class ChainStats:
    """How a chain went.

    Attributes
    ----------
    divergences : int
    max_rhat : float
        Largest rank-normalised split R-hat (Vehtari et al., 2021, Bayesian Analysis 16(2)).
    min_ess : float
        Smallest bulk or tail effective sample size, over coordinates.
    statistics : mapping of str to ndarray, each of shape (chains, draws)
        nutpie's own, one number a draw.
    """

    divergences: int
    max_rhat: float
    min_ess: float
    statistics: Mapping[str, NDArray[Any]]


def sample_chain(
    density: Density,
    start: Floats,
    covariance: Floats,
    *,
    draws: int,
    chains: int,
    tune: int,
    seed: int | None,
) -> tuple[Floats, ChainStats]:
    """Sample a log density by the No-U-Turn sampler.

    It takes `MOST_STEPS` gradients a draw at most, on average over all, and shows its progress
    where it is expected to take long.

    Parameters
    ----------
    density : Density
        Its `value_and_gradient` alone is used.
    start : ndarray, shape (d,)
        The mode, or a point near it.
    covariance : ndarray, shape (d, d)
        The posterior's covariance, roughly; positive definite.
    draws, chains, tune : int
        Kept draws a chain, chains, and steps of adaptation a chain.
    seed : int or None

    Returns
    -------
    draws : ndarray, shape (chains, draws, d)
    stats : ChainStats

    Raises
    ------
    MethodError
        nutpie is not installed.
    FitError
        The gradients are spent, or the density is nowhere finite about the start.
    """
    if importlib.util.find_spec("nutpie") is None:
        raise MethodError(
            "A chain over the variance parameters needs nutpie",
            hint="Install it by pip install 'bayeslmm[nutpie]'",
        )
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    factor = np.linalg.cholesky(covariance)
    d, total = len(start), chains * (draws + tune)
    budget = _Budget(density, MOST_STEPS * total)
    expected = USUAL_STEPS * total * budget.seconds(start)
    model = from_pyfunc(
        d,
        lambda: _log_density(budget, start, factor),
        lambda *seeds: _expand,
        [np.dtype(np.float64)],
        [(d,)],
        [VARIABLE],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = nutpie.sample(
                model, draws=draws, tune=tune, chains=chains, cores=1, seed=seed,
                progress_bar=expected > LONG, save_warmup=False, target_accept=TARGET_ACCEPT,
            )  # fmt: skip
        except RuntimeError as error:
            raise budget.failure() from error
    z = tree["posterior"][VARIABLE].values
    psi = start + z @ factor.T
    return psi, _stats(psi, tree["sample_stats"].dataset)


class _Budget:
    """A density whose gradients are counted, with a bound on them."""

    def __init__(self, density: Density, most: int) -> None:
        self.density, self.most, self.taken = density, most, 0

    def seconds(self, x: Floats) -> float:
        """Of one gradient, from two at x; the first may compile."""
        self.density.value_and_gradient(x)
        begin = time.perf_counter()
        self.density.value_and_gradient(x)
        return time.perf_counter() - begin

    def value_and_gradient(self, x: Floats) -> tuple[float, Floats]:
        self.taken += 1
        if self.taken > self.most:
            raise Spent("the gradients are spent")
        return self.density.value_and_gradient(x)

    def failure(self) -> FitError:
        """Why the sampler stopped."""
        if self.taken <= self.most:
            what = "NUTS found no point to start from: the density is not finite about the mode"
        else:
            what = (
                f"NUTS took {self.most} gradients of the variance parameters' density without "
                "finishing: their posterior is too irregular for it"
            )
        hint = (
            "Leave out random effects that the data do not determine, give tighter priors of the "
            "standard deviations, or use method 'nuts'"
        )
        return FitError(what, hint=hint)


def _log_density(
    density: _Budget, start: Floats, factor: Floats
) -> Callable[[Floats], tuple[float, Floats]]:
    """Value and gradient in the standardised coordinates z, psi = start + factor z."""

    def at(z: Floats) -> tuple[float, Floats]:
        value, gradient = density.value_and_gradient(start + factor @ z)
        if not (np.isfinite(value) and np.all(np.isfinite(gradient))):
            raise OutOfDomain("the density is zero at this point")
        return float(value), np.ascontiguousarray(factor.T @ gradient)

    return at


def _expand(z: Floats) -> dict[str, Floats]:
    return {VARIABLE: np.array(z)}


def _stats(psi: Floats, found: Any) -> ChainStats:
    """Divergences, R-hat and effective sizes of draws of shape (chains, draws, d)."""
    from arviz_stats.base import array_stats

    kept = {
        str(name): value.values
        for name, value in found.data_vars.items()
        if value.shape == psi.shape[:2] and value.dtype.kind in "biuf"
    }
    columns = [psi[:, :, j] for j in range(psi.shape[2])]
    rhat = [float(array_stats.rhat(column)) for column in columns]
    sizes = [
        float(array_stats.ess(column, method=method, prob=prob))
        for column in columns
        for method, prob in (("bulk", None), ("tail", (0.05, 0.95)))
    ]
    return ChainStats(
        divergences=int(np.sum(kept["diverging"])),
        max_rhat=max(rhat, default=1.0),
        min_ess=min(sizes, default=float(psi[..., 0].size if psi.size else 0)),
        statistics=kept,
    )

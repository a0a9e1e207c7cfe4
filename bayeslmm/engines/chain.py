"""A Markov chain on the few variance parameters, where independent draws don't serve.

The No-U-Turn sampler of nutpie on the same density that method ``exact`` weights draws of, with
its exact gradient and no PyMC model: (beta, u) stay integrated out. Coordinates are centred on
the mode and scaled by the curvature there, so that the chain begins in a round posterior.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.errors import MethodError
from bayeslmm.linalg.mode import Density

Floats = NDArray[np.float64]
TARGET_ACCEPT = 0.9
VARIABLE = "z"


class OutOfDomain(ValueError):
    """A point without density; the sampler counts a divergence there and goes on."""

    is_recoverable = True


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
    """
    if importlib.util.find_spec("nutpie") is None:
        raise MethodError(
            "A chain over the variance parameters needs nutpie",
            hint="Install it by pip install 'bayeslmm[nutpie]'",
        )
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    factor = np.linalg.cholesky(covariance)
    d = len(start)
    model = from_pyfunc(
        d,
        lambda: _log_density(density, start, factor),
        lambda *seeds: _expand,
        [np.dtype(np.float64)],
        [(d,)],
        [VARIABLE],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = nutpie.sample(
            model, draws=draws, tune=tune, chains=chains, cores=1, seed=seed,
            progress_bar=False, save_warmup=False, target_accept=TARGET_ACCEPT,
        )  # fmt: skip
    z = tree["posterior"][VARIABLE].values
    psi = start + z @ factor.T
    return psi, _stats(psi, tree["sample_stats"].dataset)


def _log_density(
    density: Density, start: Floats, factor: Floats
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

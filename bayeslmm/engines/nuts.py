"""Method ``nuts``: the PyMC hierarchical model, sampled by the No-U-Turn sampler."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from bayeslmm.engines.base import Engine
from bayeslmm.engines.contract import contract_dataset
from bayeslmm.engines.posteriors import improper
from bayeslmm.errors import ConvergenceWarning, MethodError, is_finite, nearest, warn
from bayeslmm.fit.tree import SAMPLE, FitValues, tree_of
from bayeslmm.graph import hierarchical
from bayeslmm.model import Model

SAMPLERS = {"nutpie": "nutpie", "pymc": "pymc", "numpyro": "numpyro", "blackjax": "blackjax"}
EXTRAS = ("nutpie", "numpyro")
RHAT_LIMIT = 1.01  # Vehtari et al., 2021, Bayesian Analysis 16(2)


class Nuts(Engine):
    """A Markov chain over all parameters; for every family and prior."""

    name: ClassVar[str] = "nuts"
    open_options: ClassVar[bool] = True

    def refuse(self, model: Model) -> str | None:
        return improper(model)

    def fit(
        self,
        model: Model,
        *,
        seed: int | None,
        draws: int,
        chains: int,
        sampler: str | None = None,
        tune: int = 1000,
        target_accept: float = 0.9,
        parametrisation: str | Mapping[str, str] = "auto",
        progress: bool = False,
        marginal: bool = False,
        **options: Any,
    ) -> FitValues:
        """Sample.

        Parameters
        ----------
        model : Model
        seed, draws, chains : int
        sampler : {"nutpie", "pymc", "numpyro", "blackjax"}, optional
            nutpie where it is installed, else PyMC's own.
        tune : int
            Steps of adaptation a chain.
        target_accept : float
            Higher means smaller steps and fewer divergences.
        parametrisation : str or mapping
            As in `to_pymc`.
        progress : bool
            Show the sampler's own progress.
        marginal : bool
            Reserved: integrating (beta, u) out inside PyMC is not part of this version.
        options : Any
            Handed on to `pymc.sample`.
        """
        import pymc as pm

        if marginal:
            hint = "method='exact' integrates (beta, u) out without PyMC"
            raise MethodError("marginal=True is not available in this version", hint=hint)
        name = _sampler(sampler)
        _check_sampling(tune, target_accept, options)
        with hierarchical(model, parametrisation), _quiet():
            tree = pm.sample(
                draws,
                tune=tune,
                chains=chains,
                random_seed=seed,
                nuts_sampler=name,
                target_accept=target_accept,
                progressbar=progress,
                compute_convergence_checks=False,
                **options,
            )
        posterior = contract_dataset(model, tree["posterior"].dataset)
        stats = _statistics(tree["sample_stats"].dataset)
        scalars, notes = _convergence(posterior, stats)
        whole = tree_of(model, posterior=posterior, sample_stats=stats)
        return FitValues("nuts", whole, scalars, (f"Sampled by {name}.", *notes))


def _check_sampling(tune: int, target_accept: float, options: Mapping[str, Any]) -> None:
    """Refuse what the sampler would only trip over after it has compiled."""
    import pymc as pm

    if not isinstance(tune, int | np.integer) or tune < 0:
        raise MethodError(
            "tune must be a whole number of steps", got=repr(tune), allowed="0 or more"
        )
    if not is_finite(target_accept) or not 0 < target_accept < 1:
        raise MethodError(
            "target_accept is a probability", got=repr(target_accept), allowed="(0, 1)"
        )
    parameters = inspect.signature(pm.sample).parameters.values()
    known = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    for option in options:
        if option not in known:
            raise MethodError(
                f"Method 'nuts' has no option {option!r}", hint=nearest(option, ["sampler", *known])
            )


def _sampler(name: str | None) -> str:
    if name is None:
        return "nutpie" if importlib.util.find_spec("nutpie") else "pymc"
    if name not in SAMPLERS:
        raise MethodError(f"Unknown sampler {name!r}", allowed=list(SAMPLERS))
    if importlib.util.find_spec(SAMPLERS[name]) is None:
        wanted = f"'bayeslmm[{name}]'" if name in EXTRAS else name
        raise MethodError(
            f"Sampler {name!r} is not installed", hint=f"pip install {wanted} brings it"
        )
    return name


@contextmanager
def _quiet() -> Iterator[None]:
    """Samplers log and warn about themselves; what matters is checked and said afterwards."""
    logger = logging.getLogger("pymc")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _statistics(stats: xr.Dataset) -> xr.Dataset:
    """Statistics that are one number a draw, booleans as integers (files hold no booleans)."""
    kept = stats[
        [name for name, value in stats.data_vars.items() if set(value.dims) == set(SAMPLE)]
    ]
    numeric = [n for n, v in kept.data_vars.items() if v.dtype.kind in "biuf"]
    out = kept[numeric].transpose(*SAMPLE)
    for name in numeric:
        if out[name].dtype.kind == "b":
            out[name] = out[name].astype(np.int8)
    out.attrs = {}
    return out


def _convergence(posterior: xr.Dataset, stats: xr.Dataset) -> tuple[dict[str, float], list[str]]:
    """Divergences and R-hat, told in words with a next step."""
    import arviz_stats

    divergences = int(stats["diverging"].sum()) if "diverging" in stats else 0
    filled = [name for name, value in posterior.data_vars.items() if value.size]
    rhat = arviz_stats.rhat(posterior[filled])
    worst = float(max(np.nanmax(value.values) for value in rhat.data_vars.values()))
    notes = []
    if divergences:
        total = posterior.sizes["chain"] * posterior.sizes["draw"]
        text = (
            f"{divergences} of {total} draws diverged: parts of the posterior may be missed. Raise "
            "target_accept, or use method='exact' where it serves."
        )
        notes.append(warn(text, ConvergenceWarning))
    if worst > RHAT_LIMIT:
        text = (
            f"The chains disagree: the largest R-hat is {worst:.3f}, and should be below "
            f"{RHAT_LIMIT}. Take more draws."
        )
        notes.append(warn(text, ConvergenceWarning))
    return {"divergences": float(divergences), "max_rhat": worst}, notes

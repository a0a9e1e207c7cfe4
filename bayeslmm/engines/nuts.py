"""Method ``nuts``: the PyMC hierarchical model, sampled by the No-U-Turn sampler."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from bayeslmm.engines.base import Engine
from bayeslmm.errors import ConvergenceWarning, MethodError, warn
from bayeslmm.fit.tree import SAMPLE, FitValues, tree_of
from bayeslmm.graph import hierarchical
from bayeslmm.model import Model
from bayeslmm.model.names import group_names

SAMPLERS = {"nutpie": "nutpie", "pymc": "pymc", "numpyro": "numpyro", "blackjax": "blackjax"}
RHAT_LIMIT = 1.01  # Vehtari et al., 2021, Bayesian Analysis 16(2)


class Nuts(Engine):
    """A Markov chain over all parameters; for every family and prior."""

    name: ClassVar[str] = "nuts"
    open_options: ClassVar[bool] = True

    def refuse(self, model: Model) -> str | None:
        return None

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
        options : Any
            Handed on to `pymc.sample`.
        """
        import pymc as pm

        name = _sampler(sampler)
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
        posterior = _contract_variables(model, tree["posterior"].dataset)
        stats = _statistics(tree["sample_stats"].dataset)
        scalars, notes = _convergence(posterior, stats)
        whole = tree_of(model, posterior=posterior, sample_stats=stats)
        return FitValues("nuts", whole, scalars, (f"Sampled by {name}.", *notes))


def _sampler(name: str | None) -> str:
    if name is None:
        return "nutpie" if importlib.util.find_spec("nutpie") else "pymc"
    if name not in SAMPLERS:
        raise MethodError(f"Unknown sampler {name!r}", allowed=list(SAMPLERS))
    if importlib.util.find_spec(SAMPLERS[name]) is None:
        raise MethodError(
            f"Sampler {name!r} is not installed", hint=f"pip install 'bayeslmm[{name}]' brings it"
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


def _contract_variables(model: Model, posterior: xr.Dataset) -> xr.Dataset:
    """The variables of the contract, in its order and dtype, without the sampler's own."""
    names = ["beta"]
    for g in group_names(model):
        names += [g.u, g.sd, *([g.cor] if g.pairs else [])]
    if not model.sigma_known:
        names.append("sigma")
    out = posterior[names].transpose(*SAMPLE, ...).astype(np.float64)
    out = out.drop_vars([c for c in out.coords if c not in out.dims])
    coords: dict[str, Any] = {"coef": list(model.design.coefs)}
    for g in group_names(model):
        coords |= g.coords()
    out.attrs = {}
    return out.assign_coords(coords)


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
    rhat = arviz_stats.rhat(posterior)
    worst = float(max(np.nanmax(value.values) for value in rhat.data_vars.values()))
    notes = []
    if divergences:
        text = (
            f"{divergences} of {posterior['beta'][..., 0].size} draws diverged: parts of the "
            "posterior may be missed. Raise target_accept, or use method='exact' where it serves."
        )
        notes.append(warn(text, ConvergenceWarning, stacklevel=5))
    if worst > RHAT_LIMIT:
        text = (
            f"The chains disagree: the largest R-hat is {worst:.3f}, and should be below "
            f"{RHAT_LIMIT}. Take more draws."
        )
        notes.append(warn(text, ConvergenceWarning, stacklevel=5))
    return {"divergences": float(divergences), "max_rhat": worst}, notes

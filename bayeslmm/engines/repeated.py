"""NUTS on the same model with one response after the other: compiled once."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr

from bayeslmm.engines.contract import contract_dataset
from bayeslmm.errors import ConvergenceWarning, MethodError, warn
from bayeslmm.graph import hierarchical
from bayeslmm.graph.response import typed
from bayeslmm.model import Model
from bayeslmm.model.names import group_names, response_name

LONGER = 4


def repeated_nuts(
    model: Model,
    *,
    draws: int = 250,
    chains: int = 4,
    tune: int = 500,
    target_accept: float = 0.95,
    parametrisation: str | Mapping[str, str] = "noncentred",
    effective: int = 200,
) -> Callable[[Model, int], xr.Dataset]:
    """A function from a model with another response (and a seed) to its posterior.

    Parameters
    ----------
    model : Model
    draws, chains, tune : int
    target_accept : float
    parametrisation : str or mapping
        As in `to_pymc`; it has to serve all responses.
    effective : int
        Effective draws of each parameter that are wanted: where there are fewer, the chains are
        run again, four times as long, and what is still missing is warned of.

    Raises
    ------
    MethodError
        nutpie isn't installed.
    """
    if importlib.util.find_spec("nutpie") is None:
        raise MethodError(
            "Sampling for many simulated responses needs nutpie, which compiles a model once",
            hint="Install it by pip install 'bayeslmm[nutpie]'",
        )
    import nutpie

    compiled = nutpie.compile_pymc_model(hierarchical(model, parametrisation))

    def posterior(there: Model, seed: int) -> xr.Dataset:
        here = compiled.with_data(**{f"{response_name(there)}_data": typed(there)})
        for length in (draws, LONGER * draws):
            tree = nutpie.sample(
                here, draws=length, chains=chains, tune=tune, seed=seed,
                target_accept=target_accept, progress_bar=False, cores=chains,
            )  # fmt: skip
            found = contract_dataset(there, tree["posterior"].to_dataset())
            reached = _effective(there, found)
            if reached >= effective:
                break
        _complain(int(tree["sample_stats"]["diverging"].sum()), reached, effective)
        return found

    return posterior


def _effective(model: Model, found: xr.Dataset) -> float:
    """The smallest effective sample size of all parameters except the random effects."""
    import arviz_stats

    effects = {g.u for m in (model, *model.dpars.values()) for g in group_names(m)}
    kept = [n for n, value in found.data_vars.items() if value.size and n not in effects]
    ess = arviz_stats.ess(found[kept])
    return float(min(np.nanmin(value.values) for value in ess.data_vars.values()))


def _complain(divergences: int, reached: float, wanted: int) -> None:
    if divergences:
        warn(
            f"{divergences} draws diverged; raise target_accept, for example "
            "target_accept=0.99, or give tighter priors.",
            ConvergenceWarning,
        )
    if reached < wanted:
        warn(
            f"Low effective sample size: {reached:.0f} for at least one parameter (aim: {wanted} "
            "or more); run more draws.",
            ConvergenceWarning,
        )

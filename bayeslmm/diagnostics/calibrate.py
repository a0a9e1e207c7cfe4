"""Simulation-based calibration of a method on a design (Talts et al., 2018, arXiv:1804.06788).

Parameters are drawn from the model's priors, data from the model at them, and the method is asked
for their posterior: over many data sets the rank of each true value among its posterior draws is
uniform, if the method is right. The log likelihood of the data is one of the quantities, because
it reveals errors that single parameters don't (Modrák et al., 2023, Bayesian Analysis).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from inspect import Parameter, signature
from itertools import repeat
from multiprocessing import get_context
from numbers import Integral
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayeslmm.diagnostics.calibration import Calibration
from bayeslmm.diagnostics.ranks import RANKS, Ranked, draw_data, rank
from bayeslmm.engines import ENGINES, choose
from bayeslmm.engines.repeated import repeated_nuts
from bayeslmm.errors import FitError, MethodError, check_seed, nearest
from bayeslmm.model import Model

__all__ = ["Calibration", "calibrate"]

DRAWS = 1000
FIRST = 2  # data sets from which the time of one is estimated
PATIENCE = 20.0  # seconds of work below which one process does it
MOST_FAILED = 0.5

Posterior = Callable[[Model, int], xr.Dataset]


def calibrate(
    model: Model,
    method: str = "exact",
    n: int = 500,
    *,
    seed: int | None = None,
    progress: bool = True,
    workers: int | None = None,
    **options: Any,
) -> Calibration:
    """Fit n data sets that are drawn from the model's prior, and rank the true values.

    The design and the priors are those of the model, as numbers; only the response is new.

    Parameters
    ----------
    model : Model
    method : {"exact", "nuts"}
    n : int
        Data sets, 2 at least.
    seed : int, optional
        The same seed gives the same ranks, whatever the number of workers.
    progress : bool
    workers : int, optional
        Number of processes for ``exact``. The default is one in a script and, in a notebook, one
        per core if the run is long enough. A script that uses more than one must keep its code
        under ``if __name__ == "__main__"``. ``nuts`` compiles the model once, in one process,
        and runs the chains in parallel.
    options : Any
        Of the method. ``nuts``: draws, chains, tune, target_accept, parametrisation.

    Returns
    -------
    Calibration

    Raises
    ------
    MethodError
        A method without draws, or not available for the model; improper priors, by name.
    FitError
        Most of the fits failed.
    """
    check_seed(seed)
    _check_count("n", n, 2)
    _check_count("workers", 1 if workers is None else workers, 1)
    if method not in ("exact", "nuts"):
        raise MethodError(
            "Calibration needs a method with posterior draws", got=method, allowed="exact, nuts"
        )
    job = _Job(model, method, options)
    job.check()
    children = np.random.SeedSequence(seed).spawn(n)
    draw_data(model, children[0])  # raises an error for improper priors before anything starts
    found = list(_run(job, children, progress, workers))
    failed = [r for r in found if r.failed]
    if len(failed) > MOST_FAILED * n:
        raise FitError(f"{len(failed)} of {n} fits failed; the first error: {failed[0].failed}")
    ranks = pd.DataFrame([r.ranks for r in found if not r.failed])
    return Calibration(ranks, RANKS, method, _notes(found, method))


@dataclass(frozen=True, slots=True)
class _Job:
    """What is calibrated."""

    model: Model
    method: str
    options: Mapping[str, Any]

    def check(self) -> None:
        """Raise an error for a method that is not available, or an unknown option."""
        choose(self.model, self.method)
        taken = repeated_nuts if self.method == "nuts" else ENGINES[self.method].fit
        known = [
            p.name
            for p in signature(taken).parameters.values()
            if p.kind is Parameter.KEYWORD_ONLY and p.name != "seed"
        ]
        for name in self.options:
            if name not in known:
                hint = nearest(name, known)
                raise MethodError(
                    f"Calibration of {self.method!r} has no option {name!r}", hint=hint
                )

    def posterior(self) -> Posterior:
        """From a model with another response, and a seed, to draws."""
        if self.method == "nuts":
            return repeated_nuts(self.model, **self.options)
        given = {"draws": DRAWS, "chains": 1} | dict(self.options)

        def fit(there: Model, seed: int) -> xr.Dataset:
            tree = ENGINES[self.method].fit(there, seed=seed, **given).tree
            return tree["posterior"].to_dataset()

        return fit


def _run(
    job: _Job, children: list[np.random.SeedSequence], progress: bool, workers: int | None
) -> Iterator[Ranked]:
    """Every data set's ranks, in order."""
    from rich.progress import Progress

    posterior = job.posterior()
    with Progress(disable=not progress) as bar:
        found = _ranked(job, posterior, children, workers)
        yield from bar.track(found, len(children), description=f"calibrating {job.method}")


def _ranked(
    job: _Job, posterior: Posterior, children: list[np.random.SeedSequence], workers: int | None
) -> Iterator[Ranked]:
    start = perf_counter()
    for child in children[:FIRST]:
        yield rank(job.model, posterior, child)
    rest = children[FIRST:]
    seconds = (perf_counter() - start) / FIRST * len(rest)
    count = 1 if job.method == "nuts" else workers or _processes(seconds)
    if count == 1 or not rest:
        for child in rest:
            yield rank(job.model, posterior, child)
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        size = max(1, len(rest) // (8 * count))
        yield from pool.map(_elsewhere, repeat(job), rest, chunksize=size)


def _elsewhere(job: _Job, child: np.random.SeedSequence) -> Ranked:
    return rank(job.model, job.posterior(), child)


def _processes(seconds: float) -> int:
    """As many as there are cores, where there is much to do and no script that each of them
    would run again from its beginning."""
    main = sys.modules["__main__"]
    script = hasattr(main, "__file__") or getattr(main, "__spec__", None) is not None
    if script or seconds < PATIENCE:
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_count(name: str, value: object, least: int) -> None:
    if not isinstance(value, Integral) or value < least:
        raise MethodError(
            f"{name} must be a whole number", got=repr(value), allowed=f"{least} or more"
        )


def _notes(found: list[Ranked], method: str) -> tuple[str, ...]:
    """Failures and warnings of the fits, each kind once with an example."""
    notes = []
    failed = [r.failed for r in found if r.failed]
    if failed:
        notes.append(
            f"{len(failed)} of {len(found)} fits by {method!r} failed and have no ranks; "
            f"the first error: {failed[0]}"
        )
    worried = [r.said for r in found if r.said]
    if worried:
        notes.append(
            f"{len(worried)} of {len(found)} fits by {method!r} gave warnings; the first: "
            f"{worried[0]}"
        )
    return tuple(notes)

"""Running a PyMC model under one of four samplers, and checking first what they would trip over."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import xarray as xr

from bayeslmm.errors import MethodError, is_finite, nearest
from bayeslmm.fit.tree import SAMPLE
from bayeslmm.linalg.compiled import one_blas_thread

Sampler = Literal["nutpie", "pymc", "numpyro", "blackjax"]

#: What each sampler needs to be installed, and the extra of ours that brings it, if one does.
SAMPLERS: dict[Sampler, tuple[str, str | None]] = {
    "nutpie": ("nutpie", "nutpie"),
    "pymc": ("pymc", None),
    "numpyro": ("numpyro", "numpyro"),
    "blackjax": ("blackjax", "blackjax"),
}


def run(
    built: Any, *, sampler: Sampler, draws: int, tune: int, chains: int, seed: int | None,
    target_accept: float, progress: bool, options: Mapping[str, Any],
) -> xr.DataTree:  # fmt: skip
    """`pymc.sample` on a model, its own logs and warnings kept quiet.

    Parameters
    ----------
    built : pm.Model
    sampler : str
        As `sampler_of` gives it.
    draws, tune, chains : int
    seed : int or None
    target_accept : float
    progress : bool
    options : mapping
        Further arguments of `pymc.sample`.
    """
    import pymc as pm

    with built, _quiet(), one_blas_thread():  # chains run side by side
        return pm.sample(
            draws,
            tune=tune,
            chains=chains,
            random_seed=seed,
            nuts_sampler=sampler,
            target_accept=target_accept,
            progressbar=progress,
            compute_convergence_checks=False,
            **options,
        )


def sampler_of(name: Sampler | None) -> Sampler:
    """The sampler that is meant: nutpie where it is installed and nothing is said, else PyMC's.

    Raises
    ------
    MethodError
        Unknown, or not installed, with the extra that brings it.
    """
    if name is None:
        return "nutpie" if importlib.util.find_spec("nutpie") else "pymc"
    if name not in SAMPLERS:
        raise MethodError(f"Unknown sampler {name!r}", allowed=list(SAMPLERS))
    module, extra = SAMPLERS[name]
    if importlib.util.find_spec(module) is None:
        raise MethodError(
            f"Sampler {name!r} is not installed",
            hint=f"Install it by pip install 'bayeslmm[{extra}]'",
        )
    return name


def check_sampling(tune: int, target_accept: float, options: Mapping[str, Any]) -> None:
    """Raise MethodError for settings that the sampler would only reject after compiling."""
    import pymc as pm

    if not isinstance(tune, int | np.integer) or tune < 0:
        raise MethodError(
            "tune must be a whole number of steps", got=repr(tune), allowed="0 or more"
        )
    if not is_finite(target_accept) or not 0 < target_accept < 1:
        raise MethodError(
            "target_accept must be a probability",
            got=repr(target_accept),
            allowed="between 0 and 1, both excluded",
        )
    parameters = inspect.signature(pm.sample).parameters.values()
    known = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    for option in options:
        if option not in known:
            raise MethodError(
                f"Method 'nuts' has no option {option!r}", hint=nearest(option, ["sampler", *known])
            )


def statistics(stats: xr.Dataset) -> xr.Dataset:
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


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the samplers' logs and warnings; their draws are checked afterwards."""
    logger = logging.getLogger("pymc")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

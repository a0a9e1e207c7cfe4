"""Mixed models seen as REML/BLUP, closed-form posterior, exact posterior and PyMC model.

The names below are loaded when they are first used: importing the package loads neither PyMC,
ArviZ nor matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayeslmm import errors as errors
    from bayeslmm import priors as priors
    from bayeslmm.api import Fit, Model, calibrate, load_fit, marginal_loglik, recover
    from bayeslmm.compare import compare_fits, shrinkage
    from bayeslmm.gallery import list_models, load_dataset, load_model
    from bayeslmm.plots import (
        plot_calibration,
        plot_fitted,
        plot_prior_predictive,
        plot_ranef,
        plot_shrinkage,
    )

_HOME = {
    "Fit": "bayeslmm.api",
    "Model": "bayeslmm.api",
    "calibrate": "bayeslmm.api",
    "load_fit": "bayeslmm.api",
    "marginal_loglik": "bayeslmm.api",
    "recover": "bayeslmm.api",
    "compare_fits": "bayeslmm.compare",
    "shrinkage": "bayeslmm.compare",
    "list_models": "bayeslmm.gallery",
    "load_dataset": "bayeslmm.gallery",
    "load_model": "bayeslmm.gallery",
    "plot_calibration": "bayeslmm.plots",
    "plot_fitted": "bayeslmm.plots",
    "plot_prior_predictive": "bayeslmm.plots",
    "plot_ranef": "bayeslmm.plots",
    "plot_shrinkage": "bayeslmm.plots",
}
_ROOMS = ("errors", "priors")

__all__ = [
    "Fit",
    "Model",
    "calibrate",
    "compare_fits",
    "errors",
    "list_models",
    "load_dataset",
    "load_fit",
    "load_model",
    "marginal_loglik",
    "plot_calibration",
    "plot_fitted",
    "plot_prior_predictive",
    "plot_ranef",
    "plot_shrinkage",
    "priors",
    "recover",
    "shrinkage",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"bayeslmm.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'bayeslmm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

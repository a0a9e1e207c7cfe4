"""Mixed models by REML and BLUP, as a closed-form or exact posterior, and as a PyMC model.

The names below are loaded when they are first used: importing the package loads neither PyMC,
ArviZ nor matplotlib.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayeslmm import errors as errors
    from bayeslmm import priors as priors
    from bayeslmm.api import (
        Fit,
        Model,
        blp,
        calibrate,
        compare_designs,
        design_criteria,
        estimable_functions,
        from_pymc,
        is_estimable,
        load_fit,
        marginal_loglik,
        new_data,
        oneway,
        optimal_design,
        recover,
        relationship,
    )
    from bayeslmm.compare.deviance_table import deviance_table
    from bayeslmm.compare.shrinkage import shrinkage
    from bayeslmm.compare.table import compare_fits
    from bayeslmm.errors import (
        BayeslmmError,
        BayeslmmWarning,
        ColumnError,
        ConvergenceWarning,
        DataError,
        DataWarning,
        FileError,
        FitError,
        FormulaError,
        GalleryError,
        IdentifiabilityError,
        IdentifiabilityWarning,
        LevelError,
        MethodError,
        ModelError,
        PriorError,
        PriorWarning,
        SingularWarning,
    )
    from bayeslmm.gallery import list_models, load_cells, load_dataset, load_model
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
    "blp": "bayeslmm.api",
    "calibrate": "bayeslmm.api",
    "compare_designs": "bayeslmm.api",
    "design_criteria": "bayeslmm.api",
    "estimable_functions": "bayeslmm.api",
    "from_pymc": "bayeslmm.api",
    "is_estimable": "bayeslmm.api",
    "load_fit": "bayeslmm.api",
    "marginal_loglik": "bayeslmm.api",
    "new_data": "bayeslmm.api",
    "oneway": "bayeslmm.api",
    "optimal_design": "bayeslmm.api",
    "recover": "bayeslmm.api",
    "relationship": "bayeslmm.api",
    "compare_fits": "bayeslmm.compare",
    "deviance_table": "bayeslmm.compare",
    "shrinkage": "bayeslmm.compare",
    "BayeslmmError": "bayeslmm.errors",
    "BayeslmmWarning": "bayeslmm.errors",
    "ColumnError": "bayeslmm.errors",
    "ConvergenceWarning": "bayeslmm.errors",
    "DataError": "bayeslmm.errors",
    "DataWarning": "bayeslmm.errors",
    "FileError": "bayeslmm.errors",
    "FitError": "bayeslmm.errors",
    "FormulaError": "bayeslmm.errors",
    "GalleryError": "bayeslmm.errors",
    "IdentifiabilityError": "bayeslmm.errors",
    "IdentifiabilityWarning": "bayeslmm.errors",
    "LevelError": "bayeslmm.errors",
    "MethodError": "bayeslmm.errors",
    "ModelError": "bayeslmm.errors",
    "PriorError": "bayeslmm.errors",
    "PriorWarning": "bayeslmm.errors",
    "SingularWarning": "bayeslmm.errors",
    "list_models": "bayeslmm.gallery",
    "load_cells": "bayeslmm.gallery",
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
    "BayeslmmError",
    "BayeslmmWarning",
    "ColumnError",
    "ConvergenceWarning",
    "DataError",
    "DataWarning",
    "FileError",
    "Fit",
    "FitError",
    "FormulaError",
    "GalleryError",
    "IdentifiabilityError",
    "IdentifiabilityWarning",
    "LevelError",
    "MethodError",
    "Model",
    "ModelError",
    "PriorError",
    "PriorWarning",
    "SingularWarning",
    "blp",
    "calibrate",
    "compare_designs",
    "compare_fits",
    "design_criteria",
    "deviance_table",
    "errors",
    "estimable_functions",
    "from_pymc",
    "is_estimable",
    "list_models",
    "load_cells",
    "load_dataset",
    "load_fit",
    "load_model",
    "marginal_loglik",
    "new_data",
    "oneway",
    "optimal_design",
    "plot_calibration",
    "plot_fitted",
    "plot_prior_predictive",
    "plot_ranef",
    "plot_shrinkage",
    "priors",
    "recover",
    "relationship",
    "shrinkage",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"bayeslmm.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(_without(name), name=name)


def _without(name: str) -> str:
    """The message for an unknown name, with the corresponding one where there is one."""
    owner = "module 'bayeslmm'"
    if name.startswith("_") or find_spec(f"bayeslmm.{name}") is not None:
        return f"{owner} has no attribute {name!r}"
    api = import_module("bayeslmm.api")
    others = api.places("model", api.Model) | api.places("fit", api.Fit)
    message: str = import_module("bayeslmm.counterparts").no_attribute(owner, name, __all__, others)
    return message


def __dir__() -> list[str]:
    return sorted(__all__)

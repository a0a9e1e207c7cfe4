"""Public functions of models: calibration, and conversion to and from PyMC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import xarray as xr

from bayeslmm.api.choices import Drawing
from bayeslmm.api.fit import Fit
from bayeslmm.api.model import Model
from bayeslmm.diagnostics import calibrate as calibrating
from bayeslmm.diagnostics.calibrate import Calibration
from bayeslmm.engines import recover as recovering
from bayeslmm.engines.sampled import of_tree
from bayeslmm.errors import ModelError
from bayeslmm.graph import marginal_loglik as marginal
from bayeslmm.graph import new_data as rows_for_pymc


def calibrate(
    model: Model,
    method: Drawing = "exact",
    n: int = 500,
    *,
    seed: int | None = None,
    progress: bool = True,
    workers: int | None = None,
    **options: Any,
) -> Calibration:
    """Simulation-based calibration of a method on a model's design and priors.

    Parameters
    ----------
    model : Model
    method : {"exact", "nuts"}
    n : int
        Number of data sets, each drawn from the prior and fitted.
    seed : int, optional
        The same seed gives the same ranks, whatever the number of workers.
    progress : bool
    workers : int, optional
        Number of processes; by default chosen from the expected run time.
    options : Any
        Of the method.

    Returns
    -------
    Calibration
        Ranks of the true values with the test of their uniformity; `plot_calibration` draws it.

    Raises
    ------
    MethodError
        A method without draws, or one that is not available for the model; improper priors.
    """
    return calibrating.calibrate(
        _inner(model), method, n, seed=seed, progress=progress, workers=workers, **options
    )


def recover(
    tree: xr.DataTree, model: Model, *, seed: int | None = None, memory: float = 1.0
) -> xr.DataTree:
    """Add exact draws of beta and u to a sample from ``model.to_pymc(marginal=True)``.

    Parameters
    ----------
    tree : DataTree
        With a group ``posterior``.
    model : Model
        The model that the marginal PyMC model was built from.
    seed : int, optional
    memory : float
        GiB available for draws of u; beyond it their means and covariances are kept.

    Returns
    -------
    DataTree
        The same groups, with ``beta`` and ``u_<g>`` in ``posterior``.

    Raises
    ------
    MethodError
        A model whose (beta, u) can't be integrated out in closed form.
    FitError
        A tree without the model's variance parameters.
    """
    return recovering.recover(_inner(model), tree, seed, memory)


def from_pymc(
    tree: xr.DataTree, model: Model, *, seed: int | None = None, memory: float = 1.0
) -> Fit:
    """A Fit from draws that PyMC sampled from ``model.to_pymc()``, marginal or not.

    Parameters
    ----------
    tree : DataTree
        The result of ``pm.sample()`` in ``model.to_pymc(...)``; other variables are left out.
    model : Model
        The model that the PyMC model was built from.
    seed : int, optional
        Of the draws of beta and u, for a sample from ``model.to_pymc(marginal=True)``.
    memory : float
        GiB available for those draws of u.

    Returns
    -------
    Fit
        Like a fit by ``method="nuts"``, with its tables, prediction, pictures and files.

    Raises
    ------
    FitError
        A tree without draws, or from another model.
    """
    inner = _inner(model)
    values = of_tree(inner, tree, seed, memory)
    found = replace(values, notes=(*inner.notes, *values.notes))
    return Fit(inner, found, holder=model)


def new_data(model: Model, data: Any) -> dict[str, Any]:
    """Arguments of `pymc.set_data` for new rows: ``pm.set_data(**new_data(model, data))``.

    Parameters
    ----------
    model : Model
    data : table
        The columns of the formula's right-hand side, with levels that the model has; the response
        where it is known.

    Returns
    -------
    dict
        ``new_data`` and ``coords``, the arguments of `pymc.set_data`. If the table has no
        response, it is NaN, or -1 for a count or a category, and has no log likelihood.

    Raises
    ------
    LevelError
        A level of a grouping factor that the model doesn't have.
    MethodError
        A model with structured residuals, whose likelihood is that of its training rows.
    """
    return rows_for_pymc(_inner(model), data)


def marginal_loglik(
    model: Model, roots: Mapping[str, Any], *, sigma: Any = None, multiplier: Any = None
) -> Any:
    """log p(y | covariances, sigma) with (beta, u) integrated out, for a PyMC model of your own.

    Use it in a `pm.Potential`; it has a gradient.

    Parameters
    ----------
    model : Model
        A Gaussian model, which defines y, X, Z and the priors of beta.
    roots : mapping of str to tensor, shape (k, k)
        By grouping factor, a root L of the covariance ``L L'`` of its coefficients.
    sigma : tensor, optional
        Residual standard deviation; omitted where it is known.
    multiplier : tensor, optional
        Precision multipliers of heavy-tailed coefficient priors; ones by default.

    Raises
    ------
    MethodError
        A missing or unknown factor, or a sigma that is missing or not allowed.
    """
    return marginal(_inner(model), roots, sigma=sigma, multiplier=multiplier)


def _inner(model: Model) -> Any:
    if not isinstance(model, Model):
        raise ModelError("A bayeslmm.Model is required", got=type(model).__name__)
    return model.resolved

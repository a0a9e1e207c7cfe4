"""What works on the models that users hold: calibration, and draws for collapsed runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import xarray as xr

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
    method: str = "exact",
    n: int = 500,
    *,
    seed: int | None = None,
    progress: bool = True,
    workers: int | None = None,
    **options: Any,
) -> Calibration:
    """Simulation-based calibration of a model's own design and priors.

    Parameters
    ----------
    model : Model
    method : {"exact", "nuts"}
    n : int
        Data sets, each drawn from the prior and fitted.
    seed : int, optional
        The same seed gives the same ranks, whatever the number of workers.
    progress : bool
    workers : int, optional
        Processes; by default as many as the work is worth.
    options : Any
        Of the method.

    Returns
    -------
    Calibration
        Ranks of the true values with the test of their uniformity; `plot_calibration` draws it.

    Raises
    ------
    MethodError
        A method without draws, or one that refuses the model; improper priors, by name.
    """
    return calibrating.calibrate(
        _inner(model), method, n, seed=seed, progress=progress, workers=workers, **options
    )


def recover(
    tree: xr.DataTree, model: Model, *, seed: int | None = None, memory: float = 1.0
) -> xr.DataTree:
    """Exact draws of beta and u for what was sampled from ``model.to_pymc(marginal=True)``.

    Parameters
    ----------
    tree : DataTree
        With a group ``posterior``.
    model : Model
        That the collapsed model was built from.
    seed : int, optional
    memory : float
        GiB that draws of u may take; past it their means and covariances are kept.

    Returns
    -------
    DataTree
        The same groups, with ``beta`` and ``u_<g>`` in ``posterior``.

    Raises
    ------
    MethodError
        A model whose (beta, u) can't be integrated out.
    FitError
        A tree without the model's variance parameters.
    """
    return recovering.recover(_inner(model), tree, seed, memory)


def from_pymc(
    tree: xr.DataTree, model: Model, *, seed: int | None = None, memory: float = 1.0
) -> Fit:
    """What PyMC sampled from ``model.to_pymc()``, hierarchical or collapsed, as a Fit.

    Parameters
    ----------
    tree : DataTree
        As ``pm.sample()`` gives it inside ``model.to_pymc(...)``; further variables are left out.
    model : Model
        That the PyMC model was built from.
    seed : int, optional
        For the draws of beta and u after a run of ``model.to_pymc(marginal=True)``.
    memory : float
        GiB that those draws of u may take.

    Returns
    -------
    Fit
        With its tables, prediction, pictures and files, as if by ``method="nuts"``.

    Raises
    ------
    FitError
        A tree without draws, or of another model.
    """
    inner = _inner(model)
    values = of_tree(inner, tree, seed, memory)
    found = replace(values, notes=(*inner.notes, *values.notes))
    return Fit(inner, found, holder=model)


def new_data(model: Model, data: Any) -> dict[str, Any]:
    """New rows for ``model.to_pymc()``, from raw columns: ``pm.set_data(**new_data(model, data))``.

    Parameters
    ----------
    model : Model
    data : table
        The columns of the formula's right-hand side, with levels that the model has; the response
        where it is known.

    Returns
    -------
    dict
        ``new_data`` and ``coords``, the arguments of `pymc.set_data`. A response that the table
        lacks is NaN, and -1 where it is a count or a category: its log likelihood is then none.

    Raises
    ------
    LevelError
        A level of a grouping factor that the model doesn't have.
    MethodError
        A model with structured residuals, whose likelihood is over its own rows.
    """
    return rows_for_pymc(_inner(model), data)


def marginal_loglik(
    model: Model, roots: Mapping[str, Any], *, sigma: Any = None, multiplier: Any = None
) -> Any:
    """log p(y | covariances, sigma) with (beta, u) integrated out, for a PyMC model of your own.

    Put it into a `pm.Potential`; its gradient comes with it.

    Parameters
    ----------
    model : Model
        Gaussian; it says what y, X and Z are, and the priors of beta.
    roots : mapping of str to tensor, shape (k, k)
        By grouping factor, a root L of the covariance ``L L'`` of its coefficients.
    sigma : tensor, optional
        Residual standard deviation; none where it is known.
    multiplier : tensor, optional
        Precision multipliers of heavy-tailed coefficient priors; ones where not given.

    Raises
    ------
    MethodError
        A factor that is missing or unknown, or a sigma too few or too many.
    """
    return marginal(_inner(model), roots, sigma=sigma, multiplier=multiplier)


def _inner(model: Model) -> Any:
    if not isinstance(model, Model):
        raise ModelError("A bayeslmm.Model is needed", got=type(model).__name__)
    return model.resolved

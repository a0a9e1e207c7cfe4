"""What works on the models that users hold: calibration, and draws for collapsed runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xarray as xr

from bayeslmm.api.model import Model
from bayeslmm.diagnostics import calibrate as calibrating
from bayeslmm.diagnostics.calibrate import Calibration
from bayeslmm.engines import recover as recovering
from bayeslmm.errors import ModelError
from bayeslmm.graph import marginal_loglik as marginal


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

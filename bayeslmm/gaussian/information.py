"""Information about beta: X'V⁻¹X at given variances, and with the prior's precision.

From the equations' elimination of the random columns, never an n x n matrix:

    X'V⁻¹X = (X'WX - X'WZ Lambda M⁻¹ Lambda'Z'WX) / sigma²

is the fixed columns' corner of what they leave (`solver.Reduced.tail`), whatever y is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.errors import PriorError
from bayeslmm.gaussian.equations import equations
from bayeslmm.gaussian.variances import Variances, lambdas_from_covariances
from bayeslmm.model import Model, prior_rows, unreachable

Floats = NDArray[np.float64]


def fixed_information(
    model: Model, columns: tuple[int, ...], variances: Variances | None = None
) -> Floats:
    """X'V⁻¹X, shape (p, p), in the users' coordinates.

    Parameters
    ----------
    model : Model
        Gaussian.
    columns : tuple of int, length p
        The fixed columns to take.
    variances : Variances, optional
        At one point; without them X'WX, least squares at sigma = 1 (the given standard
        deviations, where they are known).
    """
    if variances is None:
        X = model.design.X[:, columns] * np.sqrt(model.precision_weights)[:, None]
        return np.asarray(X.T @ X)
    system = equations(model, columns)
    about = system.moments.coordinates
    lambdas = lambdas_from_covariances(about, variances)
    corner = system.factor(lambdas, size=1).reduced.tail[0, :-1, :-1]
    half = np.linalg.solve(about.T.T, corner)
    information = np.linalg.solve(about.T.T, half.T) / variances.sigma[0] ** 2
    return np.asarray((information + information.T) / 2)


def prior_precision(model: Model, columns: tuple[int, ...]) -> Floats:
    """Precision of the normal priors of beta, shape (p, p); zero along flat coefficients.

    Raises
    ------
    PriorError
        A prior that is neither normal nor flat has no precision.
    """
    if unreachable(model) or len(prior_rows(model).heavy):
        raise PriorError(
            "Bayesian design criteria need normal or flat priors on the coefficients",
            hint="Change the priors, or leave out prior=True",
        )
    kept = prior_rows(model).on(columns)
    scaled = kept.rows / kept.scale[:, None]
    return np.asarray(scaled.T @ scaled)

"""What the engines without draws share: effects and covariances at given variances."""

from __future__ import annotations

import numpy as np

from bayeslmm.fit.tree import Components, Estimate
from bayeslmm.gaussian.equations import FactorPoint, solve
from bayeslmm.gaussian.posterior import covariance
from bayeslmm.gaussian.variances import Variances
from bayeslmm.model import Model

ROUNDING = 1e-20  # of the response's sum of squares


def nothing_left(model: Model, squares: float) -> bool:
    """Whether a residual sum of squares is zero up to the rounding of the response."""
    y = model.design.y - model.design.rows.offset
    return squares <= ROUNDING * float(np.einsum("i,i,i->", model.precision_weights, y, y))


def estimate_at(
    model: Model,
    factor: FactorPoint,
    variances: Variances,
    said: Components,
    inflation: float = 1.0,
) -> Estimate:
    """Beta and u with their covariances, from equations factored at one point.

    Parameters
    ----------
    model : Model
    factor : FactorPoint
    variances : Variances
        Where the equations were factored.
    said : Components
        What is said of the variance parameters.
    inflation : float
        Multiplies every covariance (a t posterior's variance over its scale).
    """
    effects = solve(factor)
    cov = covariance(factor, float(variances.sigma[0] ** 2) * inflation)
    return Estimate(
        columns=factor.equations.moments.columns,
        beta=effects.beta[0],
        beta_cov=cov.beta,
        u=tuple(u[0] for u in effects.u),
        u_cov=cov.u,
        u_beta_cov=cov.u_beta,
        u_cov_given_beta=cov.u_given_beta,
        said=said,
    )

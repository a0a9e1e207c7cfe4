"""Log likelihoods from the factored equations, S points at a time.

The formulas stand in the same letters as in `equations`. With `n`, `p`, `q` rows, fixed and
random columns (Bates et al., 2015, eqs 39-42, with the weights' constant added):

    ML    −2 l = 2 log|L_Z| + n (1 + log(2π rho²/n)) − Σ log w
    REML  −2 l = 2 log|L_Z| + 2 log|L_X| + (n−p) (1 + log(2π rho²/(n−p))) − Σ log w
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.equations import BetaPrior, Factor, FactorPoint
from bayeslmm.gaussian.solver import Blocks

Floats = NDArray[np.float64]
LOG_2PI = float(np.log(2 * np.pi))


def profiled_sigma2(factor: Factor, *, reml: bool) -> Floats:
    """The residual variance that maximises the (restricted) likelihood at Lambda, shape (S,)."""
    m = factor.equations.moments
    return factor.rho2 / (m.n - m.p if reml else m.n)


def deviance(factor: Factor, sigma2: Floats, *, reml: bool) -> Floats:
    """−2 log (restricted) likelihood at Lambda and sigma², beta maximised or flat, shape (S,)."""
    m = factor.equations.moments
    degrees = m.n - m.p if reml else m.n
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (
            2 * factor.log_det_z
            + degrees * (LOG_2PI + np.log(sigma2))
            + factor.rho2 / sigma2
            - m.sum_log_weight
        )
    return value + 2 * factor.log_det_x if reml else value


def marginal_deviance(factor: Factor, sigma2: Floats, prior: BetaPrior) -> Floats:
    """−2 log p(y | psi) with (beta, u) integrated out under the prior of beta, shape (S,).

    Flat coefficients count with density one. With r proper rows:
    n log(2π sigma²) + 2 log|L_Z| − Σ log w + r log 2π − log|P| − p log 2π − p log sigma²
    + 2 log|L_X| + rho²/sigma².
    """
    m = factor.equations.moments
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(
            2 * factor.log_det_z
            + 2 * factor.log_det_x
            + (m.n - m.p) * np.log(sigma2)
            + (m.n - m.p + prior.n_proper) * LOG_2PI
            - prior.log_determinant
            + factor.rho2 / sigma2
            - m.sum_log_weight
        )


def deviance_slopes(factor: FactorPoint, sigma2: float, *, reml: bool) -> Blocks:
    """Derivatives of `deviance` at one point with respect to every block's Lambda, (k, k) each.

    sigma² may be held or profiled: at its maximum the derivative is the same.
    """
    log_det_z, log_det_x, rho2 = factor.slopes()
    return tuple(
        2 * z + (2 * x if reml else 0.0) + r / sigma2
        for z, x, r in zip(log_det_z, log_det_x, rho2, strict=True)
    )


def marginal_slopes(factor: FactorPoint, sigma2: float, prior: BetaPrior) -> tuple[Blocks, float]:
    """Derivatives of `marginal_deviance` at one point: with respect to every block's Lambda,
    (k, k) each, and with respect to log sigma² at those Lambdas held fixed."""
    log_det_z, log_det_x, rho2 = factor.slopes()
    blocks = tuple(
        2 * z + 2 * x + r / sigma2 for z, x, r in zip(log_det_z, log_det_x, rho2, strict=True)
    )
    m = factor.equations.moments
    corner = prior.corner(np.array([sigma2]))[0]
    through_prior = np.sum(factor.inner_covariance * corner[:-1, :-1])
    through_rho = factor.v @ corner @ factor.v / sigma2
    own = m.n - m.p - float(factor.rho2[0]) / sigma2
    return blocks, float(own + through_prior + through_rho)

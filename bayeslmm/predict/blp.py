"""Best linear prediction of observations that correlate with the data.

For y with E y = X beta and Var y = V, and y0 with E y0 = X0 beta, Var y0 = V0 and
Cov(y, y0) = psi,

    delta = V⁻¹ psi,    H = X0 - delta'X,
    prediction = X0 b + delta'(y - X b),
    Var(prediction - y0) = V0 - psi'delta + H C H'.

Prior knowledge of beta enters by b and C alone:

    known             b = beta                              C = 0
    unknown           b = C X'V⁻¹y                          C = (X'V⁻¹X)⁻¹
    beta ~ N(m, B)    b = m + C X'V⁻¹(y - X m)              C = (B⁻¹ + X'V⁻¹X)⁻¹

Simple, universal (ordinary where X = 1) and Bayesian kriging are these three.

References
----------
Goldberger (1962), JASA 57:369-375; Christensen (2011), Plane Answers to Complex Questions,
theorem 6.3.4 and section 12.2 (the predictor takes delta', the transpose of delta = V⁻¹psi);
Omre & Halvorsen (1989), Mathematical Geology 21:767-786 (a prior on beta).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sla
from numpy.typing import NDArray

from bayeslmm.errors import DataError, IdentifiabilityError
from bayeslmm.linalg.positive import Solver

Floats = NDArray[np.float64]

_BROKEN = 1e-6  # a prediction variance this far below zero, relative to V0, is no rounding


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """First and second moments of data and of what is to be predicted.

    Attributes
    ----------
    y : ndarray, shape (n,)
    V : Solver
        Of Var y.
    psi : ndarray, shape (n, m)
        Cov(y, y0).
    X, X0 : ndarray, shapes (n, p) and (m, p)
        Of full column rank where `root` is None.
    V0 : ndarray, shape (m, m) or (m,), or None
        Var y0, or its diagonal.
    mean : ndarray, shape (p,)
        The prior mean of beta, or beta itself; zeros where nothing is known.
    root : ndarray, shape (p, r), or None
        B = root root' is the prior covariance of beta: with r = 0, beta is known; None where
        nothing is known.
    """

    y: Floats
    V: Solver
    psi: Floats
    X: Floats
    X0: Floats
    V0: Floats | None
    mean: Floats
    root: Floats | None


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """The result of `best_linear`; letters as at the top of this file.

    Attributes
    ----------
    prediction : ndarray, shape (m,)
    variance : ndarray, shape (m,), or None
        Of prediction - y0; None without V0.
    covariance : ndarray, shape (m, m), or None
        None unless all of V0 is given.
    delta : ndarray, shape (n, m)
        V⁻¹psi.
    weights : ndarray, shape (n, m)
        Lambda of `prediction = Lambda'y + (X0 - Lambda'X) mean`; the second part is zero where
        nothing is known of beta.
    beta : ndarray, shape (p,)
    beta_covariance : ndarray, shape (p, p)
    """

    prediction: Floats
    variance: Floats | None
    covariance: Floats | None
    delta: Floats
    weights: Floats
    beta: Floats
    beta_covariance: Floats


def best_linear(moments: Moments) -> Predicted:
    """The best linear prediction of y0 from y.

    Parameters
    ----------
    moments : Moments

    Returns
    -------
    Predicted

    Raises
    ------
    IdentifiabilityError
        Where X'V⁻¹X is not positive definite to rounding.
    DataError
        Where V, psi and V0 can't be covariances of one distribution.
    """
    g, p = moments, moments.X.shape[1]
    solved = g.V.solve(np.column_stack([g.X, g.psi, g.y - g.X @ g.mean]))
    VX, delta, Vr = solved[:, :p], solved[:, p:-1], solved[:, -1]
    C = _beta_covariance(g.X.T @ VX, g.root)
    beta = g.mean + C @ (g.X.T @ Vr)
    H = g.X0 - delta.T @ g.X
    HC = H @ C
    variance, covariance = _error_variance(g, delta, H, HC)
    return Predicted(
        prediction=g.X0 @ beta + delta.T @ (g.y - g.X @ beta),
        variance=variance,
        covariance=covariance,
        delta=delta,
        weights=delta + VX @ HC.T,
        beta=beta,
        beta_covariance=C,
    )


def _beta_covariance(A: Floats, root: Floats | None) -> Floats:
    """(B⁻¹ + A)⁻¹ with B = root root', A = X'V⁻¹X; without a B⁻¹ where root is None.

    As root (I + root'A root)⁻¹ root', which needs no B⁻¹ and holds where B is singular.
    """
    A = (A + A.T) / 2
    if root is None:
        return _inverse(A)
    inner = _inverse(np.eye(root.shape[1]) + root.T @ A @ root)
    return np.asarray(root @ inner @ root.T)


def _inverse(A: Floats) -> Floats:
    """Of a small positive definite matrix, by Cholesky, whatever the units of its rows."""
    if len(A) == 0:
        return A
    diagonal = np.diag(A)
    if not np.all(diagonal > 0):
        raise _not_positive()
    unit = 1 / np.sqrt(diagonal)
    try:
        factor = sla.cho_factor(A * np.outer(unit, unit), lower=True)
    except np.linalg.LinAlgError:
        raise _not_positive() from None
    out = sla.cho_solve(factor, np.diag(unit)) * unit[:, None]
    return np.asarray((out + out.T) / 2)


def _not_positive() -> IdentifiabilityError:
    return IdentifiabilityError(
        "X'V⁻¹X is not positive definite",
        hint="Check that V is positive definite, and X without nearly aliased columns",
    )


def _error_variance(
    g: Moments, delta: Floats, H: Floats, HC: Floats
) -> tuple[Floats | None, Floats | None]:
    """Variances and covariance of prediction - y0; what rounding leaves of a zero is zero."""
    if g.V0 is None:
        return None, None
    whole = g.V0.ndim == 2
    own = np.diag(g.V0) if whole else g.V0
    least = own - np.einsum("nm,nm->m", g.psi, delta)
    worst = int(np.argmin(least + _BROKEN * own))
    if least[worst] < -_BROKEN * own[worst]:
        raise DataError(
            "V, psi and V0 are not the covariances of one distribution: a prediction error "
            "variance is negative",
            got=f"V0 - psi'V⁻¹psi = {least[worst]:.4g} at prediction {worst}",
            hint="psi must be Cov(y, y0), which does not include the nugget of V",
        )
    zero = 8 * len(g.y) * np.finfo(float).eps * own
    variance = np.where(least > zero, least, 0.0) + np.einsum("mp,mp->m", H, HC)
    variance = np.where(variance > zero, variance, 0.0)
    if not whole:
        return variance, None
    covariance = g.V0 - g.psi.T @ delta + HC @ H.T
    covariance = (covariance + covariance.T) / 2
    np.fill_diagonal(covariance, variance)
    return variance, covariance

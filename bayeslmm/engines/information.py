"""Standard errors of variance parameters: the observed information on transformed scales.

Wald intervals are made for log sd and Fisher's z of a correlation and transformed back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.fit.covariances import sds_and_correlations
from bayeslmm.fit.tables import half_width
from bayeslmm.fit.tree import Interval
from bayeslmm.gaussian.equations import FactorPoint
from bayeslmm.gaussian.profile import Profile
from bayeslmm.gaussian.variances import Variances, covariances_from_lambdas, theta_slices
from bayeslmm.linalg.differences import jacobian
from bayeslmm.linalg.minimise import Minimum
from bayeslmm.model import Model
from bayeslmm.model.names import group_names

Floats = NDArray[np.float64]


def intervals(
    problem: Profile,
    found: Minimum,
    factor: FactorPoint,
    at: Variances,
    singular: tuple[int, ...],
) -> tuple[tuple[Interval, ...], tuple[Interval, ...], Interval | None]:
    """Sds and correlations of every block and sigma, with Wald intervals.

    Terms on the boundary have no standard errors (NaN); the others' are taken with those
    terms held where they are.
    """
    model = problem.model
    held = {j for i in singular for j in range(len(found.x))[theta_slices(model)[i]]}
    free = np.array([j for j in range(len(found.x)) if j not in held], dtype=np.intp)
    own = [] if model.sigma_known else [len(found.x)]
    taken = np.append(free, own).astype(np.intp)
    information = _information(problem, found, factor)[np.ix_(taken, taken)]
    point = np.append(found.x, np.log(at.sigma))

    def scales(points: Floats) -> Floats:
        """Log sds, Fisher's z of correlations and log sigma at (x, log sigma), free ones moved."""
        whole = np.broadcast_to(point, (len(points), len(point))).copy()
        whole[:, taken] = points
        sigma = np.exp(whole[:, -1])
        covs = list(
            covariances_from_lambdas(
                problem.equations.moments.coordinates, problem.lambdas(whole[:, :-1]), sigma
            )
        )
        for i in singular:
            term = model.terms[i]
            index = np.ix_(range(len(points)), term.columns, term.columns)
            covs[term.block][index] = at.covariances[term.block][
                np.ix_([0], term.columns, term.columns)
            ]
        parts = [sds_and_correlations(c, g) for c, g in zip(covs, group_names(model), strict=True)]
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = [np.concatenate([np.log(sd), np.arctanh(cor)], axis=1) for sd, cor in parts]
            return np.concatenate([*logs, np.log(sigma)[:, None]], axis=1)

    with np.errstate(invalid="ignore"):
        spread = _standard_errors(information, jacobian(scales, point[taken]))
    return _transform_back(model, at, spread)


def _information(problem: Profile, found: Minimum, factor: FactorPoint) -> Floats:
    """Observed information of (x, log sigma), shape (d + 1, d + 1).

    With s = log sigma², -2 l = a(x) + nu s + rho²(x) exp(-s); the profile's Hessian is what is
    left of this one's after s, so it is restored from it.
    """
    d = len(found.x)
    out = np.zeros((d + 1, d + 1))
    out[:d, :d] = found.hessian
    if not problem.model.sigma_known:
        by_rho = problem.chain(factor.slopes()[2]) / problem.sigma2(factor)
        out[:d, :d] += np.outer(by_rho, by_rho) / problem.degrees
        out[:d, d] = out[d, :d] = -2 * by_rho
        out[d, d] = 4 * problem.degrees
    return out / 2


def _standard_errors(information: Floats, slopes: Floats) -> Floats:
    """Delta method; NaN for what does not depend on the free coordinates."""
    values = np.linalg.eigvalsh(information) if len(information) else np.ones(0)
    if len(information) and (not np.all(np.isfinite(values)) or values.min() <= 0):
        return np.full(len(slopes), np.nan)
    inverse = np.linalg.inv(information)
    variance = np.einsum("oi,ij,oj->o", slopes, inverse, slopes)
    return np.where(variance > 0, np.sqrt(np.clip(variance, 0.0, None)), np.nan)


def _transform_back(
    model: Model, at: Variances, spread: Floats
) -> tuple[tuple[Interval, ...], tuple[Interval, ...], Interval | None]:
    half = half_width(None)
    sds, cors = [], []
    start = 0
    for g, cov in zip(group_names(model), at.covariances, strict=True):
        sd, cor = sds_and_correlations(cov[0], g)
        se_sd = spread[start : start + len(sd)]
        se_cor = spread[start + len(sd) : start + len(sd) + len(cor)]
        start += len(sd) + len(cor)
        sds.append(Interval(sd, sd * se_sd, sd * np.exp(-half * se_sd), sd * np.exp(half * se_sd)))
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.arctanh(cor)
        bounds = np.tanh(z - half * se_cor), np.tanh(z + half * se_cor)
        cors.append(Interval(cor, (1 - cor**2) * se_cor, *bounds))
    if model.sigma_known:
        return tuple(sds), tuple(cors), None
    s, se = at.sigma[0], spread[-1]
    sigma = Interval(
        np.asarray(s),
        np.asarray(s * se),
        np.asarray(s * np.exp(-half * se)),
        np.asarray(s * np.exp(half * se)),
    )
    return tuple(sds), tuple(cors), sigma

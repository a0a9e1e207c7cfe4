"""Standard errors of variance parameters: the observed information on transformed scales.

Wald intervals are made for log sd and Fisher's z of a correlation and transformed back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import Parameter, bounded, unbounded
from bayeslmm.fit.covariances import sds_and_correlations
from bayeslmm.fit.tables import half_width
from bayeslmm.fit.tree import Components, Interval
from bayeslmm.gaussian.equations import FactorPoint
from bayeslmm.gaussian.profile import Profile
from bayeslmm.gaussian.variances import Variances, covariances_from_lambdas, theta_slices
from bayeslmm.linalg.differences import jacobian
from bayeslmm.linalg.minimise import Minimum
from bayeslmm.model.names import group_names

Floats = NDArray[np.float64]


def intervals(
    problem: Profile,
    found: Minimum,
    factor: FactorPoint,
    at: Variances,
    singular: tuple[int, ...],
    at_limit: tuple[int, ...] = (),
    *,
    no_residual: bool = False,
) -> Components:
    """Sds, correlations and patterns' numbers of every block and the residuals', with Wald
    intervals.

    Terms on the boundary have no standard errors (NaN); the others' are taken with those
    terms held where they are. With `no_residual` sigma is on its boundary, and a standard
    deviation that is held at a multiple of it carries the scale.
    """
    model = problem.model
    held = set(at_limit) | {
        j for i in singular for j in range(len(found.x))[theta_slices(model)[i]]
    }
    free = np.array([j for j in range(len(found.x)) if j not in held], dtype=np.intp)
    own = [] if model.sigma_known else [len(found.x)]
    taken = np.append(free, own).astype(np.intp)
    information = _information(problem, found, factor)[np.ix_(taken, taken)]
    point = np.append(found.x, np.log(at.sigma))

    def scales(points: Floats) -> Floats:
        """Log sds, Fisher's z of correlations, patterns' free numbers, log sigmas and what else
        the residuals have, at (x, log sigma), free ones moved."""
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
            logs = [
                np.concatenate([np.log(sd), np.arctanh(cor), own], axis=1)
                for (sd, cor), own in zip(parts, _numbers(problem, whole[:, :-1]), strict=True)
            ]
            return np.concatenate([*logs, _residual(problem, whole)], axis=1)

    with np.errstate(invalid="ignore"):
        spread = standard_errors(information, jacobian(scales, point[taken]))
    if no_residual:
        strata = 1 if model.residual is None else model.residual.n_strata
        spread[len(spread) - _residual(problem, point[None]).shape[1] :][:strata] = np.nan
    return _transform_back(problem, point, at, spread)


def _numbers(problem: Profile, x: Floats) -> list[Floats]:
    """Free values of the patterns' numbers by block, shape (S, numbers) each."""
    model = problem.model
    theta = x[:, : len(problem.units)] * problem.units
    out: list[list[Floats]] = [[np.empty((len(x), 0))] for _ in model.design.blocks]
    for term, where in zip(model.terms, theta_slices(model), strict=True):
        values = term.structure.natural(theta[:, where], len(term.columns))
        out[term.block].append(unbounded(values, term.structure.parameters))
    return [np.concatenate(parts, axis=1) for parts in out]


def _residual(problem: Profile, whole: Floats) -> Floats:
    """Log sigma by stratum, and free values of the residuals' other numbers."""
    residual, log_sigma = problem.model.residual, whole[:, -1:]
    if residual is None:
        return log_sigma
    ratios, values, _ = residual.natural(whole[:, len(problem.units) : -1])
    return np.concatenate(
        [log_sigma + np.log(ratios), unbounded(values, residual.parameters)], axis=1
    )


def _information(problem: Profile, found: Minimum, factor: FactorPoint) -> Floats:
    """Observed information of (x, log sigma), shape (d + 1, d + 1).

    With s = log sigma², -2 l = a(x) + nu s + rho²(x) exp(-s); the profile's Hessian is what is
    left of this one's after s, so it is restored from it.
    """
    d = len(found.x)
    out = np.zeros((d + 1, d + 1))
    out[:d, :d] = found.hessian
    if not problem.model.sigma_known:
        by_rho = problem.chain(factor.slopes()[2], found.x) / problem.sigma2(factor)
        out[:d, :d] += np.outer(by_rho, by_rho) / problem.degrees
        out[:d, d] = out[d, :d] = -2 * by_rho
        out[d, d] = 4 * problem.degrees
    return out / 2


def standard_errors(information: Floats, slopes: Floats) -> Floats:
    """Delta method; NaN for what does not depend on the free coordinates."""
    if not np.all(np.isfinite(information)):
        return np.full(len(slopes), np.nan)
    values = np.linalg.eigvalsh(information) if len(information) else np.ones(0)
    if len(information) and values.min() <= 0:
        return np.full(len(slopes), np.nan)
    inverse = np.linalg.inv(information)
    variance = np.einsum("oi,ij,oj->o", slopes, inverse, slopes)
    return np.where(variance > 0, np.sqrt(np.clip(variance, 0.0, None)), np.nan)


def _transform_back(problem: Profile, point: Floats, at: Variances, spread: Floats) -> Components:
    """Intervals from standard errors on the transformed scales, in the order of `scales`."""
    model = problem.model
    rest = iter(np.arange(len(spread)))

    def take(count: int) -> Floats:
        return spread[[next(rest) for _ in range(count)]]

    sds, cors, pars = [], [], []
    numbers = _numbers(problem, point[None, :-1])
    for g, cov, own in zip(group_names(model), at.covariances, numbers, strict=True):
        sd, cor = sds_and_correlations(cov[0], g)
        sds.append(positive_interval(sd, take(len(sd))))
        cors.append(correlation_interval(cor, take(len(cor))))
        of_block = [t for t in model.terms if model.design.blocks[t.block].group == g.group]
        parameters = tuple(p for t in of_block for p in t.structure.parameters)
        pars.append(_within(own[0], take(own.shape[1]), parameters))
    residual = _residual(problem, point[None])[0]
    strata = 1 if model.residual is None else model.residual.n_strata
    sigma = np.exp(residual[:strata])
    found = positive_interval(sigma, take(strata))
    if model.strata is None:
        found = Interval(
            *(x[0] for x in (found.estimate, found.std_error, found.lower, found.upper))
        )
    own_par = None
    if model.residual is not None:
        parameters = model.residual.parameters
        own_par = _within(residual[strata:], take(len(parameters)), parameters)
    known = model.sigma_known
    return Components(tuple(sds), tuple(cors), tuple(pars), None if known else found, own_par)


def positive_interval(value: Floats, spread: Floats) -> Interval:
    half = half_width() * spread
    # for standard deviations that are zero or hardly identified
    with np.errstate(over="ignore", invalid="ignore"):
        return Interval(value, value * spread, value * np.exp(-half), value * np.exp(half))


def correlation_interval(value: Floats, spread: Floats) -> Interval:
    half = half_width() * spread
    with np.errstate(divide="ignore", invalid="ignore"):  # NaN on the boundary
        z = np.arctanh(value)
        return Interval(value, (1 - value**2) * spread, np.tanh(z - half), np.tanh(z + half))


def _within(free: Floats, spread: Floats, parameters: tuple[Parameter, ...]) -> Interval:
    """Numbers with bounds from their free values."""
    half = half_width() * spread
    step = 1e-6
    slope = (bounded(free + step, parameters)[0] - bounded(free - step, parameters)[0]) / (2 * step)
    lower, upper = bounded(free - half, parameters)[0], bounded(free + half, parameters)[0]
    return Interval(bounded(free, parameters)[0], slope * spread, lower, upper)

"""Standard errors of variance parameters: the observed information on transformed scales.

Wald intervals are made for log sd and Fisher's z of a correlation and transformed back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.fit.covariances import sds_and_correlations
from bayeslmm.fit.tables import half_width
from bayeslmm.fit.tree import Interval
from bayeslmm.gaussian.equations import factorise
from bayeslmm.gaussian.likelihood import deviance
from bayeslmm.gaussian.moments import Moments
from bayeslmm.gaussian.variances import Variances, read_psi, theta_slices, write_psi
from bayeslmm.linalg.differences import hessian, jacobian
from bayeslmm.model import Model
from bayeslmm.model.names import group_names

Floats = NDArray[np.float64]


def intervals(
    m: Moments, model: Model, at: Variances, singular: tuple[int, ...], *, reml: bool
) -> tuple[tuple[Interval, ...], tuple[Interval, ...], Interval | None]:
    """Sds and correlations of every block and sigma, with Wald intervals.

    Terms on the boundary have no standard errors (NaN); the others' are taken with those
    terms held where they are.
    """
    free, psi = _free_coordinates(model, at, singular)

    def full(points: Floats) -> tuple[tuple[Floats, ...], Floats]:
        """Covariances of the blocks and sigma at values of the free coordinates."""
        whole = np.broadcast_to(psi, (len(points), len(psi))).copy()
        whole[:, free] = points
        sigma = np.exp(whole[:, -1]) if not model.sigma_known else np.ones(len(points))
        read = read_psi(model, whole[:, : len(psi) - (not model.sigma_known)])
        covs = [f @ f.swapaxes(1, 2) for f in read.factors]
        for i in singular:
            term = model.terms[i]
            index = np.ix_(range(len(points)), term.columns, term.columns)
            covs[term.block][index] = at.covariances[term.block][
                np.ix_([0], term.columns, term.columns)
            ]
        return tuple(covs), sigma

    def minus_two_loglik(points: Floats) -> Floats:
        covs, sigma = full(points)
        roots = tuple(_root(c) / sigma[:, None, None] for c in covs)
        return deviance(factorise(m, roots, sigma**2), sigma**2, reml=reml)

    def scales(points: Floats) -> Floats:
        covs, sigma = full(points)
        parts = [sds_and_correlations(c, g) for c, g in zip(covs, group_names(model), strict=True)]
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = [np.concatenate([np.log(sd), np.arctanh(cor)], axis=1) for sd, cor in parts]
            return np.concatenate([*logs, np.log(sigma)[:, None]], axis=1)

    x = psi[free]
    with np.errstate(invalid="ignore"):
        spread = _standard_errors(hessian(minus_two_loglik, x) / 2, jacobian(scales, x))
    return _transform_back(model, at, spread)


def _free_coordinates(
    model: Model, at: Variances, singular: tuple[int, ...]
) -> tuple[NDArray[np.intp], Floats]:
    psi = write_psi(model, at, floor=1e-8)
    held = {j for i in singular for j in range(*theta_slices(model)[i].indices(len(psi)))}
    if not model.sigma_known:
        psi = np.append(psi, np.log(at.sigma[0]))
    free = np.array([j for j in range(len(psi)) if j not in held], dtype=np.intp)
    return free, psi


def _root(covariance: Floats) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.clip(values, 0.0, None))[:, None, :])


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

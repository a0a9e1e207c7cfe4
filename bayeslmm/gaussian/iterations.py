"""The iterations of the textbooks for ML and REML, one step a function.

*EM* (Laird & Ware, 1982, Biometrics 38(4); Searle, Casella & McCulloch, 1992,
sec. 8.3): u is the missing data, and with REML beta too. From Omega = Var(u_j), sigma² to

    Omega_new  = (1/J) sum_j [ E(u_j|y) E(u_j|y)' + Var(u_j|y) ]
    sigma²_new = (1/n) [ e'We + sigma² (q - tr M⁻¹) ],     e = y - X beta - Z E(u|y)

with beta its generalised least squares value and Var(u_j|y) taken given beta for ML; with the
uncertainty of beta in Var(u_j|y), and q + p for q, for REML.

*Alternating*: beta given V, then the variances given beta, in turn until both rest (the
zigzag that Oberhofer & Kmenta, 1974, Econometrica 42(3), prove convergent). For REML beta is
not a number but its distribution given V, N(b, C), over which the second step's deviance is
averaged: `log|V| + (y - Xb)'V⁻¹(y - Xb) + tr C X'V⁻¹X`, an EM algorithm with beta alone missing.

Neither lets the (restricted) likelihood fall. Lindstrom & Bates (1988, J. Am. Stat. Assoc.
83(404)) compare EM with Newton's method, which the default is akin to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.equations import Equations, FactorPoint
from bayeslmm.gaussian.likelihood import LOG_2PI, deviance
from bayeslmm.gaussian.variances import (
    Variances,
    covariances_from_lambdas,
    lambdas_from_covariances,
)
from bayeslmm.linalg.minimise import minimise
from bayeslmm.model import Model, Term

Floats = NDArray[np.float64]
KNOWN = ("us", "diag", "id")
ROUNDING = 1e-12  # of the deviance: a change below it is none
SLACK = 1e-8  # of the deviance: a rise above it is no rounding, nor an inner optimum's


@dataclass(frozen=True, slots=True, eq=False)
class Here:
    """A point of the variances, with the equations factored there.

    Attributes
    ----------
    variances : Variances
    factor : FactorPoint
    deviance : float
    """

    variances: Variances
    factor: FactorPoint
    deviance: float


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A model's equations and the likelihood that is climbed.

    Attributes
    ----------
    model : Model
    equations : Equations
        Of the unaliased fixed columns.
    reml : bool
    """

    model: Model
    equations: Equations
    reml: bool

    def at(self, variances: Variances) -> Here:
        """Factor the equations at given variances."""
        about = self.equations.moments.coordinates
        factor = self.equations.at(lambdas_from_covariances(about, variances))
        value = deviance(factor, variances.sigma**2, reml=self.reml)
        return Here(variances, factor, float(value[0]))


Step = Callable[[Problem, Here], Variances]


def em_step(problem: Problem, here: Here) -> Variances:
    """One step of EM for every term's Omega and for sigma²."""
    factor, model = here.factor, problem.model
    m = factor.equations.moments
    sigma2 = float(here.variances.sigma[0] ** 2)
    found = factor.point.inverse()
    squares, trace = float(factor.rho2[0]), 0.0
    q = m.q + (m.p if problem.reml else 0)
    covariances = []
    for i, (levels, _) in enumerate(m.sizes):
        own, solutions = found.own[i], found.solutions[i]
        mean = solutions @ factor.v  # E(b_j | y), with u = C Lambda b
        spread = own.sum(axis=0)
        if problem.reml:
            by_beta = solutions[:, :, :-1]
            spread = spread + np.einsum("jap,pq,jbq->ab", by_beta, factor.inner_covariance, by_beta)
        squares -= float(np.sum(mean**2))
        trace += float(np.trace(spread))
        outer = m.coordinates.blocks[i] @ factor.lambdas[i][0]
        moment = (mean.T @ mean + sigma2 * spread) / levels
        covariances.append(_structured(model, i, outer @ moment @ outer.T)[None])
    sigma = here.variances.sigma
    if not model.sigma_known:
        sigma = np.sqrt(np.array([(squares + sigma2 * (q - trace)) / m.n]))
    return Variances(tuple(covariances), sigma)


def alternating_step(problem: Problem, here: Here) -> Variances:
    """The variances that are best for the beta that was best for V."""
    m = problem.equations.moments
    n, known = m.n, problem.model.sigma_known
    weight = np.outer(here.factor.v, here.factor.v)
    if problem.reml:
        weight[:-1, :-1] += here.variances.sigma[0] ** 2 * here.factor.inner_covariance
    basis, lower = _basis(problem)

    def lambdas(x: Floats) -> tuple[Floats, ...]:
        return tuple(np.einsum("d,dij->ij", x, b)[None] for b in basis)

    def sigma2_of(factor: FactorPoint) -> float:
        return 1.0 if known else float(np.sum(weight * factor.reduced.tail[0])) / n

    def given_beta(x: Floats) -> tuple[float, Floats]:
        """-2 log N(y; X beta, V), sigma² at its best, and its gradient by x."""
        factor = problem.equations.at(lambdas(x))
        squares, sigma2 = float(np.sum(weight * factor.reduced.tail[0])), sigma2_of(factor)
        if not (np.isfinite(sigma2) and sigma2 > 0):
            return np.inf, np.zeros_like(x)
        value = 2 * float(factor.log_det_z[0]) + n * (LOG_2PI + np.log(sigma2)) + squares / sigma2
        found = factor.point.slopes(weight[None])
        slope = np.zeros_like(x)
        for b, by_det, by_tail in zip(basis, found.log_det, found.tails, strict=bool(basis)):
            slope += np.einsum("dij,ij->d", b, 2 * by_det + by_tail[0] / sigma2)
        return value - m.sum_log_weight, slope

    found = minimise(given_beta, _root(problem, here, basis), lower)
    best = lambdas(found.x)
    sigma = np.sqrt(np.array([sigma2_of(problem.equations.at(best))]))
    return Variances(covariances_from_lambdas(m.coordinates, best, sigma), sigma)


STEPS: dict[str, Step] = {"em": em_step, "alternating": alternating_step}


def iterate(
    problem: Problem, start: Variances, step: Step, *, limit: int, tolerance: float
) -> tuple[list[Here], bool]:
    """Every point on the way, and whether the last one is the end of it.

    Steps of a linearly convergent algorithm shrink by a ratio r, so that after one of size d
    d r/(1-r) is still to come (Aitken); the iterations end when that is below `tolerance`.

    Parameters
    ----------
    problem : Problem
    start : Variances
        Off the boundary, which EM can't leave.
    step : callable
    limit : int
        Most steps.
    tolerance : float
        Of the deviance.
    """
    path = [problem.at(start)]
    last = np.nan
    for _ in range(limit):
        path.append(problem.at(step(problem, path[-1])))
        fall = path[-2].deviance - path[-1].deviance
        size = max(1.0, abs(path[-1].deviance))
        if not fall > ROUNDING * size:
            return path, bool(fall >= -SLACK * size)
        ratio = fall / last
        if ratio < 1 and fall * ratio / (1 - ratio) < tolerance:
            return path, True
        last = fall
    return path, False


def _structured(model: Model, block: int, covariance: Floats) -> Floats:
    """The part of a block's covariance that its terms' structures have."""
    out = np.zeros_like(covariance)
    for term in model.terms:
        if term.block == block:
            index = np.ix_(term.columns, term.columns)
            own = covariance[index]
            if term.structure.name == "diag":
                own = np.diag(np.diag(own))
            elif term.structure.name == "id":
                own = np.mean(np.diag(own)) * np.eye(len(own))
            out[index] = own
    return out


def _basis(problem: Problem) -> tuple[tuple[Floats, ...], Floats]:
    """Derivatives of every block's Lambda, (d, k, k), by numbers of which it is a linear
    function, and those numbers' lower bounds."""
    about = problem.equations.moments.coordinates
    entries: list[tuple[int, Floats]] = []
    lower: list[float] = []
    for term in problem.model.terms:
        for inner, on_diagonal in _directions(term, about.blocks[term.block]):
            entries.append((term.block, inner))
            lower.append(0.0 if on_diagonal else -np.inf)
    basis = [np.zeros((len(entries), *C.shape)) for C in about.blocks]
    for d, (block, inner) in enumerate(entries):
        basis[block][d] = inner
    return tuple(basis), np.array(lower)


def _directions(term: Term, C: Floats) -> list[tuple[Floats, bool]]:
    """A term's directions in its block, and whether each is a diagonal's."""
    columns = term.columns
    if term.structure.name == "id":
        whole = np.zeros_like(C)
        index = np.ix_(columns, columns)
        inverse = np.linalg.inv(C[index])
        whole[index] = inverse / np.linalg.norm(inverse, 2)
        return [(whole, True)]
    free = term.structure.name == "us"
    out = []
    for i, row in enumerate(columns):
        for column in columns[: i + 1] if free else (row,):
            one = np.zeros_like(C)
            one[row, column] = 1.0
            out.append((one, row == column))
    return out


def _root(problem: Problem, here: Here, basis: tuple[Floats, ...]) -> Floats:
    """The numbers at a point: the basis's own Lambda is lower triangular within a term."""
    out = np.zeros(len(basis[0]) if basis else 0)
    for factor, b in zip(here.factor.lambdas, basis, strict=True):
        R = np.linalg.qr(factor[0].T, mode="r")
        lower = R.T * np.where(np.diag(R) < 0, -1.0, 1.0)
        norms = np.einsum("dij,dij->d", b, b)
        along = np.einsum("dij,ij->d", b, lower)
        out += np.where(norms > 0, along / np.where(norms > 0, norms, 1.0), 0.0)
    return out

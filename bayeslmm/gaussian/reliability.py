"""Information about each level's effects, and the reliability of their coefficients.

At estimated variances the mixed-model equations give every level's conditional mean and
covariance, here of the effects that the priors are on (at the centre of their covariates, or the
user's). With Sigma the effects' covariance and PEV a level's prediction error variance,

    information D = PEV⁻¹ - Sigma⁻¹,        reliability = 1 - PEV_cc / Sigma_cc

(Henderson, 1975, Biometrics 31(2), for PEV; of one-way designs D = n_j/sigma², whatever Sigma).
Given beta, `u_j ~ N((D + Sigma⁻¹)⁻¹ e_j(beta), (D + Sigma⁻¹)⁻¹)`, with e_j linear in beta. The
factor of the most levels is taken given the effects of all others too: nested and crossed
factors share what the rows say, and so it is said of one of them only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.equations import FactorPoint, solve
from bayeslmm.gaussian.moments import Moments
from bayeslmm.gaussian.profile import Profile, profile
from bayeslmm.linalg.minimise import minimise
from bayeslmm.model import Model, effects_map

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST = 0.3  # of a relative sd, in units of the residual's: information needs some variance
SHRUNK = 0.9  # of covariances at the edge, for the same reason
PATIENCE = 1.0  # seconds that estimating the variances may take


@dataclass(frozen=True, slots=True, eq=False)
class Meeting:
    """How e_j depends on another factor's effects: by pair of levels that meet in some row.

    Attributes
    ----------
    block : int
        The other factor.
    own, other : ndarray of int64, shape (pairs,)
        Levels.
    values : ndarray, shape (pairs, k, k_other)
        Weighted cross-products of the two factors' covariates over sigma².
    """

    block: int
    own: Ints
    other: Ints
    values: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """Information about a factor's effects.

    Attributes
    ----------
    information : ndarray, shape (J, k, k)
        D, of the effects that the priors are on.
    linear : ndarray, shape (J, k)
        e_j where beta is zero.
    by_beta : ndarray, shape (J, k, p)
        e_j = linear - by_beta @ beta (less what the other factors' effects take); p the
        model's columns.
    others : tuple of Meeting
        Of the factors whose effects it is given.
    reliability : ndarray, shape (J, k)
        From 0, where the rows say nothing of a coefficient, to 1; given beta and variances.
    """

    information: Floats
    linear: Floats
    by_beta: Floats
    others: tuple[Meeting, ...]
    reliability: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Estimated:
    """A model at estimated variances, moved off the edge of their range.

    Attributes
    ----------
    beta : ndarray, shape (p,)
        Of the unaliased columns.
    u : tuple of ndarray, each of shape (J, k)
    said : tuple of Said
        In the order of the design's blocks.
    """

    beta: Floats
    u: tuple[Floats, ...]
    said: tuple[Said, ...]


def estimated(model: Model) -> Estimated:
    """Information about every factor's effects, at REML estimates of the variances.

    Parameters
    ----------
    model : Model
        Gaussian, identity link.
    """
    problem = profile(model, reml=True)
    x = _estimates(problem)
    sigma2 = problem.sigma2(problem.at(x))
    factor = problem.at(_inside(problem, x))
    found = solve(factor)
    of = _Saying(model, factor, sigma2)
    finest = max(range(len(model.design.blocks)), key=lambda i: model.design.blocks[i].n_levels)
    said = tuple(
        of.given_all(i) if i == finest and len(model.design.blocks) > 1 else of.given_beta(i)
        for i in range(len(model.design.blocks))
    )
    return Estimated(found.beta[0], tuple(u[0] for u in found.u), said)


def _estimates(problem: Profile) -> Floats:
    """REML estimates; the moments' where the likelihood would take long."""
    start = problem.start()
    if 30 * problem.equations.solver.seconds > PATIENCE:
        return start
    curvature = problem.curvature(start)
    return minimise(problem, start, problem.lower, curvature, boundary=problem).x


def _inside(problem: Profile, x: Floats) -> Floats:
    on_diagonal = problem.identity > 0
    return np.where(on_diagonal, np.maximum(x, LEAST), SHRUNK * x)


class _Saying:
    """The parts of a factored point that are asked for by factor, in users' units."""

    def __init__(self, model: Model, factor: FactorPoint, sigma2: float) -> None:
        self.model = model
        self.factor = factor
        self.sigma2 = sigma2
        self.moments: Moments = factor.equations.moments
        about = self.moments.coordinates
        # from the room's effects to those that the priors are on
        self.blocks = tuple(
            np.linalg.solve(effects_map(model, i), C) for i, C in enumerate(about.blocks)
        )
        inverse = factor.point.inverse()
        self.outer = tuple(C @ f[0] for C, f in zip(self.blocks, factor.lambdas, strict=False))
        self.sigmas = tuple(sigma2 * outer @ outer.T for outer in self.outer)
        self.pevs = tuple(
            sigma2 * outer @ own @ outer.T
            for outer, own in zip(self.outer, inverse.own, strict=True)
        )
        self.solutions = inverse.solutions

    def given_beta(self, i: int) -> Said:
        """D from PEV, all other effects integrated out."""
        precision = np.linalg.inv(self.sigmas[i])
        values, vectors = np.linalg.eigh(np.linalg.inv(self.pevs[i]) - precision)
        D = (vectors * np.maximum(values, 0.0)[:, None, :]) @ vectors.swapaxes(1, 2)
        found = self.outer[i] @ self.solutions[i]
        return self._said(i, D, (D + precision) @ found, ())

    def given_all(self, i: int) -> Said:
        """D and e from the rows of the level alone, all other effects given."""
        m = self.moments
        back = np.linalg.inv(self.blocks[i])
        D = back.T @ m.zz[i] @ back / self.sigma2
        meetings = tuple(self._meeting(i, o) for o in range(len(m.zz)) if o != i)
        return self._said(i, D, back.T @ m.zf[i] / self.sigma2, meetings)

    def _said(self, i: int, D: Floats, inner: Floats, others: tuple[Meeting, ...]) -> Said:
        """`inner`, shape (J, k, m), is e of the room's fixed columns and of the response."""
        about = self.moments.coordinates
        by_kept = inner[:, :, :-1] @ np.linalg.inv(about.T)
        linear = inner[:, :, -1] + by_kept @ about.shift
        own = np.einsum("jaa->ja", self.pevs[i]) / np.diag(self.sigmas[i])
        return Said(D, linear, self._columns(by_kept), others, np.clip(1.0 - own, 0.0, 1.0))

    def _columns(self, by_kept: Floats) -> Floats:
        """From the unaliased columns to the model's: an aliased one is a sum of others."""
        coefs = self.model.design.coefs
        kept = {coefs[c]: by_kept[:, :, at] for at, c in enumerate(self.moments.columns)}
        for name, combination in self.model.aliasing.aliased.items():
            parts = [value * kept[other] for other, value in combination.items()]
            kept[name] = sum(parts, np.zeros(by_kept.shape[:2]))
        columns = [kept[coefs[c]] for c in self.model.columns]
        return np.stack(columns, axis=2) if columns else np.zeros((*by_kept.shape[:2], 0))

    def _meeting(self, i: int, o: int) -> Meeting:
        pairs = next(p for p in self.moments.pairs if {p.a, p.b} == {i, o})
        about = self.moments.coordinates
        back_a, back_b = (
            np.linalg.inv(self.blocks[x] if x == i else about.blocks[x]) for x in (pairs.a, pairs.b)
        )
        values = back_a.T @ pairs.values @ back_b / self.sigma2
        if pairs.a == i:
            return Meeting(o, pairs.rows, pairs.other, values)
        return Meeting(o, pairs.other, pairs.rows, values.swapaxes(1, 2))

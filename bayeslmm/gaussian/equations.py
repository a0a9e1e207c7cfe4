"""One factorisation of the mixed-model equations serves likelihood, posterior and draws.

With `G = sigma² Lambda Lambda'` and `u = Lambda b`, the matrix

    [Lambda'Z'WZ Lambda + I   Lambda'Z'WX        Lambda'Z'Wy          ]
    [          .              X'WX + sigma² P    X'Wy + sigma² P m    ]
    [          .                    .            y'Wy + sigma² m'P m  ]  =  L L'

is factored with the random columns first (a solver's work, see `solver`), then what they leave
of the fixed columns and the response (Henderson, 1953; Bates et al., 2015, J. Stat. Softw.
67(1), sec. 3). G is never inverted, so a singular Lambda is as good as any other. Arrays have
a leading batch axis S: one point of the variance parameters each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.crossed import Crossed, crossed
from bayeslmm.gaussian.layout import NO_KIN, Kin
from bayeslmm.gaussian.moments import Moments, moments
from bayeslmm.gaussian.noise import noise_of
from bayeslmm.gaussian.noisy import Noisy
from bayeslmm.gaussian.noisy_rows import noisy_rows
from bayeslmm.gaussian.padded import Padded, padded
from bayeslmm.gaussian.single import Single, single
from bayeslmm.gaussian.solver import Blocks, Point, Reduced, Solver
from bayeslmm.linalg.batched import cholesky_to_last, log_diagonal, solve_upper
from bayeslmm.model import Model

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BetaPrior:
    """A normal prior of the room's beta at S points.

    Attributes
    ----------
    precision : ndarray, shape (S, p, p)
        P, in units of one over the response squared.
    linear : ndarray, shape (S, p)
        P m.
    constant : ndarray, shape (S,)
        m'P m.
    log_determinant : ndarray, shape (S,)
        log|P| over its proper rows, in the users' coordinates.
    n_proper : int
        Rows that are proper.
    """

    precision: Floats
    linear: Floats
    constant: Floats
    log_determinant: Floats
    n_proper: int

    def corner(self, sigma2: Floats) -> Floats:
        """What it adds to the fixed columns' equations, shape (S, m, m)."""
        size, p = self.linear.shape
        out = np.empty((size, p + 1, p + 1))
        out[:, :p, :p] = self.precision
        out[:, :p, p] = out[:, p, :p] = self.linear
        out[:, p, p] = self.constant
        return np.asarray(out * sigma2[:, None, None])


@dataclass(frozen=True, eq=False)
class Equations:
    """A design's equations, symbolic work done.

    Attributes
    ----------
    moments : Moments
    solver : Solver
    """

    moments: Moments
    solver: Solver

    def factor(
        self,
        lambdas: Blocks,
        sigma2: Floats | None = None,
        prior: BetaPrior | None = None,
        size: int | None = None,
    ) -> Factor:
        """Factor at S points.

        Parameters
        ----------
        lambdas : tuple of ndarray, each of shape (S, k, k)
            Relative factors in the room's coordinates, in the order of the design's blocks.
        sigma2 : ndarray, shape (S,), optional
            Residual variances; needed with a prior.
        prior : BetaPrior, optional
            None for flat beta.
        size : int, optional
            S, where there are no random effects to tell.
        """
        if not lambdas:
            count = size if size is not None else (1 if sigma2 is None else len(sigma2))
            lambdas = (np.ones((count, 1, 1)),)
        reduced = self.solver.reduce(lambdas)
        return Factor(self, lambdas, reduced, _lower(reduced, sigma2, prior))

    def at(
        self,
        lambdas: Blocks,
        sigma2: Floats | None = None,
        prior: BetaPrior | None = None,
    ) -> FactorPoint:
        """Factor at one point, S = 1, for what needs more than values."""
        point = self.solver.point(tuple(f[0] for f in lambdas) or (np.ones((1, 1)),))
        lower = _lower(point.reduced, sigma2, prior)
        return FactorPoint(self, lambdas, point.reduced, lower, point)


def equations(model: Model, columns: tuple[int, ...] | None = None) -> Equations:
    """The equations of a Gaussian model, its rows read once.

    Parameters
    ----------
    model : Model
    columns : tuple of int, optional
        The fixed columns to take (all, if not given): the unaliased ones for REML.
    """
    noise, kin = noise_of(model), kin_of(model)
    if noise is None:
        return system_of(moments(model, columns), kin)
    kept = np.arange(model.design.p) if columns is None else np.asarray(columns, dtype=np.intp)
    rows = noisy_rows(model, kept, noise)
    m = rows.moments(noise.residual.start[None])[1][0]
    solver = solver_of(m, kin)
    return Equations(m, Noisy(rows, solver, solver.with_moments))


def system_of(m: Moments, kin: Kin = NO_KIN) -> Equations:
    """The equations of moments, by the solver that their factors need."""
    return Equations(m, solver_of(m, kin))


def kin_of(model: Model) -> Kin:
    """Prior precisions of factors whose levels are related, by block."""
    return {
        i: model.kin[b.group] for i, b in enumerate(model.design.blocks) if b.group in model.kin
    }


def solver_of(m: Moments, kin: Kin = NO_KIN) -> Single | Crossed | Padded:
    """The solver that the factors of moments need."""
    bound = {x.a for x in m.pairs if x.a == x.b} | set(kin)
    if bound and len(bound) == len(m.zz):
        return padded(m, kin)
    return single(m) if len(m.zz) < 2 else crossed(m, kin=kin)


def _lower(reduced: Reduced, sigma2: Floats | None, prior: BetaPrior | None) -> Floats:
    """Cholesky factors of the fixed columns' equations with the response in the last row."""
    tail = reduced.tail
    if prior is not None:
        assert sigma2 is not None
        tail = tail + prior.corner(sigma2)
    return cholesky_to_last(tail)


@dataclass(frozen=True, eq=False)
class Factor:
    """The factored equations at S points.

    Attributes
    ----------
    equations : Equations
    lambdas : tuple of ndarray, each of shape (S, k, k)
        In the room's coordinates.
    reduced : Reduced
    lower : ndarray, shape (S, m, m)
        Cholesky factor of the fixed columns' equations; the last row is the response's.
    """

    equations: Equations
    lambdas: Blocks
    reduced: Reduced
    lower: Floats

    @property
    def log_det_z(self) -> Floats:
        """log|L_Z|, shape (S,)."""
        return self.reduced.log_det

    @property
    def log_det_x(self) -> Floats:
        """log|L_X| for the users' columns, shape (S,)."""
        return log_diagonal(self.lower[:, :-1, :-1]) - self.equations.moments.coordinates.log_det

    @property
    def rho2(self) -> Floats:
        """rho², the penalised residual sum of squares, shape (S,)."""
        return np.asarray(self.lower[:, -1, -1] ** 2)

    def draw(self, v: Floats, noise: Blocks | None) -> Blocks:
        """`u` at every point: see `Solver.draw`."""
        outer = outer_maps(self.equations.moments, self.lambdas)
        return self.equations.solver.draw(self.lambdas, outer, v, noise)

    @cached_property
    def inner_beta(self) -> Floats:
        """The solution for beta in the room's coordinates, shape (S, p)."""
        return solve_upper(self.lower[:, :-1, :-1], self.lower[:, -1, :-1, None])[..., 0]


@dataclass(frozen=True, eq=False)
class FactorPoint(Factor):
    """At one point (S = 1), with the random part at hand.

    Attributes
    ----------
    point : Point
    """

    point: Point

    @cached_property
    def inner_covariance(self) -> Floats:
        """`(L_X L_X')⁻¹`: the room's beta's covariance over sigma², shape (p, p)."""
        half = np.linalg.solve(self.lower[0, :-1, :-1], np.eye(self.equations.moments.p))
        return np.asarray(half.T @ half)

    def draw(self, v: Floats, noise: Blocks | None) -> Blocks:
        """`u` for any number of v at this one point."""
        outer = outer_maps(self.equations.moments, tuple(f[0] for f in self.lambdas))
        return self.point.draw(outer, v, noise)

    @property
    def v(self) -> Floats:
        """(-beta, 1) in the room's coordinates: what is left of the response, shape (m,)."""
        return np.append(-self.inner_beta[0], 1.0)

    def slopes(self) -> tuple[Blocks, Blocks, Blocks]:
        """Derivatives of log|L_Z|, log|L_X| and rho² by block of Lambda, shape (k, k) each.

        beta and u minimise what rho² is the minimum of, so that only the explicit dependence
        counts: d rho² = <v v', d tail>, and d log|L_X|² = <(L_X L_X')⁻¹, d tail_XX>.
        """
        m = len(self.v)
        weights = np.zeros((2, m, m))
        weights[0, :-1, :-1] = 0.5 * self.inner_covariance
        weights[1] = np.outer(self.v, self.v)
        found = self.point.slopes(weights)
        return found.log_det, tuple(t[0] for t in found.tails), tuple(t[1] for t in found.tails)


@dataclass(frozen=True, slots=True)
class Effects:
    """Random and fixed effects at S points, in the users' units.

    Attributes
    ----------
    beta : ndarray, shape (S, p)
    u : tuple of ndarray, each of shape (S, J, k)
        In the order of the design's blocks.
    """

    beta: Floats
    u: tuple[Floats, ...]


def solve(factor: Factor, noise: tuple[Floats, Blocks] | None = None) -> Effects:
    """The solution of the equations, or a joint draw: `(b, beta) = mean + L⁻ᵀ noise`.

    Parameters
    ----------
    factor : Factor
    noise : tuple, optional
        Standard normals times sigma: of beta, shape (S, p), and of b by block, shape
        (S, J, k). A `FactorPoint` serves any number S of draws.
    """
    m = factor.equations.moments
    beta = factor.inner_beta
    if noise is not None:
        lower = np.broadcast_to(factor.lower[:, :-1, :-1], (len(noise[0]), m.p, m.p))
        beta = beta + solve_upper(lower, noise[0][..., None])[..., 0]
    users = m.coordinates.beta(beta)
    if not m.zz:
        return Effects(users, ())
    v = np.concatenate([-beta, np.ones((len(beta), 1))], axis=1)
    return Effects(users, factor.draw(v, None if noise is None else noise[1]))


def outer_maps(m: Moments, lambdas: Blocks) -> Blocks:
    """C Lambda by block: from b to the users' u."""
    return tuple(C @ lam for C, lam in zip(m.coordinates.blocks, lambdas, strict=False))

"""The (restricted) likelihood of a small design as sigma goes to zero, and at zero.

The mixed-model equations are in units of sigma, so that they lose a digit for each digit by which
the effects exceed the residuals. Here the rows are turned by an orthogonal Q = [Q_Z Q_X Q_0]: the
columns of Z, what X has beside them, and the rest; and the fixed columns so that X = [X_1 X_2] with
Q_X'X_2 = 0 and D = Q_X'X_1 square. With beta_1 = D⁻¹ Q_X'y + sigma c the model is

    y_Z - X_Z1 D⁻¹ y_X = sigma X_Z1 c + X_Z2 beta_2 + e,  e ~ N(0, Z_Z G Z_Z' + sigma² I),
    0 = D c + e,  e ~ N(0, I),          y_0 ~ N(0, sigma² I),

and no small number is the difference of large ones. Without rows y_0 sigma may be zero: the
restricted likelihood is finite there if Z_Z G Z_Z' has full rank, and the likelihood if moreover
there is no c.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg as sla
from numpy.typing import NDArray

from bayeslmm.gaussian.profile import Profile

Floats = NDArray[np.float64]
MOST, WIDEST = 1_000, 3_000  # rows, effects
RANK = 1e-9


@dataclass(frozen=True, eq=False)
class Vanishing:
    """A design's rows turned, sigma in `unit` and everything in units of `tau`.

    Attributes
    ----------
    problem : Profile
    y : ndarray, shape (m,)
        y_Z - X_Z1 D⁻¹ y_X.
    X : ndarray, shape (m, p)
        X_Z.
    D : ndarray, shape (r, r)
    first : ndarray, shape (r,)
        D⁻¹ y_X.
    turn : ndarray, shape (p, p)
        From these coefficients to the room's.
    Z : tuple of ndarray, each of shape (m, J, k)
        Z_Z in the room's coordinates, related levels made independent.
    roots : tuple of ndarray, each of shape (J, J)
        From independent levels to related ones.
    left : float
        Sum of squares of y_0.
    n_left : int
        Its length.
    tau, unit : float
    """

    problem: Profile
    y: Floats
    X: Floats
    D: Floats
    first: Floats
    turn: Floats
    Z: tuple[Floats, ...]
    roots: tuple[Floats, ...]
    left: float
    n_left: int
    tau: float
    unit: float

    @property
    def r(self) -> int:
        """Fixed columns that reach beyond those of Z."""
        return len(self.D)

    @property
    def may_be_zero(self) -> bool:
        """Whether the likelihood of the method is finite at sigma = 0 and a G of full rank."""
        return self.n_left == 0 and (self.problem.reml or self.r == 0)

    def sigma(self, x: Floats) -> float:
        """In units of tau."""
        return float(x[-1] * self.unit)

    def condition(self, x: Floats) -> float:
        """The condition number of V, its rows scaled to variances of one."""
        here = self.at(x)
        if here is None:
            return np.inf
        unit = here.root / np.linalg.norm(here.root, axis=1)[:, None]
        return float(np.linalg.cond(unit) ** 2) if len(unit) else 1.0

    def __call__(self, x: Floats) -> tuple[float, Floats]:
        """The deviance and its gradient at theta and sigma, shape (d + 1,)."""
        reml, s = self.problem.reml, self.sigma(x)
        here = self.at(x) if s > 0 or self.may_be_zero else None
        if here is None:
            return np.inf, np.zeros(len(x))
        m = self.problem.equations.moments
        value = self.problem.degrees * np.log(2 * np.pi * self.tau**2) - m.sum_log_weight
        value += here.log_det + float(self.y @ here.Py) / self.tau**2
        value += (here.log_det_x - 2 * m.coordinates.log_det) if reml else 0.0
        W = (here.P if reml else here.inverse) - np.outer(here.Py, here.Py) / self.tau**2
        moved = self.X[:, : self.r]
        by_s = 2 * s * float(np.trace(W))
        by_s -= 2 * float(here.Py @ moved @ here.beta[: self.r]) / self.tau**2
        if reml:
            by_s += 2 * float(np.sum((here.weighted @ here.spread)[:, : self.r] * moved))
        if s > 0:
            own = self.left / (self.tau * s) ** 2
            rest = self.n_left + (0 if reml else self.r)
            value += rest * np.log(s**2) + own
            by_s += 2 * (rest - own) / s
        slopes = []
        for Z, lam in zip(self.Z, self.problem.lambdas(x[None, :-1]), strict=True):
            half = np.tensordot(W, Z, axes=(1, 0))
            slopes.append(2 * np.einsum("mja,mjb->ab", Z, half) @ lam[0])
        return value, np.append(self.problem.chain(tuple(slopes), x[:-1]), by_s * self.unit)

    def at(self, x: Floats) -> Inverted | None:
        """The covariance with its derived quantities; None where it is singular."""
        size, s = len(self.y), self.sigma(x)
        V = s**2 * np.eye(size)
        for Z, lam in zip(self.Z, self.problem.lambdas(x[None, :-1]), strict=True):
            loaded = (Z @ lam[0]).reshape(size, -1)
            V += loaded @ loaded.T
        try:
            root = sla.cholesky(V, lower=True)
        except (np.linalg.LinAlgError, ValueError):
            return None
        if s == 0 and np.diag(root).min() ** 2 <= 1e-13 * np.diag(V).max():
            return None
        X = self.X.copy()
        X[:, : self.r] *= s
        return Inverted(X, self.D, self.y, root)


@dataclass(frozen=True, eq=False)
class Inverted:
    """The turned model at one point, in units of tau.

    Attributes
    ----------
    X, D, y : ndarray
    root : ndarray, shape (m, m)
        Cholesky factor of V = Z_Z G Z_Z' + sigma² I.
    """

    X: Floats
    D: Floats
    y: Floats
    root: Floats

    @property
    def log_det(self) -> float:
        return float(2 * np.log(np.diag(self.root)).sum())

    @cached_property
    def inverse(self) -> Floats:
        return np.asarray(sla.cho_solve((self.root, True), np.eye(len(self.y))))

    @cached_property
    def weighted(self) -> Floats:
        """V⁻¹ X."""
        return np.asarray(sla.cho_solve((self.root, True), self.X))

    @cached_property
    def root_x(self) -> Floats:
        gram, r = self.X.T @ self.weighted, len(self.D)
        gram[:r, :r] += self.D.T @ self.D
        return np.asarray(sla.cholesky(gram, lower=True))

    @property
    def log_det_x(self) -> float:
        return float(2 * np.log(np.diag(self.root_x)).sum())

    @cached_property
    def spread(self) -> Floats:
        """Covariance of (c, beta_2), shape (p, p)."""
        return np.asarray(sla.cho_solve((self.root_x, True), np.eye(self.X.shape[1])))

    @cached_property
    def beta(self) -> Floats:
        """(c, beta_2)."""
        return np.asarray(self.spread @ (self.weighted.T @ self.y))

    @cached_property
    def P(self) -> Floats:
        return np.asarray(self.inverse - self.weighted @ self.spread @ self.weighted.T)

    @cached_property
    def Py(self) -> Floats:
        return np.asarray(sla.cho_solve((self.root, True), self.y - self.X @ self.beta))


def turned(problem: Profile) -> Vanishing:
    """Turn the rows of a design of independent residuals, of at most `MOST` rows and `WIDEST`
    effects."""
    y, X, Z, roots = rows(problem)
    size = len(y)
    Q_z = basis(np.hstack([z.reshape(size, -1) for z in Z]))
    Q_x = basis(outside(X, Q_z), np.linalg.norm(X, axis=0))
    _, values, turn = np.linalg.svd(Q_x.T @ X)
    D = (Q_x.T @ X @ turn.T)[:, : len(values)]
    rest = outside(y, np.hstack([Q_z, Q_x]))
    n_left = size - Q_z.shape[1] - len(D)
    left = float(rest @ rest) if n_left else 0.0
    tau = float(np.sqrt(y @ y / size))
    X_z = Q_z.T @ X @ turn.T
    first = np.linalg.solve(D, Q_x.T @ y)
    return Vanishing(
        problem,
        y=Q_z.T @ y - X_z[:, : len(D)] @ first,
        X=X_z,
        D=D,
        first=first,
        turn=turn.T,
        Z=tuple(np.tensordot(Q_z.T, z, axes=(1, 0)) for z in Z),
        roots=roots,
        left=left,
        n_left=n_left,
        tau=tau,
        unit=float(np.sqrt(left / n_left) / tau) if n_left else 1.0,
    )


def rows(problem: Profile) -> tuple[Floats, Floats, list[Floats], tuple[Floats, ...]]:
    """y, X and Z in the room's coordinates, each row in units of its known part of sigma."""
    model, m = problem.model, problem.equations.moments
    used, about = model.used, m.coordinates
    weight = np.sqrt(model.precision_weights[used])
    users = model.design.X[used][:, m.columns]
    y = weight * ((model.design.y - model.design.rows.offset)[used] - users @ about.shift)
    Z, roots = [], []
    for block, C in zip(model.design.blocks, about.blocks, strict=True):
        own = np.zeros((len(y), block.n_levels, block.n_coefs))
        own[np.arange(len(y)), block.codes[used]] = weight[:, None] * (block.values[used] @ C)
        root = np.eye(block.n_levels)
        if block.group in model.kin:
            root = np.asarray(model.kin[block.group].root.correlate(root))
            own = np.einsum("njk,ji->nik", own, root)
        Z.append(own)
        roots.append(root)
    return y, weight[:, None] * (users @ about.T), Z, tuple(roots)


def outside(table: Floats, Q: Floats) -> Floats:
    """What of the columns of a table is orthogonal to those of Q."""
    for _ in range(2):  # what rounding left in the first pass goes in the second
        table = table - Q @ (Q.T @ table)
    return table


def basis(columns: Floats, sizes: Floats | None = None) -> Floats:
    """Orthonormal columns that span the same; `sizes` are those that rounding is relative to."""
    norms = np.linalg.norm(columns, axis=0) if sizes is None else sizes
    unit = columns / np.where(norms > 0, norms, 1.0)
    if not unit.shape[1]:
        return np.empty((len(unit), 0))
    q, r, _ = sla.qr(unit, mode="economic", pivoting=True)
    size = np.abs(np.diag(r))
    rank = int(np.count_nonzero(size > RANK * max(1.0, size[0]))) if len(size) else 0
    return np.asarray(q[:, :rank])

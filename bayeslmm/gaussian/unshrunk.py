"""Each level's effects without shrinkage, everything else in the model as it is.

With V = Z G Z' + R and beta given, level j of a factor has the effects, from a flat prior on its
u_j alone,

    d_j = (Z_j'V_j⁻¹Z_j)⁻¹ Z_j'V_j⁻¹ (y - X beta),    V_j = V - Z_j G_j Z_j',

where all other effects, those of the factor's other levels too, keep their distribution. With
Q_j = Z_j'V⁻¹Z_j and g_j = Z_j'V⁻¹(y - X beta) this is `Q_j⁻¹ g_j`, its sampling variance is
S_j = Q_j⁻¹ - G_j, and the best linear unbiased prediction is G_j g_j:

    u_j = W_j d_j,    W_j = G_j Q_j = G_j (G_j + S_j)⁻¹

(de Leeuw & Kreft, 1986, J. Educ. Stat. 11(1), 57-85; Robinson, 1991, Stat. Sci. 6(1), 15-32).
Q_j comes from the levels' own blocks of the inverse where G_j is regular; with a singular G_j
from solutions of the mixed-model equations for the level's columns; with a single factor from the
level's rows. Where its rows don't determine all coefficients of a level, any generalised inverse
gives the estimable ones, and u_j.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bayeslmm.gaussian.equations import Equations, FactorPoint, equations
from bayeslmm.gaussian.moments import Moments
from bayeslmm.gaussian.noisy import Noisy
from bayeslmm.gaussian.random_products import first_columns, random_products
from bayeslmm.gaussian.variances import Variances, lambdas_from_covariances
from bayeslmm.model import Model

Floats = NDArray[np.float64]
DEPENDENT = 1e-11  # eigenvalue of a level's products, scaled to a unit diagonal, that counts as 0
REGULAR = 1e-8  # smallest eigenvalue of a correlation matrix that is inverted
LEAST = 1e-5  # smallest reliability that is taken from the inverse's blocks
CHUNK = 256


@dataclass(frozen=True, slots=True, eq=False)
class Unshrunk:
    """One factor's levels without shrinkage.

    Attributes
    ----------
    effects : ndarray, shape (J, k)
        d; NaN for a coefficient that the rows of its level don't determine.
    weights : ndarray, shape (J, k, k)
        W. Where levels are related it leaves out what relatives add.
    reliability : ndarray, shape (J, k)
        `1 - Var(u | y, beta) / Var(u)`, 0 where the variance is 0.
    """

    effects: Floats
    weights: Floats
    reliability: Floats


@dataclass(frozen=True, eq=False)
class LevelEquations:
    """The mixed-model equations at given variances and beta, ready for any factor.

    Attributes
    ----------
    model : Model
    system : Equations
    factor : FactorPoint
    moments : Moments
        At the residuals' structure.
    v : ndarray, shape (m,)
        (-beta, 1) in the room's coordinates.
    """

    model: Model
    system: Equations
    factor: FactorPoint
    moments: Moments
    v: Floats

    @classmethod
    def of(cls, model: Model, at: Variances, beta: Floats) -> LevelEquations:
        """At one point of the variances and beta of all fixed columns, shape (p,)."""
        kept = tuple(model.aliasing.kept)
        system = equations(model, kept)
        about = system.moments.coordinates
        factor = system.at(lambdas_from_covariances(about, at))
        inner = np.linalg.solve(about.T, _unaliased(model, beta) - about.shift)
        moments = system.moments
        if isinstance(system.solver, Noisy):
            assert at.delta is not None
            moments = system.solver.rows.moments(at.delta)[1][0]
        return cls(model, system, factor, moments, np.append(-inner, 1.0))

    def block(self, index: int) -> Unshrunk:
        """The levels of one block."""
        zz, C = self.moments.zz[index], self.moments.coordinates.blocks[index]
        lam = self.factor.lambdas[index][0]
        if self._alone:
            Q, g, weights = zz, self.moments.zf[index] @ self.v, _own_weights(zz, lam)
        else:
            Q, g = self._regular(index) or self._by_solutions(index)
            weights = lam @ lam.T @ Q
        found, dead = _solve(zz, Q, g)
        effects = found @ C.T
        effects[_not_estimable(C, dead)] = np.nan
        weights = C @ weights @ np.linalg.inv(C)
        root = C @ lam
        return Unshrunk(effects, weights, self._reliability(index, weights, root @ root.T))

    @property
    def _alone(self) -> bool:
        """Whether nothing couples one level with another."""
        return len(self.moments.zz) == 1 and not self.moments.pairs and not self.model.kin

    @cached_property
    def _own(self) -> tuple[Floats, ...]:
        return self.factor.point.inverse().own

    @cached_property
    def _b(self) -> tuple[Floats, ...]:
        """The effects over Lambda, given beta: shape (J, k) by block."""
        return tuple(solved @ self.v for solved in self.factor.point.inverse().solutions)

    def _regular(self, index: int) -> tuple[Floats, Floats] | None:
        """Q and g (times sigma²) by the inverse's blocks; None where that would lose digits."""
        lam = self.factor.lambdas[index][0]
        scale = np.linalg.norm(lam, axis=1)
        if self.model.design.blocks[index].group in self.model.kin or not scale.all():
            return None
        if np.linalg.svd(lam / scale[:, None], compute_uv=False)[-1] ** 2 < REGULAR:
            return None
        told = np.eye(len(lam)) - self._own[index]
        inverse = np.linalg.inv(lam)
        values = np.linalg.eigvalsh(told)
        rank = _unit_eigen(self.moments.zz[index])[0] > DEPENDENT
        smallest = np.where(rank, values, np.inf).min(axis=1)  # both ascend: dead ones are first
        if smallest.min(initial=np.inf) < LEAST:
            return None
        return inverse.T @ told @ inverse, self._b[index] @ inverse

    def _by_solutions(self, index: int) -> tuple[Floats, Floats]:
        """The same from solutions of the equations for each level's columns."""
        m, (root, products, solve) = self.moments, self._sparse
        first = first_columns(m)
        levels, k = m.sizes[index]
        mine = slice(first[index], first[index + 1])
        half = (root.T @ products[:, mine]).tocsc()
        Q = np.empty((levels, k, k))
        step = max(1, CHUNK // k)
        for start in range(0, levels, step):
            here = slice(start * k, min(start + step, levels) * k)
            rhs = half[:, here].toarray()
            solved = rhs.T @ solve(rhs)
            for j in range(start, min(start + step, levels)):
                at = slice((j - start) * k, (j - start + 1) * k)
                Q[j] = m.zz[index][j] - solved[at, at]
        u = root @ np.concatenate([b.ravel() for b in self._b])
        g = m.zf[index] @ self.v - (products[mine] @ u).reshape(levels, k)
        return Q, g

    @cached_property
    def _sparse(self) -> tuple[Any, Any, Any]:
        """Lambda, Z'WZ, and what solves the equations of the effects over Lambda."""
        m, lams = self.moments, [f[0] for f in self.factor.lambdas]
        products = random_products(m)
        root = sparse.block_diag(
            [sparse.kron(sparse.eye_array(z.shape[0]), f) for z, f in zip(m.zz, lams, strict=False)]
        ).tocsc()
        whole = (root.T @ products @ root + self._prior()).tocsc()
        return root, products, sparse.linalg.splu(whole).solve

    def others(self, index: int, level: int, effects: Floats) -> tuple[Floats, ...]:
        """All effects, (J, k) by block, where one level's are held at given ones, shape (k,), from
        a flat prior: the solution for the response less their part, `y - Z_j d_j`."""
        m, (root, products, solve) = self.moments, self._sparse
        first, k = first_columns(m), len(effects)
        start = first[index] + level * k
        inner = np.linalg.solve(m.coordinates.blocks[index], effects)
        b = np.concatenate([own.ravel() for own in self._b])
        b -= solve(root.T @ (products[:, start : start + k] @ inner))
        u = root @ b
        parts = [
            u[a:end].reshape(size) @ C.T
            for a, end, size, C in zip(
                first[:-1], first[1:], m.sizes, m.coordinates.blocks, strict=True
            )
        ]
        parts[index][level] = effects
        return tuple(parts)

    def _prior(self) -> Any:
        """Prior precision of the effects over Lambda: I, or of related levels their inverse."""
        parts = []
        for block, (levels, k) in zip(self.model.design.blocks, self.moments.sizes, strict=True):
            known = self.model.kin.get(block.group)
            own: Any = sparse.eye_array(levels)
            if known is not None:
                half = (known.values, (known.rows, known.columns))
                lower = sparse.csr_array(half, shape=(levels, levels))
                own = lower + sparse.tril(lower, -1).T
            parts.append(sparse.kron(own, sparse.eye_array(k)))
        return sparse.block_diag(parts)

    def _reliability(self, index: int, weights: Floats, relative: Floats) -> Floats:
        """Of the users' coefficients; `relative` is G over sigma²."""
        prior = np.diag(relative)
        if self.model.design.blocks[index].group in self.model.kin:
            root = self.moments.coordinates.blocks[index] @ self.factor.lambdas[index][0]
            left = np.einsum("ab,jbc,ac->ja", root, self._own[index], root)
            gained = prior - left
        else:
            gained = np.einsum("jab,ba->ja", weights, relative)
        share = np.divide(gained, prior, out=np.zeros_like(gained), where=prior > 0)
        return np.clip(share, 0.0, 1.0)


def _unaliased(model: Model, beta: Floats) -> Floats:
    """Coefficients of the kept columns with the same X beta."""
    coefs = list(model.design.coefs)
    full = beta.copy()
    for name, combination in model.aliasing.aliased.items():
        for kept, weight in combination.items():
            full[coefs.index(kept)] += weight * beta[coefs.index(name)]
    return full[list(model.aliasing.kept)]


def _own_weights(zz: Floats, lam: Floats) -> Floats:
    """`Lambda (I + Lambda'P Lambda)⁻¹ Lambda'P` of levels that stand alone."""
    half = lam.T @ zz
    inner = half @ lam + np.eye(len(lam))
    return np.asarray(lam @ np.linalg.solve(inner, half))


def _solve(zz: Floats, Q: Floats, g: Floats) -> tuple[Floats, Floats]:
    """A solution d of Q d = g where Q has the range of zz, and vectors that span the levels' null
    spaces, shape (J, k, k), scaled (zero where there is none)."""
    values, vectors, size = _unit_eigen(zz)
    live = values > DEPENDENT
    basis = vectors / size[:, :, None]
    inner = basis.swapaxes(1, 2) @ Q @ basis
    both = live[:, :, None] & live[:, None, :]
    inner = np.where(both, inner, np.eye(zz.shape[1]))
    right = np.where(live, np.einsum("jab,ja->jb", basis, g), 0.0)
    found = np.linalg.solve(inner, right[:, :, None])[:, :, 0]
    return np.einsum("jab,jb->ja", basis, found), np.where(live[:, None, :], 0.0, basis)


def _not_estimable(C: Floats, dead: Floats) -> NDArray[np.bool_]:
    """Users' coefficients that move along a level's null space, shape (J, k)."""
    moved = C @ dead
    size = np.abs(C) @ np.abs(dead)
    return np.asarray(np.any(np.abs(moved) > 1e-6 * size, axis=2))


def _unit_eigen(zz: Floats) -> tuple[Floats, Floats, Floats]:
    """Eigenvalues and vectors of products scaled to a unit diagonal, and the scale."""
    size = np.sqrt(np.einsum("jaa->ja", zz))
    safe = np.where(size > 0, size, 1.0)
    values, vectors = np.linalg.eigh(zz / (safe[:, :, None] * safe[:, None, :]))
    return values, vectors, safe

"""The profiled deviance of a model as a smooth function of a few numbers, and its gradient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.equations import Equations, FactorPoint, equations
from bayeslmm.gaussian.likelihood import deviance, deviance_slopes, profiled_sigma2
from bayeslmm.gaussian.variances import lambdas_from_theta, theta_slices, theta_units
from bayeslmm.linalg.compiled import one_blas_thread, sweep
from bayeslmm.linalg.minimise import Smooth
from bayeslmm.model import Model, Term

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
INSIDE = 0.01  # off the boundary, in units of x: where the gradient tells of all directions
LEAST_START, MOST_SHARE = 0.05, 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The deviance of a model as a function of x, which is theta in units of `units`.

    Attributes
    ----------
    model : Model
    equations : Equations
        Of the unaliased fixed columns.
    reml : bool
    units : ndarray, shape (d,)
    basis : tuple of ndarray, each of shape (d, k, k)
        Derivative of every block's Lambda with respect to x: Lambda is linear in it.
    """

    model: Model
    equations: Equations
    reml: bool
    units: Floats
    basis: tuple[Floats, ...]

    def at(self, x: Floats) -> FactorPoint:
        """The equations factored at x, shape (d,)."""
        return self.equations.at(self.lambdas(x[None]))

    def lambdas(self, x: Floats) -> tuple[Floats, ...]:
        """Every block's Lambda at x, shape (S, d)."""
        return tuple(np.einsum("sd,dij->sij", x, b) for b in self.basis)

    @property
    def degrees(self) -> int:
        """What rho² is divided by."""
        m = self.equations.moments
        return m.n - m.p if self.reml else m.n

    def sigma2(self, factor: FactorPoint) -> float:
        if self.model.sigma_known:
            return 1.0
        return float(profiled_sigma2(factor, reml=self.reml)[0])

    def __call__(self, x: Floats) -> tuple[float, Floats]:
        """The deviance at x, shape (d,), and its gradient."""
        return self.evaluate(self.at(x))

    def evaluate(self, factor: FactorPoint) -> tuple[float, Floats]:
        """The deviance and its gradient by x, from equations factored there."""
        sigma2 = self.sigma2(factor)
        value = float(deviance(factor, np.array([sigma2]), reml=self.reml)[0])
        if not np.isfinite(value):
            return np.inf, np.zeros(len(self.units))
        return value, self.chain(deviance_slopes(factor, sigma2, reml=self.reml))

    def together(self, points: list[Floats]) -> list[tuple[float, Floats]]:
        """The deviance and its gradient at several points, a thread each."""
        found: dict[int, tuple[float, Floats]] = {}

        def task(a: int, b: int) -> None:
            for i in range(a, b):
                found[i] = self(points[i])

        with one_blas_thread():
            sweep(task, len(points))
        return [found[i] for i in range(len(points))]

    @property
    def identity(self) -> Floats:
        """The x at which every Lambda is diagonal: one for variances, zero for the rest."""
        model = self.model
        parts = [t.structure.theta_start(len(t.columns)) for t in model.terms]
        return np.concatenate(parts) if parts else np.empty(0)

    @property
    def lower(self) -> Floats:
        """Lower bounds of x."""
        parts = [t.structure.theta_lower(len(t.columns)) for t in self.model.terms]
        return np.concatenate(parts) if parts else np.empty(0)

    def canonical(self, x: Floats) -> tuple[Floats, Flags]:
        """The x that stands for the same covariances, and what of it to hold."""
        parts = [
            term.structure.canonical(x[where], len(term.columns)) for term, where in self._terms()
        ]
        if not parts:
            return x, np.empty(0, dtype=bool)
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def releases(self, f: Smooth, x: Floats, size: float) -> Floats:
        """Points off the boundary that a lower deviance may be at, shape (some, d)."""
        if not np.any(x <= self.lower):
            return np.empty((0, len(x)))
        near = x.copy()
        for term, where in self._terms():
            near[where] = term.structure.inside(x[where], len(term.columns), INSIDE)
        slope = f(near)[1]
        out = []
        for term, where in self._terms():
            found = term.structure.releases(
                x[where], near[where], slope[where], len(term.columns), size
            )
            points = np.repeat(x[None], len(found), axis=0)
            points[:, where] = found
            out.append(points)
        return np.concatenate(out)

    def _terms(self) -> Iterator[tuple[Term, slice]]:
        return zip(self.model.terms, theta_slices(self.model), strict=True)

    def start(self) -> Floats:
        """Each coefficient's variance by moments, as if it were alone.

        With r_j the sum of a level's covariate times the least-squares residual and a_j that
        of its squares, E r_j² = sigma² (a_j + lambda² a_j²); what all of them explain is
        taken from the residual's share.
        """
        m = self.equations.moments
        total = float(m.ff[-1, -1]) / max(1, m.n)
        shares = np.zeros(len(self.units))
        for zz, zf, basis in zip(m.zz, m.zf, self.basis, strict=True):
            own = np.einsum("jaa->ja", zz)
            surplus = np.sum(zf[:, :, -1] ** 2, axis=0) / total - own.sum(axis=0)
            share = surplus / np.maximum(np.sum(own**2, axis=0), 1e-300)
            diagonal = np.abs(np.einsum("dii->di", basis)) > 0
            shares += diagonal @ share / np.maximum(diagonal.sum(axis=1), 1)
        shares = np.clip(shares, LEAST_START**2, 1.0) * (self.identity > 0)
        return self.identity * np.sqrt(shares / (1 - min(shares.sum(), MOST_SHARE)))

    def curvature(self, x: Floats) -> Floats:
        """About the second derivatives of the deviance at x: those of one-way designs.

        For a single factor with one coefficient the expected one is
        4 sum (a_j lambda / (1 + a_j lambda²))², a_j a level's sum of squares.
        """
        m = self.equations.moments
        out = np.zeros(len(x))
        for zz, basis in zip(m.zz, self.basis, strict=True):
            own = np.einsum("jaa->ja", zz)
            root = np.einsum("d,dij->ij", x, basis)
            lam = np.maximum(np.sqrt(np.sum(root**2, axis=1)), LEAST_START)
            one = 4 * np.sum((own * lam / (1 + own * lam**2)) ** 2, axis=0)
            out += np.einsum("dij,i->d", basis**2, one)
        return np.maximum(out, 1.0)

    def chain(self, slopes: tuple[Floats, ...]) -> Floats:
        """Derivatives by x from those by Lambda."""
        if not self.basis:
            return np.empty(0)
        parts = [np.einsum("ij,dij->d", g, b) for g, b in zip(slopes, self.basis, strict=True)]
        return np.asarray(np.sum(parts, axis=0))


def profile(model: Model, *, reml: bool) -> Profile:
    """Read a model's rows and set up its deviance."""
    system = equations(model, model.aliasing.kept)
    about = system.moments.coordinates
    units = theta_units(model, about)
    basis = lambdas_from_theta(model, about, np.diag(units))
    return Profile(model, system, reml, units, basis)

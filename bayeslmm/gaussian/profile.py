"""The profiled deviance of a model as a smooth function of a few numbers, and its gradient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.equations import Equations, FactorPoint, equations
from bayeslmm.gaussian.likelihood import deviance, deviance_slopes, profiled_sigma2
from bayeslmm.gaussian.variances import (
    lambda_slopes,
    lambdas_from_theta,
    theta_slices,
    theta_units,
)
from bayeslmm.linalg.compiled import one_blas_thread, sweep
from bayeslmm.linalg.minimise import Smooth
from bayeslmm.model import Model, Term

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
CEILING = 1e3  # of a relative standard deviation: there the deviance is right to about 1e-7
INSIDE = (
    0.01  # off the boundary, in units of x: where the gradient is informative in all directions
)
SIZES = (0.3, 1.0, 3.0)  # of relative standard deviations, where several starts are looked at
LEAST_START, MOST_SHARE = 0.05, 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The deviance of a model as a function of x: theta in units of `units`, then the coordinates
    of the residuals' structure where they have one.

    Attributes
    ----------
    model : Model
    equations : Equations
        Of the unaliased fixed columns.
    reml : bool
    units : ndarray, shape (d,)
    basis : tuple of ndarray, each of shape (d, k, k)
        Derivative of every block's Lambda with respect to x, at `identity`.
    linear : bool
        Whether it is the same everywhere.
    """

    model: Model
    equations: Equations
    reml: bool
    units: Floats
    basis: tuple[Floats, ...]
    linear: bool = True

    def at(self, x: Floats) -> FactorPoint:
        """The equations factored at x, shape (d,)."""
        return self.equations.at(self.lambdas(x[None]))

    def lambdas(self, x: Floats) -> tuple[Floats, ...]:
        """Every block's Lambda at x, shape (S, d); last, the residuals' coordinates."""
        if self.linear:
            return tuple(np.einsum("sd,dij->sij", x, b) for b in self.basis)
        cut = len(self.units)
        about = self.equations.moments.coordinates
        blocks = lambdas_from_theta(self.model, about, x[:, :cut] * self.units)
        return blocks if self.model.residual is None else (*blocks, x[:, None, cut:])

    def basis_at(self, x: Floats) -> tuple[Floats, ...]:
        """Derivatives of every block's Lambda by x, shape (d, k, k) each."""
        if self.linear:
            return self.basis
        cut, d = len(self.units), len(x)
        about = self.equations.moments.coordinates
        slopes = lambda_slopes(self.model, about, x[:cut] * self.units)
        grown = [np.zeros((d, *b.shape[1:])) for b in slopes]
        for to, b in zip(grown, slopes, strict=True):
            to[:cut] = self.units[:, None, None] * b
        if self.model.residual is None:
            return tuple(grown)
        own = np.zeros((d, 1, d - cut))
        own[cut:, 0] = np.eye(d - cut)
        return (*grown, own)

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
        return self.evaluate(self.at(x), x)

    def evaluate(self, factor: FactorPoint, x: Floats) -> tuple[float, Floats]:
        """The deviance and its gradient by x, from equations factored there."""
        sigma2 = self.sigma2(factor)
        value = float(deviance(factor, np.array([sigma2]), reml=self.reml)[0])
        if not np.isfinite(value):
            return np.inf, np.zeros(len(x))
        return value, self.chain(deviance_slopes(factor, sigma2, reml=self.reml), x)

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
        """The x at which every Lambda is diagonal, or a pattern at its start: one for sds."""
        model = self.model
        parts = [t.structure.theta_start(len(t.columns)) for t in model.terms]
        if model.residual is not None:
            parts.append(model.residual.start)
        return np.concatenate(parts) if parts else np.empty(0)

    def scaled_identity(self, size: float) -> Floats:
        """`identity` with standard deviations of the given size."""
        return np.where(np.isfinite(self.lower), size, 1.0) * self.identity

    @property
    def lower(self) -> Floats:
        """Lower bounds of x."""
        parts = [t.structure.theta_lower(len(t.columns)) for t in self.model.terms]
        if self.model.residual is not None:
            parts.append(np.full(self.model.residual.size, -np.inf))
        return np.concatenate(parts) if parts else np.empty(0)

    @property
    def upper(self) -> Floats:
        """Where the deviance is about level at the latest, if the effects reproduce the rows: at
        standard deviations of `CEILING` times sigma, for a term's columns together.

        Beyond, penalised sums of squares lose their digits in those of the response.
        """
        out = np.full(len(self.lower), np.inf)
        if not self.model.sigma_known:
            for term, where in self._terms():
                out[where] = CEILING / np.sqrt(len(term.columns))
        return np.where(np.isfinite(self.lower), out, np.inf)

    def canonical(self, x: Floats) -> tuple[Floats, Flags]:
        """The x of the same covariances, and its coordinates to be held fixed."""
        parts = [
            term.structure.canonical(x[where], len(term.columns)) for term, where in self._terms()
        ]
        rest = x[len(self.units) :]
        held = np.zeros(len(rest), dtype=bool)
        return (
            np.concatenate([*(p[0] for p in parts), rest]),
            np.concatenate([*(p[1] for p in parts), held]),
        )

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
        total = float(m.ff[-1, -1]) / max(1, m.n) or 1.0  # where nothing is left of the response
        is_sd = np.isfinite(self.lower)
        shares = np.zeros(len(self.identity))
        for zz, zf, basis in zip(m.zz, m.zf, self.basis, strict=False):
            own = np.einsum("jaa->ja", zz)
            surplus = np.sum(zf[:, :, -1] ** 2, axis=0) / total - own.sum(axis=0)
            share = surplus / np.maximum(np.sum(own**2, axis=0), 1e-300)
            diagonal = (np.abs(np.einsum("dii->di", basis)) > 0) & is_sd[:, None]
            shares += diagonal @ share / np.maximum(diagonal.sum(axis=1), 1)
        shares = np.clip(shares, LEAST_START**2, 1.0) * is_sd
        found = np.sqrt(shares / (1 - min(shares.sum(), MOST_SHARE)))
        return self.identity * np.where(is_sd, found, 1.0)

    def starts(self) -> Floats:
        """Where to search from, lowest deviance first, shape (one or two, d).

        Correlations that fall with distance may have several maxima over their range: a coarse
        grid of ranges and standard deviations is looked at, one term after the other.
        """
        out = self.start()[None]
        for term, where in self._terms():
            k = len(term.columns)
            others = term.structure.starts(k)
            if len(others) > 1:
                sds = np.isfinite(term.structure.theta_lower(k))
                own = np.where(sds, out[0, where], 1.0)
                sizes = [own, *(np.where(sds, size, 1.0) for size in SIZES)]
                out = self._lowest(out[0], where, np.array([others * size for size in sizes]))
        residual = self.model.residual
        if residual is not None and residual.correlated is not None:
            c = residual.correlated
            others = c.pattern.free(c.pattern.starts(c.places), c.places)
            if len(others) > 1:
                last = slice(out.shape[1] - others.shape[1], out.shape[1])
                out = self._lowest(out[0], last, others[None])
        return out

    def _lowest(self, x: Floats, where: slice, grid: Floats) -> Floats:
        """x with coordinates replaced by the best two of a grid, shape (2, d): for each of its
        columns the best row, shapes (rows, columns, coordinates)."""
        rows, columns, _ = grid.shape
        points = np.tile(x, (rows * columns, 1))
        points[:, where] = grid.reshape(rows * columns, -1)
        factor = self.equations.factor(self.lambdas(points))
        known = self.model.sigma_known
        sigma2 = np.ones(len(points)) if known else profiled_sigma2(factor, reml=self.reml)
        values = deviance(factor, sigma2, reml=self.reml).reshape(rows, columns)
        values = np.where(np.isfinite(values), values, np.inf)
        best = values.argmin(axis=0)
        order = np.argsort(values.min(axis=0), kind="stable")[:2]
        return np.asarray(points.reshape(rows, columns, -1)[best[order], order])

    def curvature(self, x: Floats) -> Floats:
        """About the second derivatives of the deviance at x: those of one-way designs.

        For a single factor with one coefficient the expected one is
        4 sum (a_j lambda / (1 + a_j lambda²))², a_j a level's sum of squares.
        """
        m = self.equations.moments
        out = np.zeros(len(x))
        for zz, basis in zip(m.zz, self.basis_at(x), strict=False):
            own = np.einsum("jaa->ja", zz)
            root = np.einsum("d,dij->ij", np.where(np.isfinite(self.lower), x, 0.0), basis)
            lam = np.maximum(np.sqrt(np.sum(root**2, axis=1)), LEAST_START)
            one = 4 * np.sum((own * lam / (1 + own * lam**2)) ** 2, axis=0)
            out += np.einsum("dij,i->d", basis**2, one)
        out[len(self.units) :] = m.n / 2
        return np.maximum(out, 1.0)

    def chain(self, slopes: tuple[Floats, ...], x: Floats) -> Floats:
        """Derivatives by x from those by Lambda."""
        basis = self.basis_at(x)
        if not basis:
            return np.empty(0)
        parts = [np.einsum("ij,dij->d", g, b) for g, b in zip(slopes, basis, strict=True)]
        return np.asarray(np.sum(parts, axis=0))


def profile(model: Model, *, reml: bool) -> Profile:
    """Read a model's rows and set up its deviance."""
    system = equations(model, model.aliasing.kept)
    about = system.moments.coordinates
    units = theta_units(model, about)
    if model.residual is None and all(t.structure.linear for t in model.terms):
        basis = lambdas_from_theta(model, about, np.diag(units))
        return Profile(model, system, reml, units, basis)
    bare = Profile(model, system, reml, units, (), linear=False)
    return replace(bare, basis=bare.basis_at(bare.identity))

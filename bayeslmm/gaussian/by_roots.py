"""log p(y | covariances, sigma) with (beta, u) integrated out, as a function of what users hold:
a root of each factor's covariance, sigma, and the precisions of heavy-tailed coefficient priors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.crossed import Crossed
from bayeslmm.gaussian.equations import Equations
from bayeslmm.gaussian.likelihood import LOG_2PI, marginal_deviance, marginal_slopes
from bayeslmm.gaussian.posterior import normal_prior
from bayeslmm.gaussian.single import Single
from bayeslmm.gaussian.sparse_rest import SparseRest
from bayeslmm.gaussian.target import Target
from bayeslmm.linalg.compiled import one_blas_thread
from bayeslmm.linalg.integrated import one_factor
from bayeslmm.linalg.integrated_crossed import several_factors

Floats = NDArray[np.float64]
STEP = 1e-5


@dataclass(frozen=True, eq=False, repr=False)
class ByRoots:
    """The marginal log likelihood over a vector of numbers, with its gradient.

    The vector holds, one after the other, every block's root L (absolute, ``G = L L'``, rows
    first, shape (k, k)), sigma where it is estimated, and the multiplier of every coefficient
    prior that is a scale mixture of normals.

    Attributes
    ----------
    target : Target
        Whose equations and coefficient priors are used.
    """

    target: Target

    def __repr__(self) -> str:
        return f"ByRoots({self.target.model.design.formula})"  # it stands in printed graphs

    @property
    def equations(self) -> Equations:
        return self.target.equations

    @cached_property
    def shapes(self) -> tuple[int, ...]:
        """Coefficients of every block."""
        return tuple(b.n_coefs for b in self.target.model.design.blocks)

    @cached_property
    def has_sigma(self) -> bool:
        return not self.target.model.sigma_known

    @cached_property
    def size(self) -> int:
        """How many numbers the vector holds."""
        return self._starts[-1] + self.n_residual + len(self.target.rows.heavy)

    @cached_property
    def n_residual(self) -> int:
        """Numbers of the residuals: sigma, of every stratum, and their structure's."""
        residual = self.target.model.residual
        if residual is None:
            return int(self.has_sigma)
        return self.has_sigma * residual.n_strata + len(residual.parameters)

    def value_and_gradient(self, x: Floats) -> tuple[float, Floats]:
        """At a vector of shape (size,), which is not written to; −inf and zeros outside the
        domain. Many threads may ask at once."""
        out = np.zeros(self.size)
        solver = self.equations.solver
        if isinstance(solver, Single):
            value = one_factor(x, self.has_sigma, *self._single, *self._prior, out)
        elif isinstance(solver, Crossed) and isinstance(solver.system.rest, SparseRest):
            value = several_factors(x, self.has_sigma, *self._crossed, *self._prior, out)
        else:
            with one_blas_thread():  # samplers run their chains side by side
                value = self._by_equations(x, out)
        return float(value), out

    @cached_property
    def _starts(self) -> list[int]:
        """Where each block's root begins in the vector, and where the last one ends."""
        return [0, *np.cumsum([k * k for k in self.shapes]).tolist()]

    @cached_property
    def _inward(self) -> tuple[Floats, ...]:
        """From users' coordinates to the room's, by block."""
        return tuple(np.linalg.inv(C) for C in self.equations.moments.coordinates.blocks)

    @cached_property
    def _prior(self) -> tuple[Any, ...]:
        """What the kernels take of the coefficients' priors."""
        m, rows = self.equations.moments, self.target.rows
        about, proper = m.coordinates, len(rows.scale)
        degrees = m.n - m.p
        constant = (degrees + proper) * LOG_2PI - m.sum_log_weight - 2 * about.log_det
        if isinstance(self.equations.solver, Crossed):
            constant += 2 * self.equations.solver.system.layout.prior.shift
        inner = np.ascontiguousarray(rows.rows @ about.T)
        location = rows.location - rows.rows @ about.shift
        return (
            (inner, location, float(degrees), float(constant)),
            (rows.heavy, np.array(rows.scale**-2.0)),
        )

    @cached_property
    def _single(self) -> tuple[Any, ...]:
        solver = self.equations.solver
        assert isinstance(solver, Single)
        inward = np.array(self._inward[0] if self._inward else np.empty((0, 0)))
        return inward, solver.zz, solver.zf, np.array(solver.ff)

    @cached_property
    def _crossed(self) -> tuple[Any, ...]:
        solver = self.equations.solver
        assert isinstance(solver, Crossed) and isinstance(solver.system.rest, SparseRest)
        blocks = (solver.system.layout.eliminated, *solver.system.layout.rest)
        widest = max(self.shapes)
        inward = np.zeros((len(blocks), widest, widest))
        for to, block in enumerate(blocks):
            k = self.shapes[block]
            inward[to, :k, :k] = self._inward[block]
        starts = np.array([self._starts[b] for b in blocks], dtype=np.int64)
        ff = np.array(self.equations.moments.ff)
        return inward, starts, (*solver.batch(solver.system.rest), solver.system.position, ff)

    def _split(self, numbers: Floats) -> tuple[Floats, Floats]:
        """Sigmas (one where they are known), and the structure's values."""
        residual = self.target.model.residual
        assert residual is not None
        cut = residual.n_strata * self.has_sigma
        return (numbers[:cut] if cut else np.ones(1)), numbers[cut:]

    def _delta(self, numbers: Floats) -> Floats | None:
        """Coordinates of the residuals' structure, shape (1, d)."""
        residual = self.target.model.residual
        if residual is None:
            return None
        sigmas, values = self._split(numbers)
        with np.errstate(all="ignore"):
            return residual.delta(sigmas[None], values[None])

    def _by_numbers(self, numbers: Floats, by_sigma: list[Floats], by_delta: Floats) -> Floats:
        """Derivatives by sigmas and values from those by the first sigma and by delta."""
        residual = self.target.model.residual
        assert residual is not None
        sigmas, values = self._split(numbers)
        ratios = residual.n_strata - 1
        out = np.zeros(len(numbers))
        if self.has_sigma:
            out[0] = by_sigma[0][0] - by_delta[:ratios].sum() / sigmas[0]
            out[1 : ratios + 1] = by_delta[:ratios] / sigmas[1:]
        if len(values):
            delta = residual.delta(sigmas[None], values[None])[0]
            moves = np.zeros((len(values), len(delta)))
            moves[:, ratios:] = STEP * np.eye(len(values))
            up, down = residual.natural(delta + moves)[1], residual.natural(delta - moves)[1]
            slope = (up - down) / (2 * STEP)  # [coordinate, value]
            out[len(numbers) - len(values) :] = np.linalg.solve(slope, by_delta[ratios:])
        return out

    def _by_equations(self, x: Floats, out: Floats) -> float:
        """The same a step at a time, for large designs with a dense rest."""
        roots = [
            x[a : a + k * k].reshape(k, k) for a, k in zip(self._starts, self.shapes, strict=False)
        ]
        end = self._starts[-1]
        sigma, multiplier = (float(x[end]) if self.has_sigma else 1.0), x[end + self.n_residual :]
        if not np.all(np.isfinite(x)) or not sigma > 0 or np.any(multiplier <= 0):
            return -np.inf
        lambdas = [C @ L / sigma for C, L in zip(self._inward, roots, strict=True)]
        target, sigma2 = self.target, np.array([sigma**2])
        delta = self._delta(x[end : end + self.n_residual])
        if delta is not None:
            lambdas.append(delta)
        prior = normal_prior(target.rows, self.equations.moments.coordinates, multiplier[None], 1)
        with np.errstate(all="ignore"):
            factor = self.equations.at(tuple(f[None] for f in lambdas), sigma2, prior)
            value = -0.5 * float(marginal_deviance(factor, sigma2, prior)[0])
            if not np.isfinite(value):
                return -np.inf
            slopes, by_log_sigma2 = marginal_slopes(factor, float(sigma2[0]), prior)
            by_delta = slopes[len(self.shapes) :]
            slopes = slopes[: len(self.shapes)]
            heavy = target.heavy_slopes(factor, float(sigma2[0]), multiplier)
        by_root = [C.T @ g / sigma for C, g in zip(self._inward, slopes, strict=True)]
        through = sum(float(np.sum(g * f)) for g, f in zip(slopes, lambdas, strict=False))
        tail = [np.array([(2 * by_log_sigma2 - through) / sigma])] if self.has_sigma else []
        if delta is not None:
            numbers = x[end : end + self.n_residual]
            tail = [self._by_numbers(numbers, tail, by_delta[0][0])]
        gradient = np.concatenate([*(g.ravel() for g in by_root), *tail, heavy / multiplier])
        if not np.all(np.isfinite(gradient)):
            return -np.inf
        out[:] = -0.5 * gradient
        return value

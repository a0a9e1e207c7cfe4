"""log N(e; 0, R) of structured residuals, with its gradient: for hierarchical models, where the
residuals themselves are at hand."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayeslmm.gaussian.likelihood import LOG_2PI
from bayeslmm.gaussian.noise import Noise

Floats = NDArray[np.float64]
STEP = 1e-5


@dataclass(frozen=True, eq=False, repr=False)
class ResidualDensity:
    """The log density over one vector: residuals in the model's order of rows, shape (n,); sigma,
    of every stratum where it has some (nothing where it is known); the structure's numbers.

    Attributes
    ----------
    noise : Noise
    place : ndarray of intp, shape (n,)
        Where each of the noise's rows stands among the residuals.
    sigma_known : bool
    """

    noise: Noise
    place: NDArray[np.intp]
    sigma_known: bool

    def __repr__(self) -> str:
        return f"ResidualDensity({len(self.place)} rows)"  # it stands in printed graphs

    @property
    def strata(self) -> int:
        return 0 if self.sigma_known else self.noise.residual.n_strata

    @cached_property
    def size(self) -> int:
        """How many numbers the vector holds."""
        return len(self.place) + self.strata + len(self.noise.residual.parameters)

    def value_and_gradient(self, x: Floats) -> tuple[float, Floats]:
        """At a vector of shape (size,); −inf and zeros outside the domain."""
        n, residual = len(self.place), self.noise.residual
        nothing = -np.inf, np.zeros(self.size)
        sigmas = x[n : n + self.strata] if self.strata else np.ones(1)
        values = x[n + self.strata :]
        if not np.all(np.isfinite(x)) or np.any(sigmas <= 0):
            return nothing
        with np.errstate(all="ignore"):
            delta = residual.delta(sigmas[None], values[None])[0]
            e = x[:n][self.place] / sigmas[0]
            i, j = self.noise.pattern
            entries = self.noise.precision(delta[None])[0]
            solved = np.bincount(i, entries * e[j], minlength=n)
            log_det = float(self.noise.whiten(delta[None], e[:, None])[0][0])
            square = float(e @ solved)
            value = -0.5 * (n * LOG_2PI + square) - n * np.log(sigmas[0]) - log_det
            gradient = np.empty(self.size)
            gradient[self.place] = -solved / sigmas[0]
            gradient[n : n + self.strata] = self._by_sigma(e * solved, sigmas)
            gradient[n + self.strata :] = self._by_values(delta, e, solved)
        if not (np.isfinite(value) and np.all(np.isfinite(gradient))):
            return nothing
        return float(value), gradient

    def draw(self, numbers: Floats, rng: np.random.Generator) -> Floats:
        """Residuals at S points of sigma and the structure's numbers, (S, strata + d): (S, n)."""
        sigmas = numbers[:, : self.strata] if self.strata else np.ones((len(numbers), 1))
        delta = self.noise.residual.delta(sigmas, numbers[:, self.strata :])
        drawn = self.noise.draw(delta, rng.standard_normal((len(numbers), len(self.place))))
        out = np.empty_like(drawn)
        out[:, self.place] = sigmas[:, :1] * drawn
        return out

    def _by_sigma(self, products: Floats, sigmas: Floats) -> Floats:
        """A stratum's log sd scales its residuals: -n_s + sum of e (R⁻¹e) over its rows."""
        if not self.strata:
            return np.empty(0)
        strata = self.noise.residual.strata
        if strata is None:
            return (products.sum(keepdims=True) - len(products)) / sigmas
        codes = strata.codes[self.noise.rows]
        found = np.bincount(codes, products - 1.0, minlength=self.strata)
        return np.asarray(found / sigmas)

    def _by_values(self, delta: Floats, e: Floats, solved: Floats) -> Floats:
        """Variance functions as strata; a pattern's numbers by differences of what is left."""
        residual = self.noise.residual
        functions = [
            float(f.base[self.noise.rows] @ (e * solved - 1.0)) for f in residual.functions
        ]
        count = 0 if residual.correlated is None else len(residual.correlated.parameters)
        if not count:
            return np.array(functions)
        moves = np.zeros((count, len(delta)))
        moves[:, -count:] = STEP * np.eye(count)
        points = np.concatenate([delta + moves, delta - moves])
        log_det, white = self.noise.whiten(points, e[:, None])
        found = -log_det - 0.5 * np.sum(white[:, :, 0] ** 2, axis=1)
        by_z = (found[:count] - found[count:]) / (2 * STEP)
        natural = residual.natural(points)[1][:, -count:]
        slope = (natural[:count] - natural[count:]) / (2 * STEP)  # [z, value]
        return np.concatenate([functions, np.linalg.solve(slope, by_z)])

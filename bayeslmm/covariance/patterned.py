"""Standard deviations of coefficients about a correlation pattern: Sigma = D C D."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayeslmm.covariance.base import Flags, Floats, Scales, Structure
from bayeslmm.covariance.correlation import Correlation, Parameter, Places

STEP = 1e-6  # of the correlations' differences
ROUNDING = 1e-12  # an eigenvalue below minus this, a coefficient, is none of a correlation's


@dataclass(frozen=True, eq=False)
class Patterned(Structure):
    """Coefficients of a level that co-vary by a pattern. theta and psi hold the standard
    deviations (as they are; as logs), then the pattern's free coordinates.

    Attributes
    ----------
    pattern : Correlation
    places : Places
    homogeneous : bool
        Whether all coefficients share one standard deviation.
    """

    pattern: Correlation
    places: Places
    homogeneous: bool
    linear: ClassVar[bool] = False

    @property
    def name(self) -> str:  # type: ignore[override]
        """The pattern's."""
        return self.pattern.name

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.pattern.parameters(self.places)

    def n_parameters(self, k: int) -> int:
        return len(self.free_sds(k)) + len(self.parameters)

    def free_sds(self, k: int) -> tuple[int, ...]:
        return (0,) if self.homogeneous else tuple(range(k))

    def theta_lower(self, k: int) -> Floats:
        return np.concatenate([np.zeros(self._sds(k)), np.full(len(self.parameters), -np.inf)])

    def theta_start(self, k: int) -> Floats:
        start = np.array([p.start for p in self.parameters])
        return np.concatenate([np.ones(self._sds(k)), self.pattern.free(start, self.places)])

    def theta_unit(self, scale: Floats) -> Floats:
        own = np.array([float(np.mean(scale))]) if self.homogeneous else np.asarray(scale)
        return np.concatenate([own, np.ones(len(self.parameters))])

    def canonical(self, theta: Floats, k: int) -> tuple[Floats, Flags]:
        """Correlations of coefficients without variance are held: nothing depends on them."""
        held = np.zeros(len(theta), dtype=bool)
        held[self._sds(k) :] = np.all(theta[: self._sds(k)] == 0)
        return theta, held

    def starts(self, k: int) -> Floats:
        own = self.pattern.free(self.pattern.starts(self.places), self.places)
        return np.concatenate([np.ones((len(own), self._sds(k))), own], axis=1)

    def factor(self, theta: Floats, k: int) -> Floats:
        values, vectors = self._spectrum(theta[:, self._sds(k) :])
        return np.asarray(self._whole(theta, k)[:, :, None] * vectors * np.sqrt(values)[:, None])

    def factor_slopes(self, theta: Floats, k: int) -> Floats:
        """Of the root `D U S` of D C D, where C = U S² U'.

        For a change dC, the change `U A` of `U S` with A_ij = (U' dC U)_ij s_j / (s_i² + s_j²)
        gives it back, and where C is nearly singular no digit is lost: a Cholesky factor's last
        pivots, and their changes, would be rounding errors.
        """
        count = self._sds(k)
        found, vectors = self._spectrum(theta[None, count:])
        root, sd = vectors[0] * np.sqrt(found[0]), self._whole(theta[None], k)[0]
        by_sd = root[None] if self.homogeneous else np.eye(k)[:, :, None] * root
        z = theta[count:]
        moves = STEP * np.eye(len(z))
        points = self.pattern.constrain(np.concatenate([z + moves, z - moves]), self.places)[0]
        matrices = self.pattern.matrix(points, self.places)
        change = (matrices[: len(z)] - matrices[len(z) :]) / (2 * STEP)
        both = found[0][:, None] + found[0]
        share = np.divide(np.sqrt(found[0]), both, out=np.zeros_like(both), where=both > 0)
        inner = (vectors[0].T @ change @ vectors[0]) * share
        return np.concatenate([by_sd, sd[:, None] * (vectors[0] @ inner)])

    def scales(self, psi: Floats, k: int) -> Scales:
        sd = np.exp(psi[:, : self._sds(k)])
        values, log_jacobian = self.pattern.constrain(psi[:, self._sds(k) :], self.places)
        whole = np.repeat(sd, k, axis=1) if self.homogeneous else sd
        root = whole[:, :, None] * self.pattern.root(values, self.places)
        log_jacobian = log_jacobian + psi[:, : self._sds(k)].sum(axis=1)
        return Scales(root, whole, log_jacobian, values)

    def natural(self, theta: Floats, k: int) -> Floats:
        return self.pattern.constrain(theta[:, self._sds(k) :], self.places)[0]

    def psi(self, covariance: Floats) -> Floats:
        variance = np.diag(covariance)
        values = self.numbers(covariance)
        own = np.array([np.mean(variance)]) if self.homogeneous else variance
        return np.concatenate([0.5 * np.log(own), self.pattern.free(values, self.places)])

    def numbers(self, covariance: Floats) -> Floats:
        """Natural values of `parameters`, shape (d,), that are nearest to a covariance, (k, k).

        A coefficient without variance correlates with nothing: only the others count, and where
        there are none the numbers are those that a search begins with.
        """
        sd = np.sqrt(np.clip(np.diag(covariance), 0.0, None))
        known = np.where(sd > 0, sd, np.nan)
        return self.pattern.guess(covariance / np.outer(known, known), self.places)

    def psi_of(self, sd: Floats, values: Floats) -> Floats:
        """The psi, shape (S, n_parameters), of sds, (S, k), and natural values, (S, d)."""
        own = sd[:, :1] if self.homogeneous else sd
        return np.concatenate([np.log(own), self.pattern.free(values, self.places)], axis=1)

    def _sds(self, k: int) -> int:
        return 1 if self.homogeneous else k

    def _whole(self, theta: Floats, k: int) -> Floats:
        """Every coefficient's standard deviation, shape (S, k)."""
        sd = theta[:, : self._sds(k)]
        return np.repeat(sd, k, axis=1) if self.homogeneous else sd

    def _spectrum(self, z: Floats) -> tuple[Floats, Floats]:
        """Eigenvalues, (S, k), and eigenvectors, (S, k, k), of the correlations; NaN where they
        are none."""
        matrices = self.pattern.matrix(self.pattern.constrain(z, self.places)[0], self.places)
        ok = np.all(np.isfinite(matrices), axis=(1, 2))
        values, vectors = np.full(matrices.shape[:2], np.nan), np.full_like(matrices, np.nan)
        values[ok], vectors[ok] = np.linalg.eigh(matrices[ok])
        least = -ROUNDING * matrices.shape[1]
        return np.where(values >= least, np.maximum(values, 0.0), np.nan), vectors

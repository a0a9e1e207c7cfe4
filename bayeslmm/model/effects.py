"""Distributions of random effects other than the normal.

Each is `u_j = L z_j` with a standard density of z, L a root of the factor's covariance (of its
scale matrix, for heavy tails); what it has beside L are its extra parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.priors import Beta, Gamma, Normal, Prior

Floats = NDArray[np.float64]
Extras = Mapping[str, Floats]
Declared = tuple[Prior, float, float]


class EffectDistribution:
    """A distribution of a level's effects. Subclasses are stateless.

    Attributes
    ----------
    name : str
    parameters : tuple of str
        What there is beside standard deviations and correlations.
    """

    name: ClassVar[str] = ""
    parameters: ClassVar[tuple[str, ...]] = ()

    def extras(self, group: str, coefs: tuple[str, ...]) -> dict[str, Declared]:
        """By key: default prior, lower and upper bound of an extra parameter."""
        raise NotImplementedError

    def standard_log_density(self, z: Floats, extras: Extras) -> Floats:
        """Log density of z, shape (..., J, k), where L is the identity; shape (..., J)."""
        raise NotImplementedError

    def standard_draw(
        self, rng: np.random.Generator, extras: Extras, levels: int, k: int
    ) -> Floats:
        """Independent z, shape (levels, k)."""
        raise NotImplementedError

    def log_density(self, u: Floats, root: Floats, extras: Extras) -> Floats:
        """Log density of each level's effects.

        Parameters
        ----------
        u : ndarray, shape (..., J, k)
        root : ndarray, shape (..., k, k)
            L, lower triangular.
        extras : mapping of str to ndarray
            By parameter, with the same leading axes.

        Returns
        -------
        ndarray, shape (..., J)
        """
        z = np.linalg.solve(root, u.swapaxes(-1, -2)).swapaxes(-1, -2)
        log_det = np.log(np.einsum("...ii->...i", root)).sum(axis=-1)
        return np.asarray(self.standard_log_density(z, extras) - log_det[..., None])

    def draw(self, rng: np.random.Generator, root: Floats, extras: Extras, levels: int) -> Floats:
        """Independent effects of some levels, shape (levels, k); root of shape (k, k)."""
        return np.asarray(self.standard_draw(rng, extras, levels, len(root)) @ root.T)


class StudentT(EffectDistribution):
    """Multivariate t on nu degrees of freedom: ``u_j = L z_j / sqrt(w_j / nu)``, w_j chi-square.

    ``sd`` is the scale, as in brms's ``gr(dist = "student")``: Var(u) = nu/(nu - 2) L L'.
    """

    name: ClassVar[str] = "student_t"
    parameters: ClassVar[tuple[str, ...]] = ("nu",)

    def extras(self, group: str, coefs: tuple[str, ...]) -> dict[str, Declared]:
        return {f"nu_{group}": (Gamma(2.0, 0.1), 0.0, np.inf)}

    def standard_log_density(self, z: Floats, extras: Extras) -> Floats:
        nu, k = np.asarray(extras["nu"])[..., None], z.shape[-1]
        constant = special.gammaln((nu + k) / 2) - special.gammaln(nu / 2)
        constant = constant - 0.5 * k * np.log(nu * np.pi)
        return np.asarray(constant - 0.5 * (nu + k) * np.log1p(np.sum(z**2, axis=-1) / nu))

    def standard_draw(
        self, rng: np.random.Generator, extras: Extras, levels: int, k: int
    ) -> Floats:
        nu = float(extras["nu"])
        z = rng.standard_normal((levels, k))
        return np.asarray(z / np.sqrt(rng.chisquare(nu, (levels, 1)) / nu))


class Mixture(EffectDistribution):
    """Two normal clusters: with probability p about (1 - p) L d, else about -p L d.

    The mean is zero, and L L' is the covariance within a cluster, which ``sd`` and ``cor`` are
    of: Var(u) = L (I + p (1 - p) d d') L'. p is ``share``, d ``shift``, in units of the
    within-cluster sd; its first element is positive, which tells the clusters apart (the
    heterogeneity model of Verbeke & Lesaffre, 1996, JASA 91, 217-221).
    """

    name: ClassVar[str] = "mixture"
    parameters: ClassVar[tuple[str, ...]] = ("share", "shift")

    def extras(self, group: str, coefs: tuple[str, ...]) -> dict[str, Declared]:
        return {
            f"share_{group}": (Beta(2.0, 2.0), 0.0, 1.0),
            f"shift_{group}": (Normal(0.0, 2.0), -np.inf, np.inf),
        }

    def standard_log_density(self, z: Floats, extras: Extras) -> Floats:
        p = np.asarray(extras["share"])[..., None]
        d = np.asarray(extras["shift"])[..., None, :]
        high = np.log(p) - 0.5 * np.sum((z - (1 - p[..., None]) * d) ** 2, axis=-1)
        low = np.log1p(-p) - 0.5 * np.sum((z + p[..., None] * d) ** 2, axis=-1)
        return np.asarray(np.logaddexp(high, low) - 0.5 * z.shape[-1] * np.log(2 * np.pi))

    def standard_draw(
        self, rng: np.random.Generator, extras: Extras, levels: int, k: int
    ) -> Floats:
        p, d = float(extras["share"]), np.asarray(extras["shift"])
        high = rng.random((levels, 1)) < p
        return np.asarray(np.where(high, 1 - p, -p) * d + rng.standard_normal((levels, k)))


EFFECTS: dict[str, EffectDistribution] = {e.name: e for e in (StudentT(), Mixture())}

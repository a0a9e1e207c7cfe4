"""A mixture of multivariate t densities: draws, density, and sums for its adaptation.

Degrees of freedom are such that (nu + d)/2 is a whole number: a component's density is then a
power by repeated multiplication, and a mixture needs no logarithm but the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.linalg.compiled import vector_kernel

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
GUARD_NU = 2
CORE_NU = 31
BLOCK = 128  # points that are worked on together, while they are in the cache
TINY = 1e-300  # the density of a point that is infinitely far from every component


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over weighted points for each of K components.

    Attributes
    ----------
    mass : ndarray, shape (K,)
        Of weight times responsibility.
    robust : ndarray, shape (K,)
        The same times the t density's own weight, (nu + d)/(nu + squared distance).
    first, second : ndarray, shapes (K, d) and (K, d, d)
        Of x − mean and its squares by the robust weights.
    """

    mass: Floats
    robust: Floats
    first: Floats
    second: Floats


@dataclass(frozen=True, slots=True)
class Mixture:
    """A mixture of K multivariate t densities; the first component guards the tails.

    Attributes
    ----------
    means : ndarray, shape (K, d)
    factors, inverses : ndarray, shape (K, d, d)
        Lower Cholesky factors of the scale matrices, and their inverses.
    shares : ndarray, shape (K,)
    heights : ndarray, shape (K,)
        Share times density at the mean.
    nu, powers : ndarray of int, shape (K,)
        Degrees of freedom, and (nu + d)/2.
    """

    means: Floats
    factors: Floats
    inverses: Floats
    shares: Floats
    heights: Floats
    nu: Whole
    powers: Whole

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        """Draws, shape (size, d); the components' counts are their shares, rounded."""
        edges = np.round(np.cumsum([0.0, *self.shares]) * size).astype(int)
        x = rng.standard_normal((size, self.means.shape[1]))
        for k, (a, b) in enumerate(pairwise(edges)):
            # chi² of nu degrees is twice a gamma of shape nu/2
            chi = rng.standard_gamma(0.5 * self.nu[k], b - a) * (2.0 / self.nu[k])
            x[a:b] = self.means[k] + (x[a:b] / np.sqrt(chi)[:, None]) @ self.factors[k].T
        return x

    def density(self, x: Floats) -> Floats:
        """Density of the mixture, shape (S,)."""
        out = np.empty(len(x))
        _density(
            np.ascontiguousarray(x.T),
            self.means,
            self.inverses,
            self.heights,
            self.nu,
            self.powers,
            out,
        )
        return out

    def sums(self, x: Floats, weights: Floats) -> tuple[Sums, Floats]:
        """What expectation-maximisation needs of weighted points, and the density there."""
        k, d = self.means.shape
        out = Sums(np.zeros(k), np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d)))
        density = np.empty(len(x))
        _sums(
            np.ascontiguousarray(x.T), weights,
            self.means, self.inverses, self.heights, self.nu, self.powers,
            out.mass, out.robust, out.first, out.second, density,
        )  # fmt: skip
        out.second[:] += np.tril(out.second, -1).swapaxes(1, 2)
        return out, density


def mixture(means: Floats, factors: Floats, shares: Floats) -> Mixture:
    """The proposal of these means, factors and shares; the first component is the guard."""
    d = means.shape[1]
    nu = np.full(len(means), CORE_NU + (CORE_NU + d) % 2)
    nu[0] = GUARD_NU + (GUARD_NU + d) % 2
    log_heights = (
        special.gammaln(0.5 * (nu + d))
        - special.gammaln(0.5 * nu)
        - 0.5 * d * np.log(nu * np.pi)
        - np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    )
    heights = shares * np.exp(log_heights)
    return Mixture(means, factors, np.linalg.inv(factors), shares, heights, nu, (nu + d) // 2)


@vector_kernel
def _component(
    x: Floats, a: int, n: int, mean: Floats, inverse: Floats, height: float, nu: int, power: int,
    room: Floats, tail: Floats, part: Floats,
) -> None:  # fmt: skip
    """Density of a component at n points from a on, and 1/(1 + squared distance/nu)."""
    z = room[0]
    tail[:n] = 0.0
    for i in range(len(mean)):
        z[:n] = 0.0
        for j in range(i + 1):
            for s in range(n):
                z[s] += inverse[i, j] * (x[j, a + s] - mean[j])
        for s in range(n):
            tail[s] += z[s] * z[s]
    for s in range(n):
        tail[s] = 1.0 / (1.0 + tail[s] / nu)
        z[s] = tail[s]
        part[s] = height
    while power > 0:  # by repeated squaring, for all points at once
        if power % 2 == 1:
            for s in range(n):
                part[s] *= z[s]
        for s in range(n):
            z[s] *= z[s]
        power //= 2


@vector_kernel
def _density(
    x: Floats, means: Floats, inverses: Floats, heights: Floats, nu: Whole, powers: Whole,
    out: Floats,
) -> None:  # fmt: skip
    """Density of the mixture at every point, x of shape (d, S)."""
    room, tail, part = np.empty((1, BLOCK)), np.empty(BLOCK), np.empty(BLOCK)
    for a in range(0, x.shape[1], BLOCK):
        n = min(BLOCK, x.shape[1] - a)
        out[a : a + n] = TINY
        for k in range(len(nu)):
            _component(
                x, a, n, means[k], inverses[k], heights[k], nu[k], powers[k], room, tail, part
            )
            for s in range(n):
                out[a + s] += part[s]


@vector_kernel
def _sums(
    x: Floats, weights: Floats, means: Floats, inverses: Floats, heights: Floats, nu: Whole,
    powers: Whole, mass: Floats, robust: Floats, first: Floats, second: Floats,
    density: Floats,
) -> None:  # fmt: skip
    """Fill `Sums`, and the density of the mixture, x of shape (d, S)."""
    d, size = x.shape
    room, steps = np.empty((1, BLOCK)), np.empty((d, BLOCK))
    tails, parts = np.empty((len(nu), BLOCK)), np.empty((len(nu), BLOCK))
    for a in range(0, size, BLOCK):
        n = min(BLOCK, size - a)
        total = density[a : a + n]
        total[:] = TINY
        for k in range(len(nu)):
            _component(
                x, a, n, means[k], inverses[k], heights[k], nu[k], powers[k],
                room, tails[k], parts[k],
            )  # fmt: skip
            for s in range(n):
                total[s] += parts[k, s]
        for k in range(len(nu)):
            w = tails[k]
            for s in range(n):
                share = weights[a + s] * parts[k, s] / total[s]
                mass[k] += share
                w[s] *= share * (nu[k] + d) / nu[k]
                robust[k] += w[s]
            for i in range(d):
                line = room[0]
                for s in range(n):
                    steps[i, s] = x[i, a + s] - means[k, i]
                    line[s] = w[s] * steps[i, s]
                    first[k, i] += line[s]
                for j in range(i + 1):
                    dot = 0.0
                    for s in range(n):
                        dot += line[s] * steps[j, s]
                    second[k, i, j] += dot

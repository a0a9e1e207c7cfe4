"""The contract of a correlation pattern: what k places have in common, by a few numbers.

A pattern serves coefficients of a level (then the places are coefficients, and standard deviations
stand beside it) and residuals of a group (then they are occasions or points).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bayeslmm.linalg.batched import cholesky
from bayeslmm.linalg.leastsquares import fitted
from bayeslmm.priors import Prior

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
FARTHEST = 18.0  # of a coordinate: beyond it a bounded parameter is on its bound in float64
NEAR, FAR = 1e-4, 1e3  # of the way between two bounds, and times the start
ROUNDING = 1e-14  # of a correlation's diagonal, a place
TINIEST = 345.0  # the same of one that may be as near to zero, or as large, as float64 holds


@dataclass(frozen=True, eq=False)
class Places:
    """What correlates: coefficients, occasions or points.

    Attributes
    ----------
    labels : tuple of str
    at : ndarray, shape (k, d)
        Where they are: whole numbers in order for occasions (gaps counted), times, coordinates.
    """

    labels: tuple[str, ...]
    at: Floats

    def __len__(self) -> int:
        return len(self.at)

    def take(self, which: Ints) -> Places:
        """Some of them."""
        labels = tuple(self.labels[i] for i in which) if self.labels else ()
        return Places(labels, self.at[which])

    @property
    def distances(self) -> Floats:
        """Between every two, shape (k, k)."""
        return distances(self.at)

    @cached_property
    def reach(self) -> tuple[float, float]:
        """The least and the greatest distance between two that differ."""
        if self.at.shape[1] == 1:
            inner = np.unique(self.at)
            gaps = np.diff(inner)
            return (float(gaps.min()), float(inner[-1] - inner[0])) if len(gaps) else (1.0, 1.0)
        found = self.distances if len(self) <= 500 else Places((), self.at[:500]).distances
        positive = found[found > 0]
        return (float(positive.min()), float(positive.max())) if len(positive) else (1.0, 1.0)


def distances(at: Floats) -> Floats:
    """Between every two points of a list, (..., k, d) to (..., k, k)."""
    return np.sqrt(np.sum((at[..., :, None, :] - at[..., None, :, :]) ** 2, axis=-1))


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number of a pattern, on its natural scale.

    Attributes
    ----------
    name : str
    lower, upper : float
        Its bounds, open.
    start : float
    prior : Prior
        By default.
    """

    name: str
    lower: float
    upper: float
    start: float
    prior: Prior


class Correlation:
    """A family of correlation matrices. Subclasses are frozen: options are their fields.

    Parameters have a natural scale and free coordinates z, any real numbers. Arrays have a
    leading batch axis S.

    Attributes
    ----------
    name : str
    homogeneous : bool
        Whether one standard deviation is shared where nothing is said, as in lme4 and glmmTMB.
    places : {"any", "order", "points"}
        What the places have to be: anything, ordered occasions, points in time or space.
    whole : bool
        Whether the numbers belong to the list of places, so that some of them take a part of the
        whole matrix; else the matrix of some is known from where they are.
    joint : bool
        Whether its numbers bound each other, beside their own bounds.
    """

    name: ClassVar[str] = ""
    homogeneous: ClassVar[bool] = True
    places: ClassVar[str] = "any"
    whole: ClassVar[bool] = False
    joint: ClassVar[bool] = False

    def parameters(self, places: Places) -> tuple[Parameter, ...]:
        """Its numbers."""
        raise NotImplementedError

    def matrix(self, values: Floats, places: Places) -> Floats:
        """Correlation matrices, shape (S, k, k), at natural values, shape (S, d)."""
        raise NotImplementedError

    def steps(self, values: Floats, places: Places, before: Ints, after: Ints) -> Floats | None:
        """Correlations of places that follow each other, shape (S, pairs); None where the pattern
        is no Markov chain along its order.

        Parameters
        ----------
        values : ndarray, shape (S, d)
        places : Places
        before, after : ndarray of intp, shape (pairs,)
            Which places.
        """
        return None

    def constrain(self, z: Floats, places: Places) -> tuple[Floats, Floats]:
        """Natural values, shape (S, d), and log |d values / d z|, shape (S,)."""
        return bounded(z, self.parameters(places))

    def free(self, values: Floats, places: Places) -> Floats:
        """The z, shape (..., d), of natural values."""
        return unbounded(values, self.parameters(places))

    def guess(self, correlation: Floats, places: Places) -> Floats:
        """Natural values, shape (d,), whose matrix is nearest to the given one, shape (k, k).

        NaN stands for a correlation that is not known; where none is, the answer is the start.
        """
        known = np.tril(np.isfinite(correlation), -1)
        if not known.any():
            return np.array([p.start for p in self.parameters(places)])
        start = self.free(self.near(correlation, places), places)
        least, most = _limits(self.parameters(places))
        least, most = np.maximum(least, start - FARTHEST), np.minimum(most, start + FARTHEST)

        def miss(z: Floats) -> Floats:
            values = self.constrain(np.clip(z, least, most)[None], places)[0]
            return np.asarray((self.matrix(values, places)[0] - correlation)[known])

        if not len(start):
            return start
        z = np.clip(fitted(miss, start), least, most)
        return np.asarray(self.constrain(z[None], places)[0][0])

    def edges(self, values: Floats, places: Places) -> list[str | None]:
        """For each natural value, (d,), the edge of its range that it is at, if at any.

        Between two bounds within a ten-thousandth of the way, else a thousand times its start.
        """
        return [_edge(p, float(v)) for p, v in zip(self.parameters(places), values, strict=True)]

    def near(self, correlation: Floats, places: Places) -> Floats:
        """Natural values, shape (d,), from which to look for the nearest matrix."""
        return np.array([p.start for p in self.parameters(places)])

    def covers(self, places: Places, at: Floats) -> NDArray[np.bool_]:
        """Whether the correlations of `places` with further ones at `at`, (m, d), are known."""
        return np.full(len(at), not self.whole)

    def root(self, values: Floats, places: Places) -> Floats:
        """Lower Cholesky factors of the matrices, shape (S, k, k); NaN where there is none.

        A matrix that is singular but for rounding is factored with rounding's size added to its
        diagonal: that of smooth correlations of near places is.
        """
        matrices = self.matrix(values, places)
        found = cholesky(matrices)
        lost = np.isnan(found[:, -1, -1]) & np.all(np.isfinite(matrices), axis=(1, 2))
        if np.any(lost):
            found[lost] = cholesky(matrices[lost] + ROUNDING * len(places) * np.eye(len(places)))
        return found

    def starts(self, places: Places) -> Floats:
        """Natural values worth a look before a search, the usual start first, (some, d)."""
        return np.array([[p.start for p in self.parameters(places)]])

    def parts(self, values: Floats, places: Places, which: Ints) -> Floats:
        """Correlations of U sets of k of the places, shape (S, U, k, k).

        Parameters
        ----------
        values : ndarray, shape (S, d)
        places : Places
        which : ndarray of intp, shape (U, k)
        """
        if self.whole:
            return self.matrix(values, places)[:, which[:, :, None], which[:, None, :]]
        return np.stack([self.matrix(values, places.take(own)) for own in which], axis=1)


def _edge(p: Parameter, value: float) -> str | None:
    if np.isfinite(p.upper):
        share = (value - p.lower) / (p.upper - p.lower)
        if share < NEAR or share > 1 - NEAR:
            return f"{p.lower if share < 0.5 else p.upper:g}"
    elif np.isfinite(p.lower):
        if value > FAR * p.start:
            return "infinity"
        if value - p.lower < p.start / FAR:
            return f"{p.lower:g}"
    return None


def bounded(z: Floats, parameters: tuple[Parameter, ...]) -> tuple[Floats, Floats]:
    """Each z to its parameter's range, and the sum of the logs of the slopes.

    Between two bounds by the hyperbolic tangent, above one by the exponential.
    """
    out, total = np.array(z, dtype=np.float64), np.zeros(z.shape[:-1])
    for i, p in enumerate(parameters):
        own = z[..., i]
        if np.isfinite(p.upper):
            width = 0.5 * (p.upper - p.lower)
            size = np.abs(own)
            small = np.exp(-2 * size)  # 1 + tanh and log(1 - tanh²) without cancellation
            out[..., i] = p.lower + 2 * width * np.where(own < 0, small, 1.0) / (1.0 + small)
            total += np.log(width) + 2 * (np.log(2.0) - size - np.log1p(small))
        elif np.isfinite(p.lower):
            out[..., i] = p.lower + np.exp(np.clip(own, -TINIEST, TINIEST))
            total += own
    return out, total


def unbounded(values: Floats, parameters: tuple[Parameter, ...]) -> Floats:
    """The inverse of `bounded`."""
    out = np.array(values, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        for i, p in enumerate(parameters):
            if np.isfinite(p.upper):
                share = (values[..., i] - p.lower) / (p.upper - p.lower)
                out[..., i] = 0.5 * (np.log(share) - np.log1p(-share))
            elif np.isfinite(p.lower):
                out[..., i] = np.log(values[..., i] - p.lower)
    return np.clip(out, *_limits(parameters))


def _limits(parameters: tuple[Parameter, ...]) -> tuple[Floats, Floats]:
    """Of the coordinates: what lies beyond is on a bound in float64, or no number at all."""
    least = [-FARTHEST if np.isfinite(p.upper) and p.lower != 0 else -TINIEST for p in parameters]
    most = [FARTHEST if np.isfinite(p.upper) else TINIEST for p in parameters]
    return np.array(least), np.array(most)

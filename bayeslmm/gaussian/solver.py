"""What the equations ask of the random part: one contract, a solver for each kind of design.

With `M = Lambda'Z'WZ Lambda + I` (q x q, all random columns) and F the fixed columns and the
response, m numbers a row, a solver eliminates the random part:

    log|L_Z| = log|M| / 2,      tail = F'WF - F'WZ Lambda M⁻¹ Lambda'Z'WF   (m x m).

The fixed columns' own equations are left to `equations`, so that a prior of beta or another
sigma costs no new elimination. Lambdas are in the room's coordinates. Arrays of random effects
are lists by block of the design.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Blocks = tuple[Floats, ...]
WORTH = 1e-5  # seconds of work from which a thread saves time
Combinations = tuple[tuple[NDArray[np.intp], Floats], ...]  # level (-1: none), coefficients


@dataclass(frozen=True, slots=True)
class Reduced:
    """What elimination leaves at S points.

    Attributes
    ----------
    log_det : ndarray, shape (S,)
        log|L_Z|.
    tail : ndarray, shape (S, m, m)
    """

    log_det: Floats
    tail: Floats


@dataclass(frozen=True, slots=True)
class Slopes:
    """Derivatives with respect to every block's Lambda, each of shape (k, k).

    Attributes
    ----------
    log_det : tuple of ndarray
        Of log|L_Z|.
    tails : tuple of ndarray, each of shape (r, k, k)
        Of `<W, tail>` for each of r weight matrices W.
    """

    log_det: Blocks
    tails: Blocks


@dataclass(frozen=True, slots=True)
class Inverse:
    """The inverse where it is needed, by block.

    Attributes
    ----------
    own : tuple of ndarray, each of shape (J, k, k)
        Each level's own block of M⁻¹.
    solutions : tuple of ndarray, each of shape (J, k, m)
        `M⁻¹ Lambda'Z'WF`.
    """

    own: Blocks
    solutions: Blocks


class Point(Protocol):
    """The random part factored at one point."""

    @property
    def reduced(self) -> Reduced:
        """With S = 1."""

    def slopes(self, weights: Floats) -> Slopes:
        """Derivatives at the point; weights of shape (r, m, m), symmetric."""

    def inverse(self) -> Inverse:
        """The levels' own blocks of the inverse, and the solutions for F."""

    def draw(self, outer: Blocks, v: Floats, noise: Blocks | None) -> Blocks:
        """As `Solver.draw`, outer of shape (k, k) each: one factorisation for all S draws."""

    def variance(self, random: Combinations) -> Floats:
        """`z'Lambda M⁻¹ Lambda'z` of r combinations z, shape (r,): for each block their level,
        shape (r,), -1 for none, and its coefficients, shape (r, k)."""


class Solver(Protocol):
    """The random part of one design: symbolic work done, ready for any Lambda."""

    @property
    def seconds(self) -> float:
        """One factorisation on one core, about: counted, so the same on every machine."""

    def reduce(self, lambdas: Blocks) -> Reduced:
        """At S points: lambdas of shape (S, k, k) each."""

    def point(self, lambdas: Blocks) -> Point:
        """At one point: lambdas of shape (k, k) each."""

    def draw(self, lambdas: Blocks, outer: Blocks, v: Floats, noise: Blocks | None) -> Blocks:
        """`u = outer (M⁻¹ Lambda'Z'WF v + L_Z⁻ᵀ noise)` at S points, (S, J, k) by block.

        Parameters
        ----------
        lambdas, outer : tuple of ndarray, each of shape (S, k, k)
            The latter takes b to the users' u.
        v : ndarray, shape (S, m)
            (-beta, 1): what is left of the response.
        noise : tuple of ndarray, each of shape (S, J, k), optional
            Standard normals times sigma; none for the mean.
        """

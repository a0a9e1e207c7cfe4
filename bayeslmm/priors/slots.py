"""What a model has that needs a prior, with the scales of the default policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.priors.base import Prior

Floats = NDArray[np.float64]

CENTRED = "_centred"  # what the key of a coefficient at the centre of covariates ends in
RESIDUAL = "residual"  # what a free correlation of the residuals goes by: cor_residual


@dataclass(frozen=True, slots=True)
class Slot:
    """A parameter with a prior of its own, beside coefficients and random effects.

    Attributes
    ----------
    default : Prior
    lower, upper : float
        Its bounds.
    also : tuple of str
        More general keys that stand for it too.
    """

    default: Prior
    lower: float = 0.0
    upper: float = np.inf
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TermSlot:
    """The effects of one random term that have standard deviations of their own.

    Attributes
    ----------
    coefs : tuple of str
    scale : ndarray, shape (k,)
        Standard deviation of each column, 1 for a constant one.
    correlated : bool
        Whether they have correlations to estimate.
    moved : tuple of bool, length k
        Which coefficients differ at the centre of the covariates.
    centred_scale : ndarray, shape (k,)
        Standard deviation of each column at the centre.
    T : ndarray, shape (k, k), optional
        From the coefficients at the centre to the user's; None where all are the same.
    """

    coefs: tuple[str, ...]
    scale: Floats
    correlated: bool = False
    moved: tuple[bool, ...] = ()
    centred_scale: Floats | None = None
    T: Floats | None = None

    def reach(self, unit: float) -> Floats:
        """Scales of the user's standard deviations that those at the centre imply, shape (k,)."""
        if self.T is None or self.centred_scale is None:
            return np.asarray(unit / self.scale)
        return np.asarray(unit * np.sqrt(np.sum((self.T / self.centred_scale) ** 2, axis=1)))


@dataclass(frozen=True, slots=True)
class Slots:
    """What a model has that needs a prior, with the scales of the default policy.

    Attributes
    ----------
    coefs : tuple of str
        Fixed-effects coefficients, ``Intercept`` included where there is one.
    x_scale : ndarray, shape (p,)
        Standard deviation of each column of the centred design, 1 for a constant one.
    moved : tuple of bool, length p
        Which coefficients differ at the centre of the covariates.
    random : dict of str to tuple of TermSlot
        The terms of each grouping factor.
    residual_correlated : bool
        Whether the residuals have correlations to estimate.
    others : dict of str to Slot
        ``sigma`` and whatever else the response and the effects' distributions have.
    centre : float
        Where the linear predictor is about.
    slope : float
        The linear predictor's change that a default slope's prior has for its sd, over one sd
        of the column; the intercept's too.
    effect : float
        The same for the scale of the effects' standard deviations.
    shares_sigma : bool
        Whether sigma's square is a part of the total variance.
    """

    coefs: tuple[str, ...]
    x_scale: Floats
    moved: tuple[bool, ...]
    random: Mapping[str, tuple[TermSlot, ...]]
    residual_correlated: bool
    others: Mapping[str, Slot]
    centre: float
    slope: float
    effect: float
    shares_sigma: bool = False

"""Estimates without pooling, population values and shrunken estimates of one fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.compare.fits import HoldsFit, beta_of, u_of
from bayeslmm.design import level_maps
from bayeslmm.engines.given import given_variances
from bayeslmm.errors import MethodError
from bayeslmm.gaussian.unshrunk import LevelEquations, Unshrunk
from bayeslmm.model import Model

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Pooling:
    """Population values, effects and reliabilities of the levels of one factor in a fit.

    Attributes
    ----------
    population : ndarray, shape (J, k)
        Each level's coefficients by the fixed effects alone.
    u : ndarray, shape (J, k)
        BLUPs or posterior means of the random effects.
    alone : ndarray, shape (J, k)
        Effects without shrinkage; NaN where the level's rows don't determine them.
    reliability : ndarray, shape (J, k)
    """

    population: Floats
    u: Floats
    alone: Floats
    reliability: Floats


def pooling(model: Model, fit: HoldsFit, index: int, levels: LevelEquations) -> Pooling:
    """Population, shrunken and unshrunk effects of one block."""
    found: Unshrunk = levels.block(index)
    population = level_maps(model.design, index).population(beta_of(fit))
    return Pooling(population, u_of(fit, index), found.effects, found.reliability)


def level_equations(model: Model, fit: HoldsFit) -> LevelEquations:
    """The mixed-model equations at a fit's variances and fixed effects: estimates, or posterior
    means.

    Raises
    ------
    MethodError
        A response that isn't Gaussian on the identity link, or a formula for sigma.
    """
    if model.family.name != "gaussian" or model.link.name != "identity":
        raise MethodError(
            "Estimates without pooling need a Gaussian response on the identity link",
            got=f"{model.family.name} on {model.link.name}",
            hint="plot_ranef shows the effects of any fit",
        )
    if model.dpars:
        raise MethodError(
            "Estimates without pooling are not available in models with dpar=",
            got=", ".join(model.dpars),
            hint="plot_ranef shows the effects of any fit",
        )
    at, _ = given_variances(model, fit.tree)
    return LevelEquations.of(model, at, beta_of(fit))

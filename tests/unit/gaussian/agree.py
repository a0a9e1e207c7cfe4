"""Everything that the equations say of a model at given variances, against the dense oracle."""

from __future__ import annotations

import numpy as np

from bayeslmm.gaussian.equations import Equations, Factor, FactorPoint, solve
from bayeslmm.gaussian.likelihood import deviance
from bayeslmm.gaussian.posterior import covariance
from bayeslmm.gaussian.variances import Variances, lambdas_from_covariances
from bayeslmm.model import Model
from tests.unit.gaussian.oracle import dense_of, diagonal_blocks, own_blocks, stacked


def factor_of(system: Equations, at: Variances) -> Factor:
    """The equations at all points at once."""
    inner = lambdas_from_covariances(system.moments.coordinates, at)
    return system.factor(inner, at.sigma**2)


def point_of(system: Equations, at: Variances, point: int = 0) -> FactorPoint:
    """The equations at one point."""
    inner = lambdas_from_covariances(system.moments.coordinates, at)
    one = slice(point, point + 1)
    return system.at(tuple(f[one] for f in inner), at.sigma[one] ** 2)


def likelihoods_agree(model: Model, system: Equations, at: Variances, rtol: float = 1e-8) -> None:
    """By the batch and by the point."""
    batch = factor_of(system, at)
    sigma2 = at.sigma**2
    values = [deviance(batch, sigma2, reml=reml) for reml in (False, True)]
    for i in range(len(at.sigma)):
        dense = dense_of(model, at, i)
        expected = [dense.ml(), dense.reml()]
        np.testing.assert_allclose([v[i] for v in values], expected, rtol=rtol)
        point = point_of(system, at, i)
        found = [deviance(point, sigma2[i : i + 1], reml=reml)[0] for reml in (False, True)]
        np.testing.assert_allclose(found, expected, rtol=rtol)


def effects_agree(model: Model, system: Equations, at: Variances, rtol: float = 1e-8) -> None:
    """BLUE and BLUP, at all points at once and from one point."""
    batch = solve(factor_of(system, at))
    for i in range(len(at.sigma)):
        dense = dense_of(model, at, i)
        beta, u = dense.blue(), dense.blup()
        one = solve(point_of(system, at, i))
        for got, place in ((batch, i), (one, 0)):
            np.testing.assert_allclose(got.beta[place], beta, rtol=rtol, atol=0.1 * rtol)
            found = stacked(tuple(x[place] for x in got.u))
            np.testing.assert_allclose(found, u, rtol=rtol, atol=0.1 * rtol)


def covariances_agree(
    model: Model, system: Equations, at: Variances, rtol: float = 1e-7, atol: float = 1e-9
) -> None:
    beta, u, u_beta, u_given = dense_of(model, at).effects_covariance()
    found = covariance(point_of(system, at), float(at.sigma[0] ** 2))
    close = {"rtol": rtol, "atol": atol}
    np.testing.assert_allclose(found.beta, beta, **close)
    for got, expected in zip(found.u, diagonal_blocks(model, u), strict=True):
        np.testing.assert_allclose(got, expected, **close)
    for got, expected in zip(found.u_given_beta, diagonal_blocks(model, u_given), strict=True):
        np.testing.assert_allclose(got, expected, **close)
    for got, expected in zip(found.u_beta, own_blocks(model, u_beta), strict=True):
        np.testing.assert_allclose(got, expected.reshape(got.shape), **close)

"""Covariance structures of coefficients, and correlation patterns of coefficients and residuals,
one a file."""

from bayeslmm.covariance.antedependence import Antedependence
from bayeslmm.covariance.arma import AutoregressiveMovingAverage
from bayeslmm.covariance.autoregressive import Autoregressive
from bayeslmm.covariance.base import Scales, Structure
from bayeslmm.covariance.compound import CompoundSymmetry
from bayeslmm.covariance.continuous import ContinuousAutoregressive
from bayeslmm.covariance.correlation import (
    Correlation,
    Parameter,
    Places,
    bounded,
    unbounded,
)
from bayeslmm.covariance.diagonal import Diagonal
from bayeslmm.covariance.exponential import Exponential
from bayeslmm.covariance.factor_analytic import FactorAnalytic
from bayeslmm.covariance.free import Free
from bayeslmm.covariance.gaussian_decay import GaussianDecay
from bayeslmm.covariance.identity import Identity
from bayeslmm.covariance.matern import Matern
from bayeslmm.covariance.patterned import Patterned
from bayeslmm.covariance.precision import Precision, precision_from_covariance, precision_of
from bayeslmm.covariance.toeplitz import Toeplitz
from bayeslmm.covariance.unstructured import Unstructured
from bayeslmm.covariance.vine import correlation_cholesky, partial_correlations

STRUCTURES: dict[str, Structure] = {s.name: s for s in (Unstructured(), Diagonal(), Identity())}
PATTERNS: dict[str, type[Correlation]] = {
    pattern.name: pattern
    for pattern in (
        Free,
        CompoundSymmetry,
        Autoregressive,
        ContinuousAutoregressive,
        AutoregressiveMovingAverage,
        Toeplitz,
        Antedependence,
        FactorAnalytic,
        Exponential,
        GaussianDecay,
        Matern,
    )
}

__all__ = [
    "PATTERNS",
    "STRUCTURES",
    "Correlation",
    "Free",
    "Parameter",
    "Patterned",
    "Places",
    "Precision",
    "Scales",
    "Structure",
    "bounded",
    "correlation_cholesky",
    "partial_correlations",
    "precision_from_covariance",
    "precision_of",
    "unbounded",
]

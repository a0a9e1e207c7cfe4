"""Covariance structures, one a file."""

from bayeslmm.covariance.base import Scales, Structure
from bayeslmm.covariance.diagonal import Diagonal
from bayeslmm.covariance.identity import Identity
from bayeslmm.covariance.unstructured import Unstructured
from bayeslmm.covariance.vine import correlation_cholesky, partial_correlations

STRUCTURES: dict[str, Structure] = {s.name: s for s in (Unstructured(), Diagonal(), Identity())}

__all__ = [
    "STRUCTURES",
    "Diagonal",
    "Identity",
    "Scales",
    "Structure",
    "Unstructured",
    "correlation_cholesky",
    "partial_correlations",
]

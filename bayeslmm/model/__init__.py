"""Specification to Model: priors, structures and family resolved; findings of the checks."""

from bayeslmm.model.build import build
from bayeslmm.model.closed import not_gaussian
from bayeslmm.model.coefficient_priors import (
    PriorRows,
    coefficient_map,
    column_of,
    isotropic,
    prior_rows,
    unreachable,
)
from bayeslmm.model.known import Known, square
from bayeslmm.model.relationship import Relationship, read_relationships, relationship
from bayeslmm.model.types import Finding, Model, Specification, Term, effects_map, prior_texts
from bayeslmm.model.variance_priors import sd_log_prior, shared_variance

__all__ = [
    "Finding",
    "Known",
    "Model",
    "PriorRows",
    "Relationship",
    "Specification",
    "Term",
    "build",
    "coefficient_map",
    "column_of",
    "effects_map",
    "isotropic",
    "not_gaussian",
    "prior_rows",
    "prior_texts",
    "read_relationships",
    "relationship",
    "sd_log_prior",
    "shared_variance",
    "square",
    "unreachable",
]

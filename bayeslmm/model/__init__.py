"""Specification to Model: priors, structures and family resolved; findings of the checks."""

from bayeslmm.model.build import build
from bayeslmm.model.closed import not_gaussian
from bayeslmm.model.coefficient_priors import PriorRows, isotropic, prior_rows, unreachable
from bayeslmm.model.types import Finding, Model, Specification, Term, prior_texts

__all__ = [
    "Finding",
    "Model",
    "PriorRows",
    "Specification",
    "Term",
    "build",
    "isotropic",
    "not_gaussian",
    "prior_rows",
    "prior_texts",
    "unreachable",
]

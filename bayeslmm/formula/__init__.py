"""Formula text to frozen values: what a model says, with nothing evaluated."""

from bayeslmm.formula.functions import ORDERED, POINTS, STRUCTURES
from bayeslmm.formula.parse import columns_of, parse, tree_of, trees_of
from bayeslmm.formula.residual import ResidualTerm, parse_residual
from bayeslmm.formula.terms import Formula, RandomTerm

__all__ = [
    "ORDERED",
    "POINTS",
    "STRUCTURES",
    "Formula",
    "RandomTerm",
    "ResidualTerm",
    "columns_of",
    "parse",
    "parse_residual",
    "tree_of",
    "trees_of",
]

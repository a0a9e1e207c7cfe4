"""Formula text to frozen values: what a model says, with nothing evaluated."""

from bayeslmm.formula.functions import STRUCTURES
from bayeslmm.formula.parse import columns_of, parse, tree_of, trees_of
from bayeslmm.formula.terms import Formula, RandomTerm

__all__ = ["STRUCTURES", "Formula", "RandomTerm", "columns_of", "parse", "tree_of", "trees_of"]

"""Fits side by side."""

from bayeslmm.compare.agreement import agreement, say_agreement
from bayeslmm.compare.deviance_table import Cell, DevianceTable, deviance_table
from bayeslmm.compare.shrinkage import shrinkage
from bayeslmm.compare.table import compare_fits

__all__ = [
    "Cell",
    "DevianceTable",
    "agreement",
    "compare_fits",
    "deviance_table",
    "say_agreement",
    "shrinkage",
]

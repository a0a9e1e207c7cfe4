"""Fits side by side."""

from bayeslmm.compare.agreement import agreement, say_agreement
from bayeslmm.compare.shrinkage import shrinkage
from bayeslmm.compare.table import compare_fits

__all__ = ["agreement", "compare_fits", "say_agreement", "shrinkage"]

"""The values of a fit: names in the DataTree, tidy tables, and saved files."""

from bayeslmm.fit.store import load, save
from bayeslmm.fit.tables import coef, fixef, ranef, varcorr
from bayeslmm.fit.tree import FitValues

__all__ = ["FitValues", "coef", "fixef", "load", "ranef", "save", "varcorr"]

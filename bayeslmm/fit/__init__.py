"""The result's values: the DataTree contract, the tidy tables, the file."""

from bayeslmm.fit.store import load, save
from bayeslmm.fit.tables import coef, fixef, ranef, varcorr
from bayeslmm.fit.tree import FitValues

__all__ = ["FitValues", "coef", "fixef", "load", "ranef", "save", "varcorr"]

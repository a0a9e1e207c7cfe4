"""One picture per file, on matplotlib, which is loaded when something is drawn."""

from bayeslmm.plots.fitted import plot_fitted
from bayeslmm.plots.ranef import plot_ranef
from bayeslmm.plots.shrinkage import plot_shrinkage

__all__ = ["plot_fitted", "plot_ranef", "plot_shrinkage"]

"""Pictures, one per file; matplotlib is loaded when the first one is drawn."""

from bayeslmm.plots.calibration import plot_calibration
from bayeslmm.plots.fitted import plot_fitted
from bayeslmm.plots.prior_predictive import plot_prior_predictive
from bayeslmm.plots.ranef import plot_ranef
from bayeslmm.plots.shrinkage import plot_shrinkage

__all__ = [
    "plot_calibration",
    "plot_fitted",
    "plot_prior_predictive",
    "plot_ranef",
    "plot_shrinkage",
]

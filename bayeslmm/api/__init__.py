"""The public Model and Fit, and the functions that take them."""

from bayeslmm.api.designs import DesignCriteria, compare_designs, design_criteria
from bayeslmm.api.door import places
from bayeslmm.api.estimable import estimable_functions, is_estimable
from bayeslmm.api.fit import Fit
from bayeslmm.api.model import Model, load_fit
from bayeslmm.api.optimal import OptimalDesign, optimal_design
from bayeslmm.api.prediction import LinearPrediction, blp
from bayeslmm.api.sums_of_squares import oneway
from bayeslmm.api.work import calibrate, from_pymc, marginal_loglik, new_data, recover
from bayeslmm.model import relationship

__all__ = [
    "DesignCriteria",
    "Fit",
    "LinearPrediction",
    "Model",
    "OptimalDesign",
    "blp",
    "calibrate",
    "compare_designs",
    "design_criteria",
    "estimable_functions",
    "from_pymc",
    "is_estimable",
    "load_fit",
    "marginal_loglik",
    "new_data",
    "oneway",
    "optimal_design",
    "places",
    "recover",
    "relationship",
]

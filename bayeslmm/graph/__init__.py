"""Model to pm.Model."""

from bayeslmm.graph.collapsed import collapsed, marginal_loglik
from bayeslmm.graph.effect_scales import own_scales, scales_in
from bayeslmm.graph.hierarchical import built, hierarchical
from bayeslmm.graph.inverse import with_free_values
from bayeslmm.graph.new_data import new_data
from bayeslmm.graph.parametrisation import choose

__all__ = [
    "built",
    "choose",
    "collapsed",
    "hierarchical",
    "marginal_loglik",
    "new_data",
    "own_scales",
    "scales_in",
    "with_free_values",
]

"""Model to pm.Model."""

from bayeslmm.graph.collapsed import collapsed, marginal_loglik
from bayeslmm.graph.hierarchical import hierarchical

__all__ = ["collapsed", "hierarchical", "marginal_loglik"]

"""Model to pm.Model."""

from bayeslmm.graph.hierarchical import hierarchical

__all__ = ["hierarchical"]

"""Counts with more zeros, whatever their own distribution is."""

from __future__ import annotations

from typing import Any

from bayeslmm.graph.families.base import Given, Node
from bayeslmm.graph.numbers import f64


def mixture(node: Node, given: Given) -> tuple[str, dict[str, Any]]:
    """A mixture of zero and of what `node` says."""
    import pymc as pm
    import pytensor.tensor as pt

    distribution, arguments = node.arguments(given)
    counted = getattr(pm, distribution).dist(**arguments, shape=given.eta.shape)
    none = pm.DiracDelta.dist(pt.zeros_like(given.eta, dtype="int64"), shape=given.eta.shape)
    zi = given.parameters["zi"] * pt.ones_like(given.eta)
    weights = pt.stack([zi, f64(1.0) - zi], axis=-1)
    return "Mixture", {"w": weights, "comp_dists": [none, counted]}

"""Counts with more zeros, whatever their own distribution is."""

from __future__ import annotations

from typing import Any

from bayeslmm.graph.families.base import Given, Node


class ZeroInflated(Node):
    """The zero-inflated distribution: 0 with probability zi, otherwise that of the inner node.

    PyMC's mixture puts an axis between a probability and its logarithm, and on PyTensor's numba
    backend the logarithm then is of what has rounded to zero; here they stay together.

    Parameters
    ----------
    inner : Node
        Of counts.
    """

    def __init__(self, inner: Node) -> None:
        self.inner = inner
        self.name = f"zero_inflated_{inner.name}"  # type: ignore[misc]

    def variable(self, name: str, given: Given, **options: Any) -> Any:
        import pymc as pm
        import pytensor.tensor as pt

        distribution, arguments = self.inner.arguments(given)

        def counted(values: Any, size: Any = None) -> Any:
            own = dict(zip(arguments, values, strict=True))
            return getattr(pm, distribution).dist(**own, size=size)

        def drawn(zi: Any, *rest: Any) -> Any:
            *values, size = rest
            none = pm.Bernoulli.dist(zi, size=size)
            return pt.switch(none, 0, counted(values, size))

        def log_density(value: Any, zi: Any, *values: Any) -> Any:
            other = pt.log1p(-zi) + pm.logp(counted(values), value)
            return pt.switch(pt.eq(value, 0), pt.logaddexp(pt.log(zi), other), other)

        zi = given.parameters["zi"] * pt.ones_like(given.eta)
        return pm.CustomDist(
            name, zi, *arguments.values(), dist=drawn, logp=log_density,
            class_name="ZeroInflated", dtype="int64", **options,
        )  # fmt: skip

"""Parameters between two bounds, and ordered ones, with their priors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bayeslmm.errors import PriorError
from bayeslmm.graph.numbers import f64
from bayeslmm.graph.priors import NODES, scalar
from bayeslmm.priors import Prior


def unit(name: str, prior: Prior) -> Any:
    """A number between 0 and 1."""
    import pymc as pm

    if prior.name == "flat":
        return pm.Uniform(name, f64(0.0), f64(1.0))
    return scalar(name, prior, positive=False)


def ordered(name: str, prior: Prior, labels: Sequence[str]) -> Any:
    """Ordered numbers, each with the same prior; the density is over their ordered region."""
    import pymc as pm
    from pymc.distributions.transforms import ordered as in_order

    start = np.linspace(-1.0, 1.0, len(labels)) if len(labels) > 1 else np.zeros(1)
    options = {"dims": f"{name}_between", "transform": in_order, "initval": start}
    if prior.name == "flat":
        return pm.Flat(name, **options)
    if prior.name not in NODES:
        raise PriorError(f"Prior {prior.name!r} has no PyMC node for {name!r}")
    distribution, fields = NODES[prior.name]
    values = {
        argument: f64(np.full(len(labels), getattr(prior, field)))
        for argument, field in fields.items()
    }
    return getattr(pm, distribution)(name, **values, **options)

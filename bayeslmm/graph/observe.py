"""The observed response: the family's node over the data, weighted where weights are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayeslmm.families import Family
from bayeslmm.graph.families import NODES, Given


def observe(
    name: str,
    family: Family,
    eta: Any,
    parameters: Mapping[str, Any],
    observed: Any,
    *,
    link: str,
    dims: str,
    trials: Any = None,
    weights: Any = None,
) -> Any:
    """The response's random variable in the open `pm.Model`.

    Parameters
    ----------
    name : str
    family : Family
    eta : tensor
        The linear predictor, shape (n,); (n, K - 1) of unordered categories.
    parameters : mapping
        The family's further parameters.
    observed : tensor, shape (n,)
    link, dims : str
    trials : tensor, shape (n,), optional
    weights : tensor, shape (n,), optional
        Multipliers of the log density, beside the variable in a potential of their own.
    """
    import pymc as pm

    counts = None if trials is None else trials.astype("int64")
    given = Given(eta, link, parameters, counts)
    out = NODES[family.name].variable(name, given, observed=observed, dims=dims)
    if weights is not None:
        pm.Potential(f"{name}_weights", (weights - 1.0) * pm.logp(out, observed))
    return out

"""Distributions of random effects as PyMC nodes, a coefficient after the other.

Of standard effects z (see `bayeslmm.model.effects`) each coefficient is drawn given the ones
before it, scaled and moved: w_c = mean + scale z_c. Nothing but PyMC's own univariate
distributions is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayeslmm.errors import PriorError
from bayeslmm.graph.bounded import unit
from bayeslmm.graph.numbers import f64
from bayeslmm.graph.priors import NODES as PRIORS
from bayeslmm.graph.priors import scalar
from bayeslmm.model import Model
from bayeslmm.model.names import GroupNames


class NormalNode:
    """Independent standard normals."""

    def __init__(self, model: Model, g: GroupNames) -> None:
        pass

    def draw(
        self, name: str, c: int, earlier: Mapping[int, Any], mean: Any, scale: Any, dims: str
    ) -> Any:
        """The free variable of coefficient c, shape (J,), given earlier z by coefficient."""
        import pymc as pm

        return pm.Normal(name, mean, scale, dims=dims)


class StudentTNode:
    """Multivariate t: given m coefficients with squares s, the next is a t on nu + m degrees of
    freedom with scale sqrt((nu + s) / (nu + m))."""

    def __init__(self, model: Model, g: GroupNames) -> None:
        name = f"{g.prefix}nu_{g.label}"
        self.nu = scalar(name, model.priors[f"nu_{g.group}"], positive=True)

    def draw(
        self, name: str, c: int, earlier: Mapping[int, Any], mean: Any, scale: Any, dims: str
    ) -> Any:
        import pymc as pm
        import pytensor.tensor as pt

        if not earlier:
            return pm.StudentT(name, self.nu, mu=mean, sigma=scale, dims=dims)
        nu = self.nu + float(len(earlier))
        squares = sum((z**2 for z in earlier.values()), f64(0.0))
        wider = scale * pt.sqrt((self.nu + squares) / nu)
        return pm.StudentT(name, nu, mu=mean, sigma=wider, dims=dims)


class MixtureNode:
    """Two normals: given earlier coefficients, two normals weighted by what those say of the
    cluster."""

    def __init__(self, model: Model, g: GroupNames) -> None:
        self.share = unit(f"{g.prefix}share_{g.label}", model.priors[f"share_{g.group}"])
        self.shift = _shift(model, g)

    def draw(
        self, name: str, c: int, earlier: Mapping[int, Any], mean: Any, scale: Any, dims: str
    ) -> Any:
        import pymc as pm
        import pytensor.tensor as pt

        p = self.share
        # log N(z; (1 - p) d, 1) - log N(z; -p d, 1) = d z - (1 - 2 p) d² / 2
        log_odds = pt.log(p) - pt.log1p(-p)
        for t, z in earlier.items():
            d = self.shift[t]
            log_odds = log_odds + d * z - (0.5 - p) * d**2
        high = pt.sigmoid(log_odds)
        weights = pt.stack([high, 1.0 - high], axis=-1)
        centres = pt.stack(
            [mean + scale * (1.0 - p) * self.shift[c], mean - scale * p * self.shift[c]], axis=-1
        )
        spread = pt.stack([scale, scale], axis=-1)
        return pm.NormalMixture(name, weights, centres, spread, dims=dims)


def _shift(model: Model, g: GroupNames) -> Any:
    """d by coefficient; its first element is positive, the density is over that half."""
    import pymc as pm
    import pytensor.tensor as pt
    from pymc.logprob.transforms import Transform

    class FirstPositive(Transform):  # type: ignore[misc]
        """The log of the first element, the others as they are."""

        name = "first_positive"

        def forward(self, value: Any, *inputs: Any) -> Any:
            return pt.concatenate([pt.log(value[:1]), value[1:]])

        def backward(self, value: Any, *inputs: Any) -> Any:
            return pt.concatenate([pt.exp(value[:1]), value[1:]])

        def log_jac_det(self, value: Any, *inputs: Any) -> Any:
            return pt.concatenate([value[:1], pt.zeros_like(value[1:])])

    prior, k = model.priors[f"shift_{g.group}"], len(g.coefs)
    options = {
        "dims": g.coef_dim,
        "transform": FirstPositive(),
        "initval": np.append(1.0, np.zeros(k - 1)),
    }
    name = f"{g.prefix}shift_{g.label}"
    if prior.name == "flat":
        return pm.Flat(name, **options)
    if prior.name not in PRIORS:
        raise PriorError(f"Prior {prior.name!r} has no PyMC node for {name!r}")
    distribution, fields = PRIORS[prior.name]
    values = {a: f64(np.full(k, getattr(prior, field))) for a, field in fields.items()}
    return getattr(pm, distribution)(name, **values, **options)


NODES: dict[str, Any] = {
    "normal": NormalNode,
    "student_t": StudentTNode,
    "mixture": MixtureNode,
}

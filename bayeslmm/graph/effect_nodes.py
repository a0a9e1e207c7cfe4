"""Standard distributions of random effects in a PyMC model.

Effects are `u_j = L z_j` with independent levels j; a node gives the density of z and draws of it
(see `bayeslmm.model.effects`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from bayeslmm.errors import PriorError
from bayeslmm.graph.bounded import unit
from bayeslmm.graph.numbers import f64
from bayeslmm.graph.priors import NODES as PRIORS
from bayeslmm.graph.priors import scalar
from bayeslmm.model import Model
from bayeslmm.model.names import GroupNames

HALF_LOG_TWO_PI = 0.5 * np.log(2.0 * np.pi)


class NormalNode:
    """Independent standard normals."""

    shapes: ClassVar[tuple[str, ...]] = ()

    def parameters(self, model: Model, g: GroupNames) -> list[Any]:
        """Free variables beside standard deviations and correlations, made in the open model."""
        return []

    def log_density(self, z: Sequence[Any], *parameters: Any) -> Any:
        """Of each level, shape (J,); z by coefficient, each of shape (J,)."""
        return sum((-0.5 * x**2 for x in z), f64(-len(z) * HALF_LOG_TWO_PI))

    def drawn(self, levels: Any, k: int, *parameters: Any) -> Any:
        """Random z, shape (levels, k), as a variable outside a model."""
        import pymc as pm

        return pm.Normal.dist(f64(0.0), f64(1.0), size=(levels, k))


class StudentTNode:
    """Multivariate t on nu degrees of freedom."""

    shapes: ClassVar[tuple[str, ...]] = ("()",)

    def parameters(self, model: Model, g: GroupNames) -> list[Any]:
        name = f"{g.prefix}nu_{g.label}"
        return [scalar(name, model.priors[f"nu_{g.group}"], positive=True)]

    def log_density(self, z: Sequence[Any], *parameters: Any) -> Any:
        import pytensor.tensor as pt

        (nu,), k = parameters, float(len(z))
        constant = pt.gammaln(0.5 * (nu + k)) - pt.gammaln(0.5 * nu)
        constant = constant - f64(0.5 * k) * pt.log(nu * f64(np.pi))
        squares = sum((x**2 for x in z[1:]), z[0] ** 2)
        return constant - 0.5 * (nu + k) * pt.log1p(squares / nu)

    def drawn(self, levels: Any, k: int, *parameters: Any) -> Any:
        import pymc as pm
        import pytensor.tensor as pt

        (nu,) = parameters
        normal = pm.Normal.dist(f64(0.0), f64(1.0), size=(levels, k))
        return normal / pt.sqrt(pm.ChiSquared.dist(nu, size=(levels, 1)) / nu)


class MixtureNode:
    """Two normal clusters, with probability p about (1 - p) d, else about -p d."""

    shapes: ClassVar[tuple[str, ...]] = ("()", "(k)")

    def parameters(self, model: Model, g: GroupNames) -> list[Any]:
        share = unit(f"{g.prefix}share_{g.label}", model.priors[f"share_{g.group}"])
        return [share, _shift(model, g)]

    def log_density(self, z: Sequence[Any], *parameters: Any) -> Any:
        import pytensor.tensor as pt

        p, d = parameters
        high = sum((-0.5 * (x - (1.0 - p) * d[c]) ** 2 for c, x in enumerate(z)), pt.log(p))
        low = sum((-0.5 * (x + p * d[c]) ** 2 for c, x in enumerate(z)), pt.log1p(-p))
        return pt.logaddexp(high, low) - f64(len(z) * HALF_LOG_TWO_PI)

    def drawn(self, levels: Any, k: int, *parameters: Any) -> Any:
        import pymc as pm

        p, d = parameters
        high = pm.Bernoulli.dist(p, size=(levels, 1))
        return (high - p) * d + pm.Normal.dist(f64(0.0), f64(1.0), size=(levels, k))


def _shift(model: Model, g: GroupNames) -> Any:
    """d by coefficient; its first element is positive, the density is over that half."""
    import pymc as pm
    import pytensor.tensor as pt
    from pymc.logprob.transforms import Transform

    class FirstPositive(Transform):  # type: ignore[misc]
        """The log of the first element, the others as they are."""

        name = "firstpositive"  # PyMC finds a name again only without underscores

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
    "normal": NormalNode(),
    "student_t": StudentTNode(),
    "mixture": MixtureNode(),
}

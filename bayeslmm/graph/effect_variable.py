"""The random effects u of a factor as one free variable of a PyMC model.

u is what the model, its trace and the user see; samplers see it in coordinates w that suit them
(see `bayeslmm.graph.parametrisation`), through the variable's transform:

    u = M L z,        w = A z - shift,

with L the root of the covariance of the effects that the priors are on, M the unit map from those
to u, and A triangular. Since u itself is the free variable,
a trace that has u is complete, whichever the coordinates are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import Precision
from bayeslmm.graph.affine import Affine, noncentred
from bayeslmm.graph.numbers import f64
from bayeslmm.graph.products import by_inverse_root, by_map, by_root
from bayeslmm.graph.related import related, unrelated
from bayeslmm.model.names import GroupNames

Build = Callable[..., Affine]
Floats = NDArray[np.float64]


def effects(
    g: GroupNames,
    node: Any,
    parameters: list[Any],
    root: Any,
    users: Floats,
    build: Build | None,
    linear: Any,
) -> Any:
    """Effects of independent levels, (J, k), in the open `pm.Model`.

    Parameters
    ----------
    g : GroupNames
    node : NormalNode, StudentTNode or MixtureNode
        The distribution of z.
    parameters : list of tensor
        Its further parameters.
    root : tensor, shape (k, k)
        L, lower triangular.
    users : ndarray, shape (k, k)
        M.
    build : callable, optional
        Makes A and the shift of L, k and the linear terms; none where u itself is sampled.
    linear : tensor, shape (J, k), or None
        Linear terms that `build` takes.
    """
    import pymc as pm
    from pytensor.tensor.type_other import NoneTypeT

    k = len(g.coefs)
    given = [] if linear is None else [linear]
    back = np.linalg.inv(users)

    def drawn(root: Any, *rest: Any) -> Any:
        *own, size = rest
        one = isinstance(size.type, NoneTypeT)  # PyMC asks for a single level to learn its shape
        z = node.drawn(1 if one else size[0], k, *own[len(given) :])
        u = by_map(by_root([z[:, c] for c in range(k)], root), users)
        return u[0] if one else u

    def log_density(u: Any, root: Any, *rest: Any) -> Any:
        z = by_inverse_root(by_map(u, back), root, k)
        return node.log_density(z, *rest[len(given) :]) - _log_diagonal(root, k)

    shapes = ["(k,k)", *(["(j,k)"] if given else []), *node.shapes]
    return pm.CustomDist(
        g.u, root, *given, *parameters, dist=drawn, logp=log_density,
        signature=f"{','.join(shapes)}->(k)", class_name="Effects", dims=(g.label, g.coef_dim),
        **({} if build is None else {"transform": _coordinates()(build, users, bool(given))}),
    )  # fmt: skip


def related_effects(g: GroupNames, precision: Precision, root: Any, users: Floats) -> Any:
    """Normal effects of related levels, (J, k), sampled as standard normals z: u = C⁻ᵀ z L'M' with
    C C' the precision between levels."""
    import pymc as pm
    import pytensor.tensor as pt

    k, levels = len(g.coefs), precision.size
    back = np.linalg.inv(users)
    log_det = f64(0.5 * k * precision.log_det)

    def drawn(root: Any, size: Any) -> Any:
        z = related(precision, pm.Normal.dist(f64(0.0), f64(1.0), size=(levels, k)))
        return by_map(by_root([z[:, c] for c in range(k)], root), users)

    def log_density(u: Any, root: Any) -> Any:
        x = unrelated(precision, pt.stack(by_inverse_root(by_map(u, back), root, k), axis=1))
        constant = f64(-0.5 * levels * k * 1.8378770664093453) + log_det
        return constant - 0.5 * pt.sum(x**2) - levels * _log_diagonal(root, k)

    return pm.CustomDist(
        g.u, root, dist=drawn, logp=log_density, signature="(k,k)->(j,k)",
        class_name="RelatedEffects", dims=(g.label, g.coef_dim),
        transform=_related_coordinates()(precision, users), initval=_zeros(levels, k),
    )  # fmt: skip


def _zeros(levels: int, k: int) -> Any:
    return np.zeros((levels, k))


def _log_diagonal(root: Any, k: int) -> Any:
    import pytensor.tensor as pt

    return sum((pt.log(root[c, c]) for c in range(1, k)), pt.log(root[0, 0]))


@cache
def _coordinates() -> type[Any]:
    """The class of the transform, made when PyMC is first needed."""
    import pytensor.tensor as pt
    from pymc.logprob.transforms import Transform

    class Coordinates(Transform):  # type: ignore[misc]
        """Effects u seen as w = A L⁻¹ M⁻¹ u - shift."""

        def __init__(self, build: Build, users: Floats, linear: bool) -> None:
            self.build, self.k, self.linear = build, len(users), linear
            self.users, self.back = users, np.linalg.inv(users)
            self.name = "noncentred" if build is noncentred else "between"

        def affine(self, inputs: Any) -> tuple[Affine, Any]:
            """The map and L, of the variable's inputs (its size, L, the linear terms, ...)."""
            root = inputs[1]
            given = (inputs[2],) if self.linear else ()
            return self.build(root, self.k, *given), root

        def forward(self, value: Any, *inputs: Any) -> Any:
            affine, root = self.affine(inputs)
            z = by_inverse_root(by_map(value, self.back), root, self.k)
            w: dict[int, Any] = {}
            for place, c in enumerate(affine.order):
                before = affine.order[:place]
                own = sum((affine.root[c][t] * z[t] for t in before), affine.root[c][c] * z[c])
                w[c] = own - affine.shift[c]
            return pt.stack([w[c] for c in range(self.k)], axis=1)

        def backward(self, value: Any, *inputs: Any) -> Any:
            affine, root = self.affine(inputs)
            z: dict[int, Any] = {}
            for c in affine.order:
                own = sum((-affine.root[c][t] * z[t] for t in z), value[:, c] + affine.shift[c])
                z[c] = own / affine.root[c][c]
            return by_map(by_root([z[c] for c in range(self.k)], root), self.users)

        def log_jac_det(self, value: Any, *inputs: Any) -> Any:
            affine, root = self.affine(inputs)
            volume = _log_diagonal(root, self.k) + pt.zeros_like(value[:, 0])
            return volume - sum((pt.log(affine.root[c][c]) for c in range(self.k)), f64(0.0))

    return Coordinates


@cache
def _related_coordinates() -> type[Any]:
    """The class of the transform, made when PyMC is first needed."""
    import pytensor.tensor as pt
    from pymc.logprob.transforms import Transform

    class RelatedCoordinates(Transform):  # type: ignore[misc]
        """Effects of related levels seen as standard normals."""

        name = "noncentred"

        def __init__(self, precision: Precision, users: Floats) -> None:
            self.precision, self.k = precision, len(users)
            self.users, self.back = users, np.linalg.inv(users)

        def forward(self, value: Any, *inputs: Any) -> Any:
            x = by_inverse_root(by_map(value, self.back), inputs[1], self.k)
            return unrelated(self.precision, pt.stack(x, axis=1))

        def backward(self, value: Any, *inputs: Any) -> Any:
            x = related(self.precision, value)
            return by_map(by_root([x[:, c] for c in range(self.k)], inputs[1]), self.users)

        def log_jac_det(self, value: Any, *inputs: Any) -> Any:
            own = self.precision.size * _log_diagonal(inputs[1], self.k)
            return own - f64(0.5 * self.k * self.precision.log_det)

    return RelatedCoordinates

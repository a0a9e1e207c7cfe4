"""Effects of related levels in a PyMC model: independent ones, correlated by a sparse solve."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from bayeslmm.covariance import Precision

#: Linear maps by a precision's root, each with its transpose.
TRANSPOSES = {
    "correlate": "correlate_transposed",
    "correlate_transposed": "correlate",
    "decorrelate": "decorrelate_transposed",
    "decorrelate_transposed": "decorrelate",
}


def related(precision: Precision, z: Any) -> Any:
    """`C⁻ᵀ z` with `C C'` the precision between levels: z of shape (J, k), and so is this."""
    return _applied(precision, "correlate", z)


def unrelated(precision: Precision, x: Any) -> Any:
    """`C' x`, the inverse of `related`: x of shape (J, k), and so is this."""
    return _applied(precision, "decorrelate", x)


def _applied(precision: Precision, name: str, x: Any) -> Any:
    import pytensor.tensor as pt

    return _operation()(precision, name)(pt.as_tensor_variable(x, dtype="float64"))


@cache
def _operation() -> type[Any]:
    """The class of the operation, made when PyTensor is first needed."""
    import pytensor.tensor as pt
    from pytensor.graph.basic import Apply
    from pytensor.graph.op import Op

    class Related(Op):  # type: ignore[misc]
        """A linear map by the root of a sparse precision (see `TRANSPOSES`)."""

        __props__ = ("precision", "map")

        def __init__(self, precision: Precision, name: str) -> None:
            self.precision, self.map = precision, name

        def __str__(self) -> str:
            return f"Related({self.precision.size} levels)"

        def make_node(self, z: Any) -> Any:
            z = pt.as_tensor_variable(z, dtype="float64")
            return Apply(self, [z], [pt.dmatrix()])

        def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
            outputs[0][0] = self.apply(np.asarray(inputs[0]))

        def apply(self, z: Any) -> Any:
            return getattr(self.precision.root, self.map)(z)

        def infer_shape(self, node: Any, shapes: Any) -> Any:
            return [shapes[0]]

        def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
            return [_operation()(self.precision, TRANSPOSES[self.map])(cotangents[0])]

        def __reduce__(self) -> Any:
            return _rebuilt, (self.precision, self.map)

    _register_numba(Related)
    return Related


def _rebuilt(precision: Precision, name: str) -> Any:
    return _operation()(precision, name)


def _register_numba(op_class: type[Any]) -> None:
    import numba
    from pytensor.link.numba.dispatch.basic import numba_funcify, numba_njit

    def by_numba(op: Any, node: Any = None, **options: Any) -> Any:
        apply = op.apply

        def in_python(z: Any) -> Any:
            return np.ascontiguousarray(apply(np.array(z)))

        def called(z: Any) -> Any:
            with numba.objmode(out="float64[:, ::1]"):
                out = in_python(z)
            return out

        called.__module__ = (
            "pytensor"  # no kernel of ours, so that its compilation is not announced
        )
        return numba_njit(called)

    numba_funcify.register(op_class)(by_numba)

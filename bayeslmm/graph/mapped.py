"""A small numerical map, a few numbers to a few numbers, as a PyTensor operation.

Correlation patterns are written once, in numpy; PyMC models call them. Derivatives are central
differences: a map of a few numbers costs microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
STEP = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class SmallMap:
    """A batched map with its bounds.

    Attributes
    ----------
    name : str
        As printed graphs show it.
    function : callable
        From points, shape (S, d), to values, shape (S, m).
    lower, upper : ndarray, shape (d,)
        Open bounds of the points.
    size : int
        m.
    """

    name: str
    function: Callable[[Floats], Floats]
    lower: Floats
    upper: Floats
    size: int

    def __repr__(self) -> str:
        return self.name

    def value_and_jacobian(self, x: Floats) -> tuple[Floats, Floats]:
        """At a point of shape (d,): values (m,) and derivatives (m, d); NaN outside."""
        d = len(x)
        if not np.all((x > self.lower) & (x < self.upper)):
            return np.full(self.size, np.nan), np.zeros((self.size, d))
        room = np.minimum(x - self.lower, self.upper - x)
        step = np.minimum(STEP * np.maximum(1.0, np.abs(x)), 0.25 * room)
        moves = np.diag(step)
        with np.errstate(all="ignore"):
            found = self.function(np.concatenate([x[None], x + moves, x - moves]))
        slope = (found[1 : d + 1] - found[d + 1 :]) / (2 * step)[:, None]
        return found[0], np.ascontiguousarray(slope.T)


def mapped(small: SmallMap, x: Any) -> Any:
    """The map's values, shape (m,), at a tensor of shape (d,)."""
    import pytensor.tensor as pt

    return _operation()(small)(pt.as_tensor_variable(x, dtype="float64"))[0]


@cache
def _operation() -> type[Any]:
    """The class of the operation, made when PyTensor is first needed."""
    import pytensor.tensor as pt
    from pytensor.gradient import DisconnectedType, grad_not_implemented
    from pytensor.graph.basic import Apply
    from pytensor.graph.op import Op

    class Mapped(Op):  # type: ignore[misc]
        """From a vector to a small map's values and their derivatives."""

        __props__ = ("small",)

        def __init__(self, small: SmallMap) -> None:
            self.small = small

        def make_node(self, x: Any) -> Any:
            x = pt.as_tensor_variable(x, dtype="float64")
            return Apply(self, [x], [pt.dvector(), pt.dmatrix()])

        def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
            value, slope = self.small.value_and_jacobian(np.asarray(inputs[0]))
            outputs[0][0], outputs[1][0] = value, slope

        def infer_shape(self, node: Any, shapes: Any) -> Any:
            return [(self.small.size,), (self.small.size, shapes[0][0])]

        def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
            if not isinstance(cotangents[1].type, DisconnectedType):
                why = "second derivatives of a covariance pattern are not available"
                return [grad_not_implemented(self, 0, inputs[0], why)]
            return [pt.sum(cotangents[0][:, None] * outputs[1], axis=0)]

        def __reduce__(self) -> Any:
            return _rebuilt, (self.small,)

    _register_numba(Mapped)
    return Mapped


def _rebuilt(small: SmallMap) -> Any:
    return _operation()(small)


def _register_numba(op_class: type[Any]) -> None:
    import numba
    from pytensor.link.numba.dispatch.basic import numba_funcify, numba_njit

    def by_numba(op: Any, node: Any = None, **options: Any) -> Any:
        evaluate = op.small.value_and_jacobian

        def in_python(x: Any) -> Any:
            return evaluate(np.array(x))

        def called(x: Any) -> Any:
            with numba.objmode(value="float64[::1]", slope="float64[:, ::1]"):
                value, slope = in_python(x)
            return value, slope

        called.__module__ = (
            "pytensor"  # no kernel of ours, so that its compilation is not announced
        )
        return numba_njit(called)

    numba_funcify.register(op_class)(by_numba)

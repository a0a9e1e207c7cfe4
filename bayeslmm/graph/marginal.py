"""The marginal likelihood as one PyTensor operation, with its gradient from the closed form.

One evaluation gives the value and all derivatives, so that the gradient costs nothing more. Under
PyTensor's numba backend the operation calls back into Python, which hands on to a compiled kernel
that releases the interpreter's lock; under JAX it is a callback too.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import Any

import numpy as np

from bayeslmm.gaussian.by_roots import ByRoots


@cache
def operation() -> type[Any]:
    """The class of the operation, made when PyTensor is first needed."""
    import pytensor.tensor as pt
    from pytensor.gradient import DisconnectedType, grad_not_implemented
    from pytensor.graph.basic import Apply
    from pytensor.graph.op import Op

    class MarginalLogLikelihood(Op):  # type: ignore[misc]
        """From a vector to log p(y | .) and its gradient (see `ByRoots`)."""

        __props__ = ("density",)

        def __init__(self, density: ByRoots) -> None:
            self.density = density

        def make_node(self, x: Any) -> Any:
            x = pt.as_tensor_variable(x, dtype="float64")
            return Apply(self, [x], [pt.dscalar(), pt.dvector()])

        def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
            value, gradient = self.density.value_and_gradient(np.asarray(inputs[0]))
            outputs[0][0] = np.asarray(value)
            outputs[1][0] = gradient

        def infer_shape(self, node: Any, shapes: Any) -> Any:
            return [(), shapes[0]]

        def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
            if not isinstance(cotangents[1].type, DisconnectedType):
                why = "second derivatives of the marginal likelihood are not available"
                return [grad_not_implemented(self, 0, inputs[0], why)]
            return [cotangents[0] * outputs[1]]

        def __reduce__(self) -> Any:
            return _rebuilt, (self.density,)

    _register_numba(MarginalLogLikelihood)
    if importlib.util.find_spec("jax"):
        _register_jax(MarginalLogLikelihood)
    return MarginalLogLikelihood


def _rebuilt(density: ByRoots) -> Any:
    return operation()(density)


def _register_numba(op_class: type[Any]) -> None:
    import numba
    from pytensor.link.numba.dispatch.basic import numba_funcify, numba_njit

    def by_numba(op: Any, node: Any = None, **options: Any) -> Any:
        evaluate = op.density.value_and_gradient

        def in_python(x: Any) -> Any:
            return evaluate(np.array(x))

        def called(x: Any) -> Any:
            with numba.objmode(value="float64", gradient="float64[::1]"):
                value, gradient = in_python(x)
            return np.asarray(value), gradient

        called.__module__ = (
            "pytensor"  # no kernel of ours, so that its compilation is not announced
        )
        return numba_njit(called)

    numba_funcify.register(op_class)(by_numba)


def _register_jax(op_class: type[Any]) -> None:
    import jax  # type: ignore[import-not-found, unused-ignore]
    import jax.numpy as jnp  # type: ignore[import-not-found, unused-ignore]
    from pytensor.link.jax.dispatch import jax_funcify

    def by_jax(op: Any, **options: Any) -> Any:
        size, evaluate = op.density.size, op.density.value_and_gradient
        shapes = (
            jax.ShapeDtypeStruct((), jnp.float64),
            jax.ShapeDtypeStruct((size,), jnp.float64),
        )

        def in_python(x: Any) -> Any:
            value, gradient = evaluate(np.asarray(x, dtype=np.float64))
            return np.float64(value), gradient

        def both(x: Any) -> Any:
            return jax.pure_callback(in_python, shapes, x, vmap_method="sequential")

        def forward(x: Any) -> Any:
            found = both(x)
            return found, found[1]

        def backward(gradient: Any, cotangents: Any) -> Any:
            return (cotangents[0] * gradient,)

        marginal = jax.custom_vjp(both)
        marginal.defvjp(forward, backward)
        return marginal

    jax_funcify.register(op_class)(by_jax)

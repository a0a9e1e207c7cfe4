"""LAPACK and BLAS in place and without the interpreter's lock, for work on several threads.

scipy's Python wrappers of these routines hold the lock while they work; the functions behind
them, which scipy publishes for Cython (`scipy.linalg.cython_lapack`, `cython_blas`), called
through ctypes, don't. Matrices are float64 and stand column by column (F order).
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
from numba.extending import get_cython_function_address
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROUTINES = {  # how many arguments, all of them pointers
    "dpotrf": ("scipy.linalg.cython_lapack", 5),
    "dpotri": ("scipy.linalg.cython_lapack", 5),
    "dtrsm": ("scipy.linalg.cython_blas", 11),
}


@cache
def _routine(name: str) -> Any:
    module, count = ROUTINES[name]
    signature = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * count)
    return signature(get_cython_function_address(module, name))


def _call(name: str, *arguments: bytes | int | float | NDArray[Any]) -> None:
    """Call a routine; what isn't an array is handed on as a pointer to a copy."""
    kept = []
    for value in arguments:
        if isinstance(value, np.ndarray):
            kept.append(ctypes.c_void_p(value.ctypes.data))
        elif isinstance(value, bytes):
            kept.append(ctypes.cast(ctypes.c_char_p(value), ctypes.c_void_p))
        else:
            plain = ctypes.c_double(value) if isinstance(value, float) else ctypes.c_int(value)
            kept.append(ctypes.cast(ctypes.pointer(plain), ctypes.c_void_p))
    _routine(name)(*kept)


def _require(*arrays: Floats) -> None:
    for a in arrays:
        if a.dtype != np.float64 or not a.flags.f_contiguous or not a.flags.writeable:
            raise ValueError("matrices must be float64, writable and in F order")


def cholesky(a: Floats) -> int:
    """The lower Cholesky factor of a (n, n) matrix into its lower triangle, in place.

    What stands above the diagonal is neither read nor written.

    Returns
    -------
    int
        0, or the order of the leading minor that is not positive definite.
    """
    _require(a)
    info = np.zeros(1, dtype=np.intc)
    n = a.shape[0]
    _call("dpotrf", b"L", n, a, max(1, n), info)
    return int(info[0])


def inverse(factor: Floats) -> None:
    """`(L L')⁻¹` into the lower triangle, in place of L (n, n)."""
    _require(factor)
    info = np.zeros(1, dtype=np.intc)
    n = factor.shape[0]
    _call("dpotri", b"L", n, factor, max(1, n), info)


def solve_triangular(factor: Floats, b: Floats, *, transposed: bool = False) -> None:
    """`L⁻¹ b`, or `L⁻ᵀ b`, in place of b (n, r)."""
    _require(factor, b)
    n, r = b.shape
    side = b"T" if transposed else b"N"
    _call("dtrsm", b"L", b"L", side, b"N", n, r, 1.0, factor, max(1, factor.shape[0]), b, max(1, n))

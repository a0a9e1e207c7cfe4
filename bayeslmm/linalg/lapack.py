"""LAPACK and BLAS in place and without the interpreter's lock, for work on several threads.

scipy's Python wrappers of these routines hold the lock while they work; the functions behind
them, which scipy publishes for Cython (`scipy.linalg.cython_lapack`, `cython_blas`), called
through ctypes, don't. Matrices are float64 and stand column by column (F order). The threads
are ours: BLAS's own wait for each other busily, which on a machine with other work to do can
take many times as long as one thread.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
from numba.extending import get_cython_function_address
from numpy.typing import NDArray

from bayeslmm.linalg.compiled import sweep

Floats = NDArray[np.float64]
ROUTINES = {  # how many arguments, all of them pointers
    "dpotrf": ("scipy.linalg.cython_lapack", 5),
    "dsyrk": ("scipy.linalg.cython_blas", 10),
    "dgemm": ("scipy.linalg.cython_blas", 13),
    "dtrsm": ("scipy.linalg.cython_blas", 11),
}
BLOCK = 256  # columns of a block: of a matrix of one, threads would only wait
Argument = bytes | int | float | ctypes.c_void_p


@cache
def _routine(name: str) -> Any:
    module, count = ROUTINES[name]
    signature = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * count)
    return signature(get_cython_function_address(module, name))


def _call(name: str, *arguments: Argument) -> None:
    """Call a routine; what isn't a pointer is handed on as a pointer to a copy."""
    kept = []
    for value in arguments:
        if isinstance(value, ctypes.c_void_p):
            kept.append(value)
        elif isinstance(value, bytes):
            kept.append(ctypes.cast(ctypes.c_char_p(value), ctypes.c_void_p))
        else:
            plain = ctypes.c_double(value) if isinstance(value, float) else ctypes.c_int(value)
            kept.append(ctypes.cast(ctypes.pointer(plain), ctypes.c_void_p))
    _routine(name)(*kept)


def _at(a: Floats, row: int, column: int) -> ctypes.c_void_p:
    """Pointer to an entry; the part of the matrix from there on has the same leading dimension."""
    return ctypes.c_void_p(a.ctypes.data + 8 * (row + column * a.shape[0]))


def _require(*arrays: Floats) -> None:
    for a in arrays:
        if a.dtype != np.float64 or not a.flags.f_contiguous or not a.flags.writeable:
            raise ValueError("matrices must be float64, writable and in F order")


def cholesky(a: Floats) -> int:
    """The lower Cholesky factor of a (n, n) matrix into its lower triangle, in place.

    What stands above the diagonal is neither read nor written. Blocks of columns, from left to
    right: each is factored, and the threads share what it takes from those to its right.

    Returns
    -------
    int
        0, or the order of the leading minor that is not positive definite.
    """
    _require(a)
    n = a.shape[0]
    for k in range(0, n, BLOCK):
        width = min(BLOCK, n - k)
        info = np.zeros(1, dtype=np.intc)
        _call("dpotrf", b"L", width, _at(a, k, k), n, ctypes.c_void_p(info.ctypes.data))
        if info[0]:
            return k + int(info[0])
        _update(a, k, width)
    return 0


def _update(a: Floats, k: int, width: int) -> None:
    """Solve the rows below a factored block, and take it out of the columns to its right."""
    n, right = a.shape[0], k + width
    blocks = range(right, n, BLOCK)

    def solve(first: int, last: int) -> None:
        for row in blocks[first:last]:
            count = min(BLOCK, n - row)
            _call(
                "dtrsm", b"R", b"L", b"T", b"N", count, width, 1.0, _at(a, k, k), n,
                _at(a, row, k), n,
            )  # fmt: skip

    def take(first: int, last: int) -> None:
        for j in blocks[first:last]:
            count = min(BLOCK, n - j)
            below = n - j - count
            _call("dsyrk", b"L", b"N", count, width, -1.0, _at(a, j, k), n, 1.0, _at(a, j, j), n)
            if below:
                _call(
                    "dgemm", b"N", b"T", below, count, width, -1.0, _at(a, j + count, k), n,
                    _at(a, j, k), n, 1.0, _at(a, j + count, j), n,
                )  # fmt: skip

    sweep(solve, len(blocks))
    sweep(take, len(blocks))


def inverse(factor: Floats) -> Floats:
    """`(L L')⁻¹` in the lower triangle of a new matrix, L in that of `factor` (n, n).

    A block of columns of the inverse needs only the rows from its first one on, and no other
    block: the threads share them.
    """
    _require(factor)
    n = factor.shape[0]
    out = np.zeros((n, n), order="F")
    np.fill_diagonal(out, 1.0)
    blocks = range(0, n, BLOCK)

    def task(first: int, last: int) -> None:
        for j in blocks[first:last]:
            width = min(BLOCK, n - j)
            for side in (b"N", b"T"):
                _call(
                    "dtrsm", b"L", b"L", side, b"N", n - j, width, 1.0, _at(factor, j, j), n,
                    _at(out, j, j), n,
                )  # fmt: skip

    sweep(task, len(blocks))
    return out


def solve_triangular(factor: Floats, b: Floats, *, transposed: bool = False) -> None:
    """`L⁻¹ b`, or `L⁻ᵀ b`, in place of b (n, r)."""
    _require(factor, b)
    n, r = b.shape
    side = b"T" if transposed else b"N"
    size = max(1, n)
    _call("dtrsm", b"L", b"L", side, b"N", n, r, 1.0, _at(factor, 0, 0), size, _at(b, 0, 0), size)

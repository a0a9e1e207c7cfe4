"""Products of matrices in a PyTensor graph, without the matrix product where that is small.

Under the numba backend a matrix product takes 4 s to compile with a vector and 20 s with a matrix,
every time that a machine meets one of its layouts, and slows the compiling of what is around it;
an elementwise product and a sum compile in a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.graph.numbers import f64

Floats = NDArray[np.float64]

MANY = 200_000  # elements: from which the faster product saves more time than its compilation takes
WIDE = 8  # coefficients a level


def by_vector(matrix: Any, vector: Any, size: int) -> Any:
    """The matrix, (n, p), times a vector, (p,).

    Parameters
    ----------
    matrix, vector : tensor or array
    size : int
        How many elements the matrix has.
    """
    import pytensor.tensor as pt

    if size > MANY:
        return pt.dot(matrix, vector)
    return pt.sum(matrix * vector[None, :], axis=1)


def by_root(z: Sequence[Any], root: Any) -> Any:
    """`z L'`, (J, k), of standard effects by coefficient, each (J,), and a lower triangular root L,
    (k, k)."""
    import pytensor.tensor as pt

    if len(z) > WIDE:
        return pt.stack(z, axis=1) @ root.T
    u = [
        sum((root[r, c] * z[c] for c in range(1, r + 1)), root[r, 0] * z[0]) for r in range(len(z))
    ]
    return pt.stack(u, axis=1)


def by_inverse_root(u: Any, root: Any, k: int) -> list[Any]:
    """`u L⁻ᵀ` by coefficient, each (J,), of effects, (J, k), and a lower triangular root L: the
    inverse of `by_root`."""
    import pytensor.tensor as pt

    if k > WIDE:
        whole = pt.linalg.solve_triangular(root, u.T, lower=True)
        return [whole[c] for c in range(k)]
    z: list[Any] = []
    for r in range(k):
        left = sum((-root[r, c] * z[c] for c in range(r)), u[:, r])
        z.append(left / root[r, r])
    return z


def by_map(effects: Any, matrix: Floats) -> Any:
    """`effects M'`, (J, k), of a constant unit matrix M, (k, k)."""
    import pytensor.tensor as pt

    k = len(matrix)
    if np.array_equal(matrix, np.eye(k)):
        return effects
    if k > WIDE:
        return effects @ f64(matrix.T)
    columns = [
        sum(
            (effects[:, c] * f64(matrix[r, c]) for c in range(k) if c != r and matrix[r, c]),
            effects[:, r],
        )
        for r in range(k)
    ]
    return pt.stack(columns, axis=1)


def map_root(matrix: Floats, root: Any) -> Any:
    """`M L`, (k, k), of a constant matrix M and a root L."""
    import pytensor.tensor as pt

    if np.array_equal(matrix, np.eye(len(matrix))):
        return root
    return pt.sum(f64(matrix)[:, :, None] * root[None, :, :], axis=1)


def below_diagonal(root: Any, k: int) -> Any:
    """Elements of `L L'` below its diagonal, rows first, of a root L, (k, k)."""
    import pytensor.tensor as pt

    i, j = np.tril_indices(k, -1)
    return pt.sum(root[i] * root[j], axis=1)

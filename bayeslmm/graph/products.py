"""Products of matrices in a PyTensor graph, without the matrix product where that is small.

Under the numba backend a matrix product takes 4 s to compile with a vector and 20 s with a matrix,
every time that a machine meets one of its layouts, and slows the compiling of what is around it;
an elementwise product and a sum compile in a fraction of a second.
"""

from __future__ import annotations

from typing import Any

MANY = 200_000  # elements: from here on the product's own speed is worth its compiling
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


def by_root(z: Any, root: Any, k: int) -> Any:
    """`z L'` of standard effects, (J, k), and a lower triangular root L, (k, k)."""
    import pytensor.tensor as pt

    if k > WIDE:
        return z @ root.T
    columns = [
        sum((root[r, c] * z[:, c] for c in range(1, r + 1)), root[r, 0] * z[:, 0]) for r in range(k)
    ]
    return pt.stack(columns, axis=1)

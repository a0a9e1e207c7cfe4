"""Cross-products with many fixed columns, most of whose numbers are zero (a line for every
subject): the same as `products`, by sparse matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from bayeslmm.linalg.products import factor_products, fixed_products

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MANY = 64  # fixed columns from which loops over all of them cost more than sparse matrices


def fixed_table(
    X: Floats, y: Floats, offset: Floats, w: Floats, T: Floats, shift: Floats
) -> Floats:
    """`products.fixed_products`, shape (m, m), for any number of columns."""
    p = X.shape[1]
    if p < MANY:
        return np.asarray(fixed_products(X, y, offset, w, T, shift))
    F, left = _rows(X, y, offset, T, shift)
    weighted = csr_array(F.multiply(w[:, None]))
    out = np.empty((p + 1, p + 1))
    out[:p, :p] = (F.T @ weighted).toarray()
    out[:p, p] = out[p, :p] = weighted.T @ left
    out[p, p] = (w * left) @ left
    return out


def factor_tables(
    codes: Ints,
    values: Floats,
    C: Floats,
    X: Floats,
    y: Floats,
    offset: Floats,
    w: Floats,
    T: Floats,
    shift: Floats,
    n_levels: int,
) -> tuple[Floats, Floats]:
    """`products.factor_products`, shapes (J, k, k) and (J, k, m), for any number of columns."""
    p, k = X.shape[1], C.shape[1]
    if p < MANY:
        return factor_products(codes, values, C, X, y, offset, w, T, shift, n_levels)
    F, left = _rows(X, y, offset, T, shift)
    none, empty = np.empty((len(y), 0)), np.empty((0, 0))
    zz, with_y = factor_products(
        codes, values, C, none, left, np.zeros(len(y)), w, empty, np.empty(0), n_levels
    )
    z = (values @ C) * w[:, None]
    columns = (codes[:, None] * k + np.arange(k)).ravel()
    starts = k * np.arange(len(y) + 1)
    Z = csr_array((z.ravel(), columns, starts), shape=(len(y), n_levels * k))
    with_x = (Z.T @ F).toarray().reshape(n_levels, k, p)
    return zz, np.concatenate([with_x, with_y], axis=2)


def _rows(
    X: Floats, y: Floats, offset: Floats, T: Floats, shift: Floats
) -> tuple[csr_array, Floats]:
    """Fixed columns and what is left of the response, in internal coordinates."""
    sparse = csr_array(X)
    return csr_array(sparse @ csr_array(T)), y - offset - sparse @ shift

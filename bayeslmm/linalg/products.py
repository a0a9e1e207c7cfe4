"""Weighted cross-products in one pass over the rows each, without row-sized temporaries.

Rows enter about internal coordinates, formed on the fly: fixed columns `x' T` and the response
`y - offset - x' shift` (together one row f of m = p + 1 numbers), and a factor's covariates
`z' C`. Sums run over blocks of rows that are added up afterwards, so that rounding stays small.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.linalg.compiled import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ROWS = 4096  # rows of one partial sum


@kernel
def _fixed_row(i, X, y, offset, T, shift, out):  # type: ignore[no-untyped-def]
    """Row i of the fixed columns and the response, in internal coordinates."""
    p = X.shape[1]
    value = y[i] - offset[i]
    for c in range(p):
        value -= X[i, c] * shift[c]
    out[p] = value
    for c in range(p):
        total = 0.0
        for a in range(p):
            total += X[i, a] * T[a, c]
        out[c] = total


@kernel
def _random_row(i, values, C, out):  # type: ignore[no-untyped-def]
    """Row i of a factor's covariates, in internal coordinates."""
    for c in range(C.shape[1]):
        total = 0.0
        for a in range(C.shape[0]):
            total += values[i, a] * C[a, c]
        out[c] = total


@kernel
def fixed_products(X, y, offset, w, T, shift):  # type: ignore[no-untyped-def]
    """`F'WF`, F the fixed columns and the response, shape (m, m).

    Parameters
    ----------
    X : ndarray, shape (n, p)
    y, offset, w : ndarray, shape (n,)
    T : ndarray, shape (p, p)
    shift : ndarray, shape (p,)
    """
    n, p = X.shape
    m = p + 1
    total = np.zeros((m, m))
    part = np.zeros((m, m))
    row = np.empty(m)
    for start in range(0, n, ROWS):
        part[:] = 0.0
        for i in range(start, min(n, start + ROWS)):
            _fixed_row(i, X, y, offset, T, shift, row)
            for a in range(m):
                wa = w[i] * row[a]
                for b in range(a + 1):
                    part[a, b] += wa * row[b]
        for a in range(m):
            for b in range(a + 1):
                total[a, b] += part[a, b]
    for a in range(m):
        for b in range(a):
            total[b, a] = total[a, b]
    return total


@kernel
def factor_products(codes, values, C, X, y, offset, w, T, shift, n_levels):  # type: ignore[no-untyped-def]
    """A factor's own products by level, and those with the fixed columns and the response.

    Parameters
    ----------
    codes : ndarray of int64, shape (n,)
    values : ndarray, shape (n, k)
    C : ndarray, shape (k, k)
    X, y, offset, w, T, shift : ndarray
        As in `fixed_products`.
    n_levels : int

    Returns
    -------
    zz : ndarray, shape (J, k, k)
    zf : ndarray, shape (J, k, m)
    """
    n, k = values.shape
    m = X.shape[1] + 1
    zz = np.zeros((n_levels, k, k))
    zf = np.zeros((n_levels, k, m))
    row = np.empty(m)
    z = np.empty(k)
    for i in range(n):
        _fixed_row(i, X, y, offset, T, shift, row)
        _random_row(i, values, C, z)
        j = codes[i]
        for a in range(k):
            wa = w[i] * z[a]
            for b in range(a + 1):
                zz[j, a, b] += wa * z[b]
            for b in range(m):
                zf[j, a, b] += wa * row[b]
    for j in range(n_levels):
        for a in range(k):
            for b in range(a):
                zz[j, b, a] = zz[j, a, b]
    return zz, zf


@kernel
def pair_pattern(codes_a, codes_b, w, n_a, n_b):  # type: ignore[no-untyped-def]
    """Which levels of b meet each level of a, and for each row the place of its pair.

    Returns
    -------
    start : ndarray of int64, shape (n_a + 1,)
    other : ndarray of int64, shape (pairs,)
        Levels of b, ascending within each level of a.
    place : ndarray of int64, shape (n,)
        -1 for rows without weight.
    """
    n = len(codes_a)
    # Rows sorted by level of b, then stably by level of a: two counting sorts.
    order = _counting_sort(codes_b, np.arange(n), n_b)
    order = _counting_sort(codes_a, order, n_a)
    start = np.zeros(n_a + 1, np.int64)
    other = np.empty(n, np.int64)
    place = np.full(n, -1, np.int64)
    pairs = 0
    last_a, last_b = -1, -1
    for i in order:
        if w[i] == 0.0:
            continue
        a, b = codes_a[i], codes_b[i]
        if a != last_a or b != last_b:
            other[pairs] = b
            pairs += 1
            start[a + 1] += 1
            last_a, last_b = a, b
        place[i] = pairs - 1
    for a in range(n_a):
        start[a + 1] += start[a]
    return start, other[:pairs].copy(), place


@kernel
def _counting_sort(codes, order, n_levels):  # type: ignore[no-untyped-def]
    count = np.zeros(n_levels + 1, np.int64)
    for i in order:
        count[codes[i] + 1] += 1
    for j in range(n_levels):
        count[j + 1] += count[j]
    out = np.empty(len(order), np.int64)
    for i in order:
        out[count[codes[i]]] = i
        count[codes[i]] += 1
    return out


@kernel
def pair_products(place, values_a, C_a, values_b, C_b, w, n_pairs):  # type: ignore[no-untyped-def]
    """Products of two factors by pair of levels, shape (pairs, k_a, k_b)."""
    k_a, k_b = C_a.shape[1], C_b.shape[1]
    out = np.zeros((n_pairs, k_a, k_b))
    a = np.empty(k_a)
    b = np.empty(k_b)
    for i in range(len(place)):
        if place[i] < 0:
            continue
        _random_row(i, values_a, C_a, a)
        _random_row(i, values_b, C_b, b)
        for c in range(k_a):
            for d in range(k_b):
                out[place[i], c, d] += w[i] * a[c] * b[d]
    return out


@kernel
def weighted_squares(values, shift, w):  # type: ignore[no-untyped-def]
    """Weighted sums of squares of the columns of `values @ shift`, shape (k,)."""
    n, k = values.shape
    total = np.zeros(k)
    part = np.zeros(k)
    row = np.empty(k)
    for start in range(0, n, ROWS):
        part[:] = 0.0
        for i in range(start, min(n, start + ROWS)):
            _random_row(i, values, shift, row)
            for c in range(k):
                part[c] += w[i] * row[c] * row[c]
        for c in range(k):
            total[c] += part[c]
    return total

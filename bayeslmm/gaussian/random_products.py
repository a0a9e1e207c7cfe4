"""The cross-products of all random columns as one sparse matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bayeslmm.gaussian.moments import Moments

Ints = NDArray[np.int64]


def first_columns(m: Moments) -> Ints:
    """Where each block's columns begin, level by level, and where the last one's end."""
    return np.cumsum([0, *(levels * k for levels, k in m.sizes)]).astype(np.int64)


def random_products(m: Moments) -> Any:
    """`Z'WZ` in the room's coordinates, a csr array of shape (q, q)."""
    first = first_columns(m)
    entries = []
    for i, zz in enumerate(m.zz):
        z = first[i] + np.arange(zz.shape[0] * zz.shape[1]).reshape(zz.shape[:2])
        entries.append((z[:, :, None], z[:, None, :], zz))
    for p in m.pairs:
        k_a, k_b = p.values.shape[1:]
        a = (first[p.a] + p.rows[:, None] * k_a + np.arange(k_a))[:, :, None]
        b = (first[p.b] + p.other[:, None] * k_b + np.arange(k_b))[:, None, :]
        entries += [(a, b, p.values), (b, a, p.values)]
    flat = [[np.broadcast_to(x, e[2].shape).ravel() for x in e] for e in entries]
    rows, columns, values = (np.concatenate(x) for x in zip(*flat, strict=True))
    size = int(first[-1])
    return sparse.csr_array((values, (rows, columns)), shape=(size, size))

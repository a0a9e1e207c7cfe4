"""Weighted cross-products of [Z X y]: the data, read once.

`A = [Z X y]' W [Z X y]` in blocks. The grouping factor with most columns, the *eliminated*
one, keeps one small block a level; the other factors' columns, X and y form the *rest*, in
that order. The response enters about a least-squares fit `X shift`, so that a large mean
takes no digits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.design import RandomBlock
from bayeslmm.model import Model

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RestBlock:
    """Where a factor that is not eliminated sits among the rest's columns."""

    block: int
    start: int
    n_levels: int
    n_coefs: int

    @property
    def stop(self) -> int:
        return self.start + self.n_levels * self.n_coefs


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Cross-products of a model's rows. With J levels of k coefficients eliminated, q_rest
    other random columns and p fixed ones, m = q_rest + p + 1.

    Attributes
    ----------
    n : int
        Rows of positive weight.
    sum_log_weight : float
    eliminated : int or None
        Index of the eliminated block; None without random effects (then J = 0).
    rest : tuple of RestBlock
    p : int
        Fixed columns.
    columns : ndarray of intp, shape (p,)
        Which of the design's fixed columns these are.
    shift : ndarray, shape (p,)
        The response stands for `y - offset - X shift`.
    zz : ndarray, shape (J, k, k)
    zr : ndarray, shape (J, k, m)
    rr : ndarray, shape (m, m)
    """

    n: int
    sum_log_weight: float
    eliminated: int | None
    rest: tuple[RestBlock, ...]
    p: int
    columns: NDArray[np.intp]
    shift: Floats
    zz: Floats
    zr: Floats
    rr: Floats

    @property
    def q_rest(self) -> int:
        """Random columns that are not eliminated."""
        return int(self.rr.shape[0]) - self.p - 1


def moments(model: Model, columns: tuple[int, ...] | None = None) -> Moments:
    """The moments of a Gaussian model.

    Parameters
    ----------
    model : Model
    columns : tuple of int, optional
        The fixed columns to take (all, if not given): the unaliased ones for REML.
    """
    design = model.design
    kept = np.arange(design.p) if columns is None else np.asarray(columns, dtype=np.intp)
    w = model.precision_weights
    X = design.X[:, kept]
    y = design.y - design.rows.offset
    root = np.sqrt(w)
    shift = np.linalg.lstsq(X * root[:, None], y * root, rcond=None)[0]
    fixed = np.column_stack([X, y - X @ shift])
    eliminated, rest = _layout(design.blocks)
    zz, zr = _eliminated_products(design.blocks, eliminated, rest, fixed, w)
    return Moments(
        n=model.n,
        sum_log_weight=float(np.log(w[w > 0]).sum()),
        eliminated=eliminated,
        rest=rest,
        p=len(kept),
        columns=kept,
        shift=shift,
        zz=zz,
        zr=zr,
        rr=_rest_products(design.blocks, rest, fixed, w),
    )


def _layout(blocks: tuple[RandomBlock, ...]) -> tuple[int | None, tuple[RestBlock, ...]]:
    if not blocks:
        return None, ()
    widths = [b.n_levels * b.n_coefs for b in blocks]
    eliminated = int(np.argmax(widths))
    rest: list[RestBlock] = []
    start = 0
    for i, block in enumerate(blocks):
        if i != eliminated:
            rest.append(RestBlock(i, start, block.n_levels, block.n_coefs))
            start = rest[-1].stop
    return eliminated, tuple(rest)


def _eliminated_products(
    blocks: tuple[RandomBlock, ...],
    eliminated: int | None,
    rest: tuple[RestBlock, ...],
    fixed: Floats,
    w: Floats,
) -> tuple[Floats, Floats]:
    q_rest = rest[-1].stop if rest else 0
    m = q_rest + fixed.shape[1]
    if eliminated is None:
        return np.zeros((0, 1, 1)), np.zeros((0, 1, m))
    e = blocks[eliminated]
    zz = np.empty((e.n_levels, e.n_coefs, e.n_coefs))
    zr = np.zeros((e.n_levels, e.n_coefs, m))
    for a in range(e.n_coefs):
        wa = w * e.values[:, a]
        for b in range(a + 1):
            zz[:, a, b] = zz[:, b, a] = np.bincount(e.codes, wa * e.values[:, b], e.n_levels)
        for r in rest:
            zr[:, a, r.start : r.stop] = _crossed(e, blocks[r.block], wa)
        for c in range(fixed.shape[1]):
            zr[:, a, q_rest + c] = np.bincount(e.codes, wa * fixed[:, c], e.n_levels)
    return zz, zr


def _crossed(a: RandomBlock, b: RandomBlock, weighted: Floats) -> Floats:
    """Sums of `weighted * b.values` by pairs of levels, shape (J_a, J_b * k_b)."""
    pair = a.codes * b.n_levels + b.codes
    sums = [
        np.bincount(pair, weighted * b.values[:, c], a.n_levels * b.n_levels)
        for c in range(b.n_coefs)
    ]
    return np.stack(sums, axis=-1).reshape(a.n_levels, b.n_levels * b.n_coefs)


def _rest_products(
    blocks: tuple[RandomBlock, ...], rest: tuple[RestBlock, ...], fixed: Floats, w: Floats
) -> Floats:
    q_rest = rest[-1].stop if rest else 0
    m = q_rest + fixed.shape[1]
    rr = np.zeros((m, m))
    rr[q_rest:, q_rest:] = fixed.T @ (fixed * w[:, None])
    for i, r in enumerate(rest):
        g = blocks[r.block]
        for a in range(g.n_coefs):
            rows = slice(r.start + a, r.stop, g.n_coefs)
            wa = w * g.values[:, a]
            for other in rest[: i + 1]:
                sums = _crossed(g, blocks[other.block], wa)
                rr[rows, other.start : other.stop] = sums
                rr[other.start : other.stop, rows] = sums.T
            for c in range(fixed.shape[1]):
                sums = np.bincount(g.codes, wa * fixed[:, c], g.n_levels)
                rr[rows, q_rest + c] = rr[q_rest + c, rows] = sums
    return rr

"""A design with its columns at the centre of their covariates, for whatever depends on spans.

X_c = X T has the span of X, and a free covariance of the effects of Z is one of those of Z_c = Z T.
Beside a far origin the users' columns are all but multiples of each other, and their ranks are
those of rounding errors; the centred ones are the same wherever the origin is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bayeslmm.design import Centred, Design, RandomBlock
from bayeslmm.model.scales import Extent
from bayeslmm.model.slots import scale_at_centre

Floats = NDArray[np.float64]
FAR = 1e3  # standard deviations of a centred column between a column's values and zero
FAR_SQUARED = 30.0  # the same where squares of columns are compared


def is_far(centred: Centred, size: Floats, scale: Floats, far: float = FAR) -> bool:
    """Whether what some columns vary by is small beside their values.

    Parameters
    ----------
    centred : Centred
    size : ndarray, shape (p,)
        Greatest absolute value of each of the users' columns.
    scale : ndarray, shape (p,)
        Standard deviations of the centred columns.
    far : float
    """
    return any(size[j] > far * scale[j] for _, j, _ in centred.lower)


def at_centre(design: Design, fixed: Extent, random: Sequence[Extent]) -> Design:
    """The design whose columns are centred where their origin is far, for the same spans.

    Parameters
    ----------
    design : Design
    fixed : Extent
        Of the fixed columns.
    random : sequence of Extent
        Of each block's.
    """
    X = _columns(design, design.centred, design.X, fixed.size, fixed.scale)
    blocks = tuple(
        _block(design, block, own, reach)
        for block, own, reach in zip(design.blocks, design.centred_parts, random, strict=True)
    )
    same = all(a is b for a, b in zip(blocks, design.blocks, strict=True))
    if X is design.X and same:
        return design
    return replace(design, rows=replace(design.rows, X=X, blocks=blocks))


def _block(
    design: Design, block: RandomBlock, parts: Sequence[Centred], reach: Extent
) -> RandomBlock:
    values = block.values
    for part, centred in zip(block.parts, parts, strict=True):
        if centred.is_identity:
            continue
        own = list(part.columns)
        users = block.values[:, own]
        found = _columns(design, centred, users, reach.size[own], reach.scale[own])
        if found is not users:
            values = np.array(values) if values is block.values else values
            values[:, own] = found
    return block if values is block.values else replace(block, values=values)


def _columns(
    design: Design, centred: Centred, users: Floats, size: Floats, scale: Floats
) -> Floats:
    if centred.is_identity:
        return users
    inside = scale_at_centre(design, centred, scale)
    if not is_far(centred, size, inside, FAR_SQUARED):
        return users
    return centred.values(users, design.columns)

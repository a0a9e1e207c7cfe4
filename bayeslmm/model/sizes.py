"""Numbers whose squares and fourth powers floats can't hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bayeslmm.design import Design
from bayeslmm.errors import DataError, shorter
from bayeslmm.model.scales import Extent

LARGEST = 1e100


def require_size(sizes: NDArray[np.float64], names: Sequence[str], what: str) -> None:
    """Refuse columns whose squares would over- or underflow.

    Parameters
    ----------
    sizes : ndarray, shape (p,)
        Greatest absolute value of each.
    names : sequence of str, length p
    what : str
        What one is.

    Raises
    ------
    DataError
        A column of zeros apart, one beyond 1e100 or below 1e-100.
    """
    outside = (sizes > LARGEST) | ((sizes < 1 / LARGEST) & (sizes > 0))
    if not outside.any():
        return
    first = int(outside.argmax())
    unit = 10.0 ** np.floor(np.log10(sizes[first]))
    raise DataError(
        f"{what} {shorter(names[first], 80)!r} has values up to {sizes[first]:g}, whose squares "
        "are beyond the range of floating-point numbers",
        allowed=f"0, or {1 / LARGEST:g} to {LARGEST:g}",
        hint=f"Change the unit: divide by {unit:g}",
    )


def require_sizes(design: Design, fixed: Extent, random: Sequence[Extent]) -> None:
    """`require_size` of the columns of a design, whose extents these are."""
    require_size(fixed.size, design.coefs, "The fixed column")
    for block, extent in zip(design.blocks, random, strict=True):
        require_size(extent.size, block.coefs, f"The random column by {block.group!r}")

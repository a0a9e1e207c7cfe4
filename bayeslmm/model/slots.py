"""What a model's design has that needs a prior, measured at the centre of its covariates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bayeslmm.design import Centred, Design, Part, RandomBlock
from bayeslmm.model.scales import Extent, extent
from bayeslmm.model.structures import sd_names, structure_of
from bayeslmm.model.types import centred_parts
from bayeslmm.priors import TermSlot

Floats = NDArray[np.float64]


def fixed_scale(design: Design, fixed: Extent) -> Floats:
    """Standard deviations of the columns of the centred design, 1 for constant ones, (p,)."""
    return scale_at_centre(design, design.centred, fixed.scale)


def random_slots(
    design: Design, extents: Sequence[Extent], random: Mapping[str, str]
) -> dict[str, tuple[TermSlot, ...]]:
    """The terms of each grouping factor; `extents` are those of the blocks."""
    found = centred_parts(design, random)
    return {
        block.group: tuple(
            _slot(design, block, part, centred, reach)
            for part, centred in zip(block.parts, own, strict=True)
        )
        for block, own, reach in zip(design.blocks, found, extents, strict=True)
    }


def _slot(
    design: Design, block: RandomBlock, part: Part, centred: Centred, reach: Extent
) -> TermSlot:
    coefs = tuple(block.coefs[c] for c in part.columns)
    free = list(structure_of(part, coefs).free_sds(len(coefs)))
    sds, scale = sd_names(block), reach.scale[list(part.columns)]
    names = tuple(sds[part.columns[i]] for i in free)
    correlated = part.structure == "us" and len(coefs) > 1
    if centred.is_identity:
        return TermSlot(names, scale[free], correlated, (False,) * len(free))
    inside = scale_at_centre(design, centred, scale)
    return TermSlot(names, scale, correlated, centred.moved, inside, centred.T)


def scale_at_centre(design: Design, centred: Centred, scale: Floats) -> Floats:
    """Standard deviations of centred columns, given those of the users' columns, shape (p,)."""
    out = np.array(scale)
    for j in centred.reshaped:
        out[j] = extent(centred.column(j, design.columns)[:, None]).scale[0]
    return out

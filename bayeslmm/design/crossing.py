"""Fixed columns and random-effect covariates at values of several rows beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.design.design import Design
from bayeslmm.design.normal import Columns, Normal
from bayeslmm.design.types import Floats
from bayeslmm.formula import columns_of

Codes = NDArray[np.intp]


def covariate_columns(design: Design, groups: Sequence[str]) -> list[str]:
    """Columns of the table in the fixed part and in the covariates of some factors' effects."""
    alone = replace(design.formula, response="", offsets=(), random=())
    parts = [t.lhs for t in design.formula.random if t.group in groups]
    texts = [design.formula.fixed, *parts]
    return list(dict.fromkeys(n for text in texts for n in columns_of(replace(alone, fixed=text))))


def crossed_values(
    design: Design, taken: Mapping[str, Codes], size: int, blocks: Sequence[int]
) -> tuple[Floats, tuple[Floats, ...]]:
    """Fixed columns (size, p), and the covariates (size, k) of some blocks.

    Parameters
    ----------
    design : Design
    taken : mapping of str to ndarray of intp, each of shape (size,)
        For each column of the table the rows whose values it takes.
    size : int
    blocks : sequence of int
    """
    index = pd.RangeIndex(size)
    made: dict[str, Normal] = {}
    for name, rows in taken.items():
        column = design.columns[name]
        made[name] = replace(column, values=column.values[rows], index=index, unused=())
    columns, states = Columns(made, index), dict(design.schema.states)
    Z = [
        np.hstack([term.values(columns, states) for term in design.schema.blocks[i].terms])
        for i in blocks
    ]
    return design.schema.fixed.values(columns, states), tuple(Z)

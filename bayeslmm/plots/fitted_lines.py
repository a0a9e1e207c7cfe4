"""What is drawn beside the data: no pooling, the population and the fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.compare.fits import HoldsFit, beta_of, u_of
from bayeslmm.compare.pooling import level_equations
from bayeslmm.model import Model
from bayeslmm.plots.style import NO_POOLING, NO_POOLING_LINE, POPULATION, marks

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """Its height at all rows of the data, and its look as a line and as a marker."""

    label: str
    height: Floats
    look: dict[str, Any]
    marker: dict[str, Any]


def lines_of(model: Model, fits: dict[str, HoldsFit], index: int) -> list[Line]:
    """No pooling of one block, X beta of the first fit, and X beta + Z u of every fit."""
    design, block = model.design, model.design.blocks[index]
    fixed = {name: design.X @ beta_of(fit) + design.offset for name, fit in fits.items()}
    first = next(iter(fits.values()))
    own = level_equations(model, first).block(index).effects
    alone = next(iter(fixed.values())) + np.sum(own[block.codes] * block.values, axis=1)
    dashed = {"color": POPULATION, "lw": 0.9, "ls": "--"}
    dash = {"ls": "none", "marker": "_", "color": POPULATION, "ms": 14, "mew": 1.1}
    hollow = {key: value for key, value in NO_POOLING.items() if key != "label"}
    out = [
        Line("no pooling", alone, NO_POOLING_LINE, hollow | {"markersize": 7.0}),
        Line("population", next(iter(fixed.values())), dashed, dash),
    ]
    for name, mark in marks(list(fits)).items():
        own = np.sum(u_of(fits[name], index)[block.codes] * block.values, axis=1)
        look = {"color": mark.colour, "lw": 1.4, "ls": mark.dash}
        out.append(Line(name, fixed[name] + own, look, mark.keywords()))
    return out

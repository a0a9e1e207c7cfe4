"""Lines in pictures of fitted values: no pooling, the population and the fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.compare.fits import HoldsFit, beta_of, u_of
from bayeslmm.compare.pooling import level_equations
from bayeslmm.model import Model
from bayeslmm.plots.style import NO_POOLING, NO_POOLING_LINE, POPULATION, marks

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Line:
    """A linear predictor of every drawn level, and its look as a line and as a marker.

    Attributes
    ----------
    label : str
    beta : ndarray, shape (p,)
    effects : tuple of ndarray, each of shape (J, k)
        For each block that enters, the effects that apply to each level of the drawn factor.
    look, marker : dict
    """

    label: str
    beta: Floats
    effects: tuple[Floats, ...]
    look: dict[str, Any]
    marker: dict[str, Any]

    def height(self, level: int, X: Floats, Z: Sequence[Floats]) -> Floats:
        """Its values for one level at rows of fixed columns and covariates."""
        own = [z @ u[level] for z, u in zip(Z, self.effects, strict=True)]
        return np.asarray(X @ self.beta + np.sum(own, axis=0))


def outer_factors(model: Model, index: int) -> list[int]:
    """Factors whose level is the same in all rows of each level of one block."""
    blocks = model.design.blocks
    codes, first = blocks[index].codes, _first_rows(model, index)
    return [
        i
        for i, other in enumerate(blocks)
        if i != index and np.array_equal(other.codes, other.codes[first][codes])
    ]


def lines_of(
    model: Model, fits: dict[str, HoldsFit], index: int, outer: list[int], levels: Codes
) -> list[Line]:
    """No pooling of the chosen levels of one block, the first fit's population, and every fit.

    All have the effects of the outer factors in them: of no pooling those that go with the
    level's unshrunk effects.
    """
    blocks, first = model.design.blocks, next(iter(fits.values()))
    of_level = [blocks[i].codes[_first_rows(model, index)] for i in outer]
    nothing = np.zeros((blocks[index].n_levels, blocks[index].n_coefs))

    def around(fit: HoldsFit) -> tuple[Floats, ...]:
        return tuple(u_of(fit, i)[codes] for i, codes in zip(outer, of_level, strict=True))

    alone = _alone(model, first, index, outer, levels, around(first))
    dashed = {"color": POPULATION, "lw": 0.9, "ls": "--"}
    dash = {"ls": "none", "marker": "_", "color": POPULATION, "ms": 14, "mew": 1.1}
    hollow = {key: value for key, value in NO_POOLING.items() if key != "label"}
    hollow |= {"markersize": 7.0}
    beta = beta_of(first)
    out = [
        Line("no pooling", beta, alone, NO_POOLING_LINE, hollow),
        Line("population", beta, (nothing, *around(first)), dashed, dash),
    ]
    for name, mark in marks(list(fits)).items():
        look = {"color": mark.colour, "lw": 1.4, "ls": mark.dash}
        effects = (u_of(fits[name], index), *around(fits[name]))
        out.append(Line(name, beta_of(fits[name]), effects, look, mark.keywords()))
    return out


def _alone(
    model: Model,
    fit: HoldsFit,
    index: int,
    outer: list[int],
    levels: Codes,
    around: tuple[Floats, ...],
) -> tuple[Floats, ...]:
    """Unshrunk effects, and those of the outer factors that go with them."""
    solved = level_equations(model, fit)
    own = solved.block(index).effects
    changed = [u.copy() for u in around]
    if outer:
        first = _first_rows(model, index)
        for level in levels[np.isfinite(own[levels]).all(axis=1)]:
            found = solved.others(index, int(level), own[level])
            for u, i in zip(changed, outer, strict=True):
                u[level] = found[i][model.design.blocks[i].codes[first[level]]]
    return (own, *changed)


def _first_rows(model: Model, index: int) -> Codes:
    """A row of each level, shape (J,); of one without rows the first of all."""
    block = model.design.blocks[index]
    out = np.zeros(block.n_levels, dtype=np.intp)
    found, rows = np.unique(block.codes, return_index=True)
    out[found] = rows
    return out

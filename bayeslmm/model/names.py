"""What variables, dimensions and coordinates of a fit are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.model.types import Model

RESERVED = frozenset(
    {
        "chain",
        "draw",
        "coef",
        "coef_",
        "beta",
        "sigma",
        "sd",
        "cor",
        "u",
        "row",
        "residual_par",
        "category",
    }
)


@dataclass(frozen=True, slots=True)
class GroupNames:
    """The names of one grouping factor in the tree.

    Attributes
    ----------
    group : str
        As the user calls it; what tables show.
    label : str
        As the tree calls it: a trailing ``_`` where the name collides with one of ours,
        and no ``/``, which files can't hold.
    levels : ndarray, shape (J,)
    coefs : tuple of str
    pairs : tuple of (int, int)
        The correlations that exist, as pairs of coefficients.
    """

    group: str
    label: str
    levels: NDArray[Any]
    coefs: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]

    @property
    def u(self) -> str:
        return f"u_{self.label}"

    @property
    def sd(self) -> str:
        return f"sd_{self.label}"

    @property
    def cor(self) -> str:
        return f"cor_{self.label}"

    @property
    def coef_dim(self) -> str:
        return f"{self.label}_coef"

    @property
    def pair_dim(self) -> str:
        return f"{self.label}_pair"

    @property
    def pair_labels(self) -> list[str]:
        return [f"{self.coefs[i]},{self.coefs[j]}" for i, j in self.pairs]

    def coords(self) -> dict[str, Any]:
        """Coordinates of the factor's dimensions."""
        out: dict[str, Any] = {self.label: self.levels, self.coef_dim: list(self.coefs)}
        if self.pairs:
            out[self.pair_dim] = self.pair_labels
        return out


def group_names(model: Model) -> tuple[GroupNames, ...]:
    """Names of every grouping factor, in the order of the design's blocks."""
    taken = set(RESERVED) | {f"{b.group}_coef" for b in model.design.blocks}
    out = []
    for index, block in enumerate(model.design.blocks):
        label = block.group.replace("/", "_")
        while label in taken:
            label += "_"
        taken.add(label)
        pairs = tuple(
            (term.columns[i], term.columns[j])
            for term in model.terms
            if term.block == index and term.cor_key
            for i in range(len(term.columns))
            for j in range(i + 1, len(term.columns))
        )
        out.append(GroupNames(block.group, label, np.asarray(block.levels), block.coefs, pairs))
    return tuple(out)


def renamed(model: Model) -> list[str]:
    """A sentence for each factor whose name had to change."""
    return [
        f"Factor {g.group!r} is called {g.label!r} in the tree: its own name is taken."
        for g in group_names(model)
        if g.label != g.group
    ]

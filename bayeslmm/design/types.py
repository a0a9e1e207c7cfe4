"""What the design room hands on: columns, levels and the numbers in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Part:
    """Coefficients of one random term: which columns of its block, and how they co-vary.

    Attributes
    ----------
    structure : str
    columns : tuple of int
    options : tuple of (str, value)
        The structure's settings.
    at : tuple of tuple of float
        Where the coefficients are, a point each, where the structure asks for it.
    """

    structure: str
    columns: tuple[int, ...]
    options: tuple[tuple[str, bool | float], ...] = ()
    at: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Further:
    """Rows at places of a random term that were not in the data.

    Attributes
    ----------
    part : int
        Which of the block's parts.
    rows : ndarray of intp, shape (m,)
    at : ndarray, shape (m, d)
        Where they are, in the units of the part's own places.
    labels : tuple of str, length m
    """

    part: int
    rows: NDArray[np.intp]
    at: Floats
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RandomBlock:
    """Everything that varies by one grouping factor: `Z_g`, kept as codes and values.

    Row `i` of the (never formed) `Z_g` has `values[i]` in the columns of level `codes[i]`.

    Attributes
    ----------
    group : str
        The factor's name, ``"Subject"`` or ``"batch:cask"``.
    levels : ndarray, shape (J,)
        The users' own labels (numbers or strings; ``"A:a"`` for a combination).
    codes : ndarray of intp, shape (n,)
        Level of each row; -1 for a level that was not seen when the design was learnt.
    values : ndarray, shape (n, k)
        The k random-effect covariates of each row.
    coefs : tuple of str, length k
        Their names, ``("Intercept", "Days")``.
    parts : tuple of Part
        One for each random term on this factor; their columns partition ``range(k)``.
    further : tuple of Further
        New rows at places that were not in the data: their `values` are zero there.
    """

    group: str
    levels: NDArray[Any]
    codes: NDArray[np.intp]
    values: Floats
    coefs: tuple[str, ...]
    parts: tuple[Part, ...]
    further: tuple[Further, ...] = ()

    @property
    def n_levels(self) -> int:
        """J, the number of levels."""
        return len(self.levels)

    @property
    def n_coefs(self) -> int:
        """k, the number of coefficients a level."""
        return len(self.coefs)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The numbers of some rows of a table, seen through a learnt design.

    Attributes
    ----------
    X : ndarray, shape (n, p)
        Fixed-effects columns.
    blocks : tuple of RandomBlock
        One for each grouping factor.
    offset : ndarray, shape (n,)
        Sum of the formula's offsets and the `offset` argument; zeros where there are none.
    extras : dict of str to ndarray, each of shape (n,)
        The other row-wise inputs: ``weights``, ``known_sd``, ``trials``.
    index : ndarray
        The labels (pandas index) of the rows in the table that was handed in.
    """

    X: Floats
    blocks: tuple[RandomBlock, ...]
    offset: Floats
    extras: dict[str, Floats] = field(default_factory=dict)
    index: NDArray[Any] = field(default_factory=lambda: np.empty(0, dtype=np.intp))

"""Formula and table to numbers: what a design learns, and how new rows go through it."""

from bayeslmm.design.design import Design, Schema
from bayeslmm.design.learn import Categories, learn
from bayeslmm.design.rank import Aliasing, aliasing
from bayeslmm.design.types import Part, RandomBlock, Rows

__all__ = [
    "Aliasing",
    "Categories",
    "Design",
    "Part",
    "RandomBlock",
    "Rows",
    "Schema",
    "aliasing",
    "learn",
]

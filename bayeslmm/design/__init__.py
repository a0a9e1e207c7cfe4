"""Formula and table to numbers: what a design learns, and how new rows go through it."""

from bayeslmm.design.centred import Centred, identity
from bayeslmm.design.crossing import covariate_columns, crossed_values
from bayeslmm.design.design import Design, Schema
from bayeslmm.design.estimability import estimable_basis, is_estimable, why_not
from bayeslmm.design.groups import learn_group
from bayeslmm.design.learn import Categories, learn
from bayeslmm.design.level_maps import LevelMaps, level_maps
from bayeslmm.design.normal import Columns
from bayeslmm.design.places import LearntPlaces, learn_places
from bayeslmm.design.rank import Aliasing, aliasing, aliasing_of_centred
from bayeslmm.design.times import Origin
from bayeslmm.design.types import Part, RandomBlock, Rows

__all__ = [
    "Aliasing",
    "Categories",
    "Centred",
    "Columns",
    "Design",
    "LearntPlaces",
    "LevelMaps",
    "Origin",
    "Part",
    "RandomBlock",
    "Rows",
    "Schema",
    "aliasing",
    "aliasing_of_centred",
    "covariate_columns",
    "crossed_values",
    "estimable_basis",
    "identity",
    "is_estimable",
    "learn",
    "learn_group",
    "learn_places",
    "level_maps",
    "why_not",
]

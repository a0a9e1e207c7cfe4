"""The functions that a formula may use, and what each may be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["whole", "number", "flag", "numbers", "label", "contrast"]

KINDS: dict[Kind, str] = {
    "whole": "a whole number",
    "number": "a number",
    "flag": "True or False",
    "numbers": "a list of numbers, [1, 2]",
    "label": "a level: text in quotes, or a number",
    "contrast": "contr.treatment, contr.sum, contr.helmert, contr.poly or contr.diff",
}


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes after its argument.

    Attributes
    ----------
    options : dict of str to kind
        Its settings in their order.
    whole_factor : bool
        Whether it makes several columns, so that it can't stand inside another function.
    of_column : bool
        Whether its argument has to be a column.
    """

    options: dict[str, Kind]
    whole_factor: bool = False
    of_column: bool = False


_PLAIN = Signature({})

FUNCTIONS: dict[str, Signature] = {
    "C": Signature({"contrasts": "contrast"}, whole_factor=True, of_column=True),
    "I": _PLAIN,
    "abs": _PLAIN,
    "log": _PLAIN,
    "log10": _PLAIN,
    "log1p": _PLAIN,
    "log2": _PLAIN,
    "exp": _PLAIN,
    "sqrt": _PLAIN,
    "center": _PLAIN,
    "scale": Signature({"center": "flag", "scale": "flag"}),
    "poly": Signature({"degree": "whole", "raw": "flag"}, whole_factor=True),
    "bs": Signature(
        {
            "df": "whole",
            "knots": "numbers",
            "degree": "whole",
            "include_intercept": "flag",
            "lower_bound": "number",
            "upper_bound": "number",
        },
        whole_factor=True,
    ),
    "cr": Signature(
        {
            "df": "whole",
            "knots": "numbers",
            "lower_bound": "number",
            "upper_bound": "number",
            "center": "flag",
        },
        whole_factor=True,
    ),
}

CONTRASTS: dict[str, dict[str, Kind]] = {
    "treatment": {"base": "label"},
    "sum": {},
    "helmert": {"reverse": "flag", "scale": "flag"},
    "poly": {"scores": "numbers"},
    "diff": {"backward": "flag"},
}

# Covariance structures that may wrap a random term, `diag(x | g)`, and their settings; they are
# those of the residual too.
_HOMOGENEOUS: dict[str, Kind] = {"hom": "flag"}
_DISTANCE: dict[str, Kind] = {"hom": "flag", "nugget": "flag"}
STRUCTURES: dict[str, dict[str, Kind]] = {
    "us": {},
    "diag": _HOMOGENEOUS,
    "id": {},
    "cs": _HOMOGENEOUS,
    "ar1": _HOMOGENEOUS,
    "car1": _HOMOGENEOUS,
    "arma": _HOMOGENEOUS,
    "toep": _HOMOGENEOUS,
    "ante": _HOMOGENEOUS,
    "fa": {"k": "whole", "hom": "flag"},
    "exp": _DISTANCE,
    "gau": _DISTANCE,
    "matern": _DISTANCE,
}

# Those whose coefficients are ordered occasions, and points in time or space.
ORDERED = ("ar1", "arma", "toep", "ante")
POINTS = ("car1", "exp", "gau", "matern")

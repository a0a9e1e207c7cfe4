"""lme4's answers under our names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[1] / "reference"
CASES = [  # answer, gallery model, variant
    ("sleepstudy_slope", "sleepstudy", None),
    ("sleepstudy_intercept", "sleepstudy", "intercept"),
    ("sleepstudy_uncorrelated", "sleepstudy", "uncorrelated"),
    ("dyestuff", "dyestuff", None),
    ("dyestuff2", "dyestuff2", None),
    ("penicillin", "penicillin", None),
    ("pastes", "pastes", None),
    ("machines", "machines", None),
    ("machines_nested", "machines", "nested"),
    ("orthodont_age", "orthodont", None),
    ("orthodont_age_sex", "orthodont", "age_sex"),
    ("orthodont_intercept", "orthodont", "intercept"),
]


def answer(name: str) -> dict:
    """The stored JSON."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def coef_name(name: str) -> str:
    """lme4's coefficient names in ours: `MachineB` to `Machine[B]`."""
    if name == "(Intercept)":
        return "Intercept"
    return ":".join(re.sub(r"^(Machine|Sex)(.+)$", r"\1[\2]", part) for part in name.split(":"))


def as_list(value) -> list:
    return value if isinstance(value, list) else [value]


def ranef_of(reference: dict) -> dict[tuple[frozenset, str, str], tuple[float, float]]:
    """BLUP and conditional sd by (factors, level, coef), blind to the order of a nesting."""
    out = {}
    for block in reference["blups"]:
        terms = as_list(block["terms"])
        values = np.array(block["values"], dtype=float).reshape(len(block["levels"]), len(terms))
        variances = conditional_variances(block["condVar"], terms, len(block["levels"]))
        for row, level in enumerate(block["levels"]):
            for column, term in enumerate(terms):
                key = key_of(block["group"], level, coef_name(term))
                out[key] = (values[row, column], np.sqrt(variances[row, column]))
    return out


def key_of(group: str, level: object, coef: str) -> tuple:
    """`cask:batch`, `a:A` and `batch:cask`, `A:a` are the same effect."""
    factors, levels = group.split(":"), str(level).split(":")
    pairs = frozenset(zip(factors, levels, strict=True))
    return pairs, coef


def conditional_variances(stored: list | dict, terms: list[str], n_levels: int) -> np.ndarray:
    """(level, term): from whole matrices, or from one list a term where they are independent."""
    if isinstance(stored, dict):
        return np.stack([np.ravel(stored[term]) for term in terms], axis=1)
    matrices = np.array(stored, dtype=float).reshape(n_levels, len(terms), len(terms))
    return np.einsum("jaa->ja", matrices)


def factors_of(group: str) -> set[str]:
    """The factors of lme4's group name: `Subject.1` is the second term on Subject."""
    return set(re.sub(r"\.\d+$", "", group).split(":"))

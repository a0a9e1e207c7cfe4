"""lme4's answers under our names."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd

import bayeslmm as bl

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

TABLES = {  # answers over data that are no gallery model: table, factors, formula
    "oxboys": ("Oxboys.csv", ["Subject"], "height ~ age + (age | Subject)"),
    "rail": ("Rail.csv", ["Rail"], "travel ~ 1 + (1 | Rail)"),
    "insteval_dept": (
        "InstEval.csv.gz",
        ["s", "d", "dept", "service"],
        "y ~ 1 + service + (1 | s) + (1 | d) + (1 | dept)",
    ),
}


def answer(name: str) -> dict:
    """The stored JSON."""
    path = FOLDER / f"{name}.json"
    if path.exists():
        return json.loads(path.read_text())
    return json.loads(gzip.decompress(path.with_suffix(".json.gz").read_bytes()))


def table_model(name: str) -> bl.Model:
    """The model of an answer over one of the tables here."""
    file, factors, formula = TABLES[name]
    table = pd.read_csv(FOLDER / "data" / file)
    for factor in factors:
        table[factor] = table[factor].astype(str).astype("category")
    return bl.Model(formula, table)


def coef_name(name: str) -> str:
    """lme4's coefficient names in ours: `MachineB` to `Machine[B]`."""
    if name == "(Intercept)":
        return "Intercept"
    return ":".join(
        re.sub(r"^(Machine|Sex|service)(.+)$", r"\1[\2]", part) for part in name.split(":")
    )


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

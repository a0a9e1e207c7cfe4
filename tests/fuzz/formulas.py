"""Random formulas over the columns of `tables`, and the options that go with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tests.fuzz.tables import table_of

NUMERIC = ("x1", "x2", "x3")
RESIDUALS = (
    "diag(k)",
    "ar1(t | g)",
    "us(k | g)",
    "cs(t | g)",
    "varpower(w)",
    "varexp(x1)",
    "exp(t | g)",
    "car1(t | g)",
    "toep(t | g)",
    "ar1(1 | g)",
    "diag(f) + ar1(1 | h)",
)


@dataclass(frozen=True)
class Case:
    """One random model, the method that fits it, and the prior precision of the closed form."""

    seed: int
    table: pd.DataFrame
    formula: str
    options: dict[str, Any]
    method: str
    kappa: float | None

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.formula} {self.options or ''} by {self.method}"


def case_of(seed: int) -> Case:
    """The random model of a seed."""
    rng = np.random.default_rng(seed)
    table, formula = table_of(rng), formula_of(rng)
    options = options_of(rng)
    method = str(rng.choice(["reml", "ml", "exact"], p=[0.6, 0.3, 0.1]))
    return Case(seed, table, formula, options, method, (0, 1.0, None)[seed % 3])


def options_of(rng: np.random.Generator) -> dict[str, Any]:
    kind = rng.random()
    if kind < 0.1:
        return {"weights": "w"}
    if kind < 0.2:
        return {"known_sd": "s"}
    return {"residual": str(rng.choice(RESIDUALS))} if kind < 0.3 else {}


def formula_of(rng: np.random.Generator) -> str:
    count = rng.choice([0, 1, 2, 3], p=[0.3, 0.4, 0.2, 0.1])
    parts = [fixed_term(rng) for _ in range(count)]
    if rng.random() < 0.15:
        parts.insert(0, "0")
    if rng.random() < 0.05:
        parts.append(f"offset({numeric(rng)})")
    count = rng.choice([0, 1, 2, 3], p=[0.06, 0.6, 0.28, 0.06])
    parts += [random_term(rng) for _ in range(count)]
    y = str(rng.choice(["y", "y", "y", "y", "y", "y", "log(y)", "I(y**2)", "sqrt(y)"]))
    return f"{y} ~ " + " + ".join(parts or ["1"])


def numeric(rng: np.random.Generator) -> str:
    return str(rng.choice(NUMERIC))


def factor(rng: np.random.Generator) -> str:
    return str(rng.choice(["f", "h", "k", "g"], p=[0.45, 0.25, 0.25, 0.05]))


def fixed_term(rng: np.random.Generator) -> str:
    which = rng.integers(0, 22)
    x = numeric(rng)
    terms = [
        x,
        x,
        x,
        factor(rng),
        factor(rng),
        f"I({x}**2)",
        f"log(abs({x}) + 1)",
        f"scale({x})",
        f"center({x})",
        f"poly({x}, 2)",
        f"bs({x}, df=4)",
        f"cr({x}, df=3)",
        f"C({factor(rng)}, contr.sum)",
        f"C({factor(rng)}, contr.helmert)",
        f"{x}:{factor(rng)}",
        f"{x}*{numeric(rng)}",
        f"{x}*{factor(rng)}",
        f"{factor(rng)}:{factor(rng)}",
        f"({x} + {factor(rng)})^2",
        f"{factor(rng)}/{x}",
        f"I({x} > 0)",
        f"exp(-abs({x}))",
    ]
    return terms[which]


def random_term(rng: np.random.Generator) -> str:
    g = str(rng.choice(["g", "g", "g", "h", "f", "g:h", "g/h", "h/g", "k", "f:g"]))
    x = numeric(rng)
    one = g if "/" not in g and ":" not in g else "g"
    terms = [
        f"(1 | {g})",
        f"(1 | {g})",
        f"(1 | {g})",
        f"({x} | {g})",
        f"({x} | {g})",
        f"(0 + {x} | {g})",
        f"({x} || {g})",
        f"({factor(rng)} | {one})",
        f"(0 + {factor(rng)} | {one})",
        f"cs(0 + {factor(rng)} | {one})",
        f"diag({factor(rng)} | {one})",
        f"ar1(0 + t | {one})",
        f"(1 | {g}) + (0 + {x} | {g})",
        f"({x} + {numeric(rng)} | {one})",
        f"id(0 + {factor(rng)} | {one})",
        f"({factor(rng)} || {one})",
        f"toep(0 + t | {one})",
        f"exp(0 + t | {one})",
        f"fa(0 + f | {one}, k=1)",
        f"cs(0 + k | {one}, hom=True)",
    ]
    return terms[rng.integers(0, 20)]

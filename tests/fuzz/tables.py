"""Random small tables with what real ones have: ties, constants, huge units, gaps, odd labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

ROWS = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40)
FACTORS = ("str", "int", "cat", "bool", "float", "catunused", "ordered", "mixednum", "string")
NUMBERS = {
    "norm": 0.32,
    "ties": 0.12,
    "const": 0.04,
    "big": 0.05,
    "tiny": 0.05,
    "int": 0.12,
    "zero": 0.02,
    "bool": 0.03,
    "offset": 0.06,
    "Int64": 0.05,
    "halfzero": 0.05,
    "f32": 0.03,
    "uint8": 0.03,
    "1e150": 0.03,
}


def factor(rng: np.random.Generator, n: int, k: int) -> Any:
    """A factor of up to k levels, as text, numbers, booleans or a category."""
    kind = rng.choice(FACTORS)
    codes = rng.integers(0, k, n)
    if rng.random() < 0.3:
        codes = np.sort(codes)
    made: dict[str, Callable[[], Any]] = {
        "str": lambda: np.array([f"L{c}" for c in codes], dtype=object),
        "int": lambda: codes * int(rng.choice([1, -3, 1000])),
        "cat": lambda: pd.Categorical([f"c{c}" for c in codes]),
        "bool": lambda: codes % 2 == 0,
        "float": lambda: codes + 0.5,
        "catunused": lambda: pd.Categorical(
            [f"c{c}" for c in codes], categories=[f"c{i}" for i in range(k + 3)]
        ),
        "ordered": lambda: pd.Categorical(codes, ordered=True),
        "string": lambda: pd.array([f"s{c}" for c in codes], dtype="string"),
        "mixednum": lambda: np.array(
            [["1", "1.0", "01", "one", " 1"][c % 5] for c in codes], dtype=object
        ),
    }
    return made[str(kind)]()


def number(rng: np.random.Generator, n: int) -> Any:
    """A numeric column."""
    kind = rng.choice(list(NUMBERS), p=list(NUMBERS.values()))
    z = rng.standard_normal(n)
    whole, nullable, small = (
        rng.integers(-5, 6, n),
        rng.integers(0, 9, n),
        rng.integers(0, 255, n).astype(np.uint8),
    )
    made: dict[str, Callable[[], Any]] = {
        "norm": lambda: z,
        "ties": lambda: np.round(z),
        "const": lambda: np.full(n, 2.5),
        "big": lambda: z * 1e8,
        "tiny": lambda: z * 1e-8,
        "int": lambda: whole,
        "zero": lambda: np.zeros(n),
        "bool": lambda: z > 0,
        "offset": lambda: 1e6 + z,
        "Int64": lambda: pd.array(nullable, dtype="Int64"),
        "halfzero": lambda: np.where(z > 0, z, 0),
        "f32": lambda: z.astype(np.float32),
        "uint8": lambda: small,
        "1e150": lambda: z * 1e150,
    }
    return made[str(kind)]()


def response(rng: np.random.Generator, columns: dict[str, Any], n: int) -> Any:
    """Effects of `g` and `x1` and noise, which may be nearly or wholly absent, in any unit."""
    g = pd.factorize(pd.Series(columns["g"]).astype(str))[0]
    u = rng.standard_normal(n)[g % n] * rng.choice([0, 0.5, 3])
    noise = rng.standard_normal(n) * rng.choice([1.0, 0.1, 1e-6, 0.0], p=[0.7, 0.15, 0.05, 0.1])
    y = 2 + u + noise
    x = pd.to_numeric(pd.Series(columns["x1"]), errors="coerce").astype(float).to_numpy()
    if rng.random() < 0.5 and np.isfinite(x).all() and np.abs(x).max() < 1e9:
        y = y + 0.7 * x
    units = [1.0, 1e-8, 1e8, 1e-150, 1e150, 1e5]
    y = y * rng.choice(units, p=[0.74, 0.05, 0.05, 0.02, 0.02, 0.12])
    kind = rng.random()
    if kind < 0.1:
        return np.round(y)
    if kind < 0.13:
        with np.errstate(over="ignore"):
            return y.astype(np.float32)
    if kind < 0.16:
        return (y > np.median(y)).astype(int)
    return y + 1e9 if kind < 0.19 else y


def with_gaps(rng: np.random.Generator, table: pd.DataFrame) -> pd.DataFrame:
    """Some columns with missing values."""
    for name in table.columns:
        if rng.random() >= 0.3:
            continue
        gone = rng.random(len(table)) < rng.choice([0.05, 0.2, 0.6])
        column = table[name]
        if name in ("y", "w", "s", "x1", "x2", "x3") and column.dtype != "Int64":
            table[name] = column.astype(float).mask(gone)
        elif isinstance(column.dtype, pd.CategoricalDtype):
            table[name] = column.where(~gone)
        elif name != "t" or column.dtype == "Int64":
            table[name] = column.astype(object).where(~gone, None)
    return table


def table_of(rng: np.random.Generator) -> pd.DataFrame:
    """Two to forty rows: a response, numbers, factors, occasions, weights."""
    n = int(rng.choice(ROWS))
    levels = int(rng.integers(1, max(2, n)))
    columns: dict[str, Any] = {
        "g": factor(rng, n, levels),
        "h": factor(rng, n, int(rng.integers(1, 6))),
        "f": factor(rng, n, int(rng.integers(1, 5))),
        "k": factor(rng, n, 2),
        "t": rng.integers(0, 5, n),
        "x1": number(rng, n),
        "x2": number(rng, n),
        "x3": number(rng, n),
        "w": rng.uniform(0.1, 3, n),
        "s": rng.uniform(0.1, 3, n),
    }
    if rng.random() < 0.2:
        columns["t"] = np.arange(n)
    columns["y"] = response(rng, columns, n)
    table = pd.DataFrame(columns)
    if rng.random() < 0.35:
        table = with_gaps(rng, table)
    if rng.random() < 0.1:
        table.index = pd.Index(rng.integers(0, 5, n))
    if rng.random() < 0.05:
        table.index = pd.Index([f"r{i}" for i in range(n)])
    return table

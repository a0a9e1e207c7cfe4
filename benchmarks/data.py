"""The rows of every case: data sets of the project, or simulated with a fixed seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
SLEEPSTUDY = ROOT / "models" / "data" / "sleepstudy.csv"
INSTEVAL = ROOT / "tests" / "reference" / "data" / "InstEval.csv.gz"
SEED = 20260101
QUICK = 50  # simulated rows and levels are divided by this


class Absent(Exception):
    """A data set that isn't on this machine: the case is skipped, and says so."""


def sleepstudy(quick: bool) -> pd.DataFrame:
    """Belenky et al. (2003): 18 subjects, 10 days. The same, quick or not."""
    return _read(SLEEPSTUDY, ["Subject"])


def penicillin(quick: bool) -> pd.DataFrame:
    """Davies & Goldsmith (1972): 24 plates x 6 samples. The same, quick or not."""
    return _read(ROOT / "models" / "data" / "penicillin.csv", ["plate", "sample"])


def cbpp(quick: bool) -> pd.DataFrame:
    """Lesnoff et al. (2004): 15 herds over 4 periods. The same, quick or not."""
    return _read(ROOT / "models" / "data" / "cbpp.csv", ["herd", "period"])


def insteval(quick: bool) -> pd.DataFrame:
    """lme4's InstEval: 73,421 ratings by 2,972 students of 1,128 lecturers in 14 departments."""
    data = _read(INSTEVAL, ["s", "d", "dept", "service"])
    if not quick:
        return data
    few = data.sample(n=3000, random_state=SEED).reset_index(drop=True)
    factors = few.select_dtypes("category").columns
    return few.assign(**{name: few[name].cat.remove_unused_categories() for name in factors})


def slopes(rows: int, groups: int, quick: bool) -> pd.DataFrame:
    """`y ~ x + (x | g)`: sd 1 and 0.5 with correlation 0.3, residual sd 1."""
    rng, rows, groups = np.random.default_rng(SEED), *_sizes(quick, rows, groups)
    g, x = _levels(rng, rows, groups), rng.standard_normal(rows)
    u = rng.multivariate_normal([0, 0], [[1.0, 0.15], [0.15, 0.25]], size=groups)
    y = 1 + 0.5 * x + u[g, 0] + u[g, 1] * x + rng.standard_normal(rows)
    return pd.DataFrame({"y": y, "x": x, "g": _factor("g", g, groups)})


def series(rows: int, groups: int, quick: bool) -> pd.DataFrame:
    """`y ~ x + (1 | g)` with first-order autoregressive residuals along t: sd 0.8, residual sd 1,
    autocorrelation 0.6."""
    rng, rows, groups = np.random.default_rng(SEED), *_sizes(quick, rows, groups)
    length = rows // groups
    e = rng.standard_normal((groups, length))
    for t in range(1, length):
        e[:, t] = 0.6 * e[:, t - 1] + 0.8 * e[:, t]
    x = rng.standard_normal((groups, length))
    y = 1 + 0.5 * x + 0.8 * rng.standard_normal((groups, 1)) + e
    g, t = np.repeat(np.arange(groups), length), np.tile(np.arange(length), groups)
    return pd.DataFrame({"y": y.ravel(), "x": x.ravel(), "g": _factor("g", g, groups), "t": t})


def crossed(rows: int, a_levels: int, b_levels: int, quick: bool) -> pd.DataFrame:
    """`y ~ x + (1 | a) + (1 | b)`, every row at a random pair: sd 1 and 0.5, residual sd 1."""
    rng = np.random.default_rng(SEED)
    rows, a_levels, b_levels = _sizes(quick, rows, a_levels, b_levels)
    a, b, x = _levels(rng, rows, a_levels), _levels(rng, rows, b_levels), rng.standard_normal(rows)
    rng.shuffle(b)
    effects = rng.standard_normal(a_levels)[a] + 0.5 * rng.standard_normal(b_levels)[b]
    y = 1 + 0.5 * x + effects + rng.standard_normal(rows)
    factors = {"a": _factor("a", a, a_levels), "b": _factor("b", b, b_levels)}
    return pd.DataFrame({"y": y, "x": x, **factors})


def nested(rows: int, schools: int, areas: int, quick: bool) -> pd.DataFrame:
    """`y ~ x + (1 | lea) + (1 | lea:school)`, the size of Chem97: sd 0.4 and 1, residual sd 2."""
    rng, rows, schools, areas = np.random.default_rng(SEED), *_sizes(quick, rows, schools, areas)
    home = _levels(rng, schools, areas)
    school, x = _levels(rng, rows, schools), rng.standard_normal(rows)
    effects = 0.4 * rng.standard_normal(areas)[home[school]] + rng.standard_normal(schools)[school]
    y = 6 + x + effects + 2 * rng.standard_normal(rows)
    lea, label = _factor("area", home[school], areas), _factor("school", school, schools)
    return pd.DataFrame({"y": y, "x": x, "lea": lea, "school": label})


def _read(path: Path, categorical: list[str]) -> pd.DataFrame:
    if not path.is_file():
        raise Absent(f"{path.relative_to(ROOT)} is not there")
    data = pd.read_csv(path)
    return data.astype(dict.fromkeys(categorical, "category"))


def _sizes(quick: bool, *sizes: int) -> tuple[int, ...]:
    return tuple(max(4, size // QUICK) for size in sizes) if quick else sizes


def _levels(rng: np.random.Generator, size: int, levels: int) -> NDArray[np.intp]:
    """Random level numbers in which every level occurs."""
    out = rng.integers(levels, size=size)
    out[:levels] = np.arange(levels)
    return out


def _factor(name: str, codes: NDArray[np.intp], levels: int) -> pd.Categorical:
    width = len(str(levels - 1))
    return pd.Categorical.from_codes(codes, [f"{name}{i:0{width}d}" for i in range(levels)])

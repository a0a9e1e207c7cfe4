"""What the largest arrays of a model would take, compared with the machine before they are made.

Every estimate is here, in numbers of rows, columns and levels. An array that is refused is one
that no method can do without.
"""

from __future__ import annotations

import contextlib
import os
from functools import cache
from pathlib import Path

from bayeslmm.errors import ModelError

COPIES = 3  # of an information matrix, of a covariance of each level's effects
_CGROUP = Path("/sys/fs/cgroup/memory.max")


@cache
def available() -> float:
    """Bytes that this process may have: the machine's, or its container's."""
    try:
        total = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        total = float(1 << 34)
    with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
        total = min(total, float(_CGROUP.read_text()))
    return total


def fits_memory(size: float) -> bool:
    """Whether arrays of so many bytes leave room for the rest."""
    return size <= 0.8 * available()


def require(size: float, what: str, hint: str) -> None:
    """Refuse arrays that the machine can't hold.

    Parameters
    ----------
    size : float
        Bytes.
    what : str
        What they are of, the subject of a sentence.
    hint : str
        What to write instead.

    Raises
    ------
    ModelError
    """
    if not fits_memory(size):
        here = _shown(available())
        raise ModelError(
            f"{what} would take {_shown(size)} of memory, and this machine has {here}", hint=hint
        )


def check_coding(column: str, levels: int) -> None:
    """The columns of a factor by level, dummies or contrasts."""
    require(
        8.0 * COPIES * float(levels) ** 2,
        f"The coding of {column!r} (a column for each of {levels} levels)",
        f"Give a factor of many levels random effects instead: (1 | {column}) in place of {column}",
    )


def check_fixed_columns(rows: int, columns: int) -> None:
    """X, shape (rows, columns), and its cross-products."""
    require(
        8.0 * columns * (rows + columns),
        f"The fixed effects ({columns} columns for {rows} rows)",
        "Give a factor of many levels random effects instead: (1 | f) in place of f",
    )


def check_random_block(group: str, rows: int, levels: int, coefs: int) -> None:
    """The columns of Z by row, and a covariance of each level's effects."""
    require(
        8.0 * (rows * coefs + COPIES * levels * coefs**2),
        f"The random effects of {group!r} ({levels} levels with {coefs} coefficients each)",
        f"Give the levels of the factor on the left independent effects: (1 | f:{group}) in place "
        f"of (f | {group})",
    )


def check_free_covariance(term: str, coefs: int) -> None:
    """The information matrix of all standard deviations and correlations."""
    parameters = coefs * (coefs + 1) // 2
    require(
        8.0 * COPIES * float(parameters) ** 2,
        f"{term}: an unstructured covariance of {coefs} coefficients has {parameters} parameters, "
        "whose information matrix",
        "Write a structure with fewer parameters: diag(), cs(), ar1() or fa(..., k=2)",
    )


def check_correlated_rows(term: str, places: int) -> None:
    """The correlation matrix over all places of a residual structure."""
    require(
        8.0 * COPIES * float(places) ** 2,
        f"{term}: the correlation matrix of {places} places",
        "Divide the rows into groups that are independent, ar1(time | group)",
    )


def check_dense_complement(columns: int) -> None:
    """What remains of crossed factors when the one with most levels is eliminated."""
    require(
        8.0 * float(columns) ** 2,
        f"The crossed factors' equations, a dense matrix of {columns} by {columns},",
        "Merge rare levels of the factor with fewer levels, or leave one factor out",
    )


def _shown(size: float) -> str:
    units = ("GiB", "TiB", "PiB", "EiB")
    power = 0
    size /= 1 << 30
    while size >= 1024 and power < len(units) - 1:
        size, power = size / 1024, power + 1
    return f"{size:.3g} {units[power]}"

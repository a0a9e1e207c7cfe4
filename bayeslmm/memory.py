"""Memory that the largest arrays of a model need, compared with the machine's before allocation.

Every estimate is computed here, from numbers of rows, columns and levels. Only arrays that every
method needs are checked.
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
    """Memory available to this process in bytes: the machine's, or its container's limit."""
    try:
        total = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        total = float(1 << 34)
    with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
        total = min(total, float(_CGROUP.read_text()))
    return total


def fits_memory(size: float) -> bool:
    """Whether arrays of `size` bytes fit into memory with room for the rest."""
    return size <= 0.8 * available()


def require(size: float, what: str, hint: str) -> None:
    """Raise ModelError for arrays that don't fit into the machine's memory.

    Parameters
    ----------
    size : float
        Bytes.
    what : str
        Name of the arrays, the subject of the message's sentence.
    hint : str
        What to write instead.

    Raises
    ------
    ModelError
    """
    if not fits_memory(size):
        here = _shown(available())
        raise ModelError(
            f"{what} would need {_shown(size)} of memory; this machine has {here}", hint=hint
        )


def check_coding(column: str, levels: int) -> None:
    """Check the memory of a factor's coding: its levels by dummies or contrasts."""
    require(
        8.0 * COPIES * float(levels) ** 2,
        f"The coding of {column!r} (one column for each of {levels} levels)",
        f"Use random effects for a factor with many levels: write (1 | {column}) for {column}",
    )


def check_fixed_columns(rows: int, columns: int) -> None:
    """Check the memory of X, shape (rows, columns), and its cross-products."""
    require(
        8.0 * columns * (rows + columns),
        f"The fixed effects ({columns} columns for {rows} rows)",
        "Use random effects for a factor with many levels: write (1 | f) for f",
    )


def check_random_block(group: str, rows: int, levels: int, coefs: int) -> None:
    """Check the memory of Z by row, and of a covariance matrix for each level's effects."""
    require(
        8.0 * (rows * coefs + COPIES * levels * coefs**2),
        f"The random effects of {group!r} ({levels} levels with {coefs} coefficients each)",
        f"Use independent effects for the levels of a factor f on the left: write (1 | f:{group}) "
        f"for (f | {group})",
    )


def check_free_covariance(term: str, coefs: int) -> None:
    """Check the memory of the information matrix of all standard deviations and correlations."""
    parameters = coefs * (coefs + 1) // 2
    require(
        8.0 * COPIES * float(parameters) ** 2,
        f"{term} has an unstructured covariance of {coefs} coefficients with {parameters} "
        "parameters, whose information matrix",
        "Use a structure with fewer parameters: diag(), cs(), ar1() or fa(..., k=2)",
    )


def check_correlated_rows(term: str, places: int) -> None:
    """Check the memory of the correlation matrix over all occasions of a residual structure."""
    require(
        8.0 * COPIES * float(places) ** 2,
        f"{term}: the correlation matrix of {places} occasions or locations",
        "Divide the rows into independent groups, for example ar1(time | group)",
    )


def check_dense_complement(columns: int) -> None:
    """Check the memory of the dense Schur complement of crossed factors, which is what remains
    when the factor with most levels is eliminated."""
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

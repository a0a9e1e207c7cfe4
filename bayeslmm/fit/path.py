"""Iterations of an optimisation algorithm: the group ``path`` of a tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.errors import FitError

Floats = NDArray[np.float64]
SHOWN = (0, 1, 2, 3, 5, 10, 20, 50)  # and from there on twice, five and ten times as far


@dataclass(frozen=True, slots=True, eq=False)
class PathStep:
    """One iteration.

    Attributes
    ----------
    algorithm : str
    iteration : int
        0 at the start. For the default: evaluations of the deviance.
    deviance : float
    parameters : ndarray
    """

    algorithm: str
    iteration: int
    deviance: float
    parameters: Floats


def path_dataset(names: Sequence[str], steps: Sequence[PathStep]) -> xr.Dataset:
    """The steps of all algorithms, one below the other."""
    return xr.Dataset(
        {
            "algorithm": (("step",), np.array([s.algorithm for s in steps], dtype=object)),
            "iteration": (("step",), np.array([s.iteration for s in steps], dtype=np.int64)),
            "deviance": (("step",), np.array([s.deviance for s in steps])),
            "value": (("step", "parameter"), np.array([s.parameters for s in steps])),
        },
        coords={"parameter": list(names)},
    )


def path(tree: xr.DataTree) -> pd.DataFrame:
    """``iteration, algorithm, deviance`` and a column for each parameter.

    Raises
    ------
    FitError
        A fit without stored iterations.
    """
    if "path" not in tree:
        raise FitError(
            "This fit has no stored iterations",
            hint="Use fit('ml', algorithm='em') or 'alternating', or fit('ml', "
            "algorithm='default', trace=True)",
        )
    kept = tree["path"].dataset
    frame = pd.DataFrame(
        {name: kept[name].values for name in ("iteration", "algorithm", "deviance")}
    )
    values = pd.DataFrame(kept["value"].values, columns=list(kept["parameter"].values))
    return pd.concat([frame, values], axis=1)


def path_table(frame: pd.DataFrame) -> Any:
    """A few lines of a path as a rich table, the algorithms side by side by iteration."""
    from rich import box
    from rich.table import Table

    algorithms = list(dict.fromkeys(frame["algorithm"]))
    by = {a: frame[frame["algorithm"] == a].set_index("iteration")["deviance"] for a in algorithms}
    lowest = min(float(values.min()) for values in by.values())
    table = Table(box=box.SIMPLE, title="Deviance by iteration")
    table.add_column("iteration", justify="right")
    for algorithm in algorithms:
        table.add_column(algorithm, justify="right")
        table.add_column("above minimum", justify="right")
    for iteration in _shown([int(values.index.max()) for values in by.values()]):
        cells = [str(iteration)]
        for values in by.values():
            reached = values[values.index <= iteration]
            done = iteration > values.index.max()
            cells += (
                ["", ""]
                if done
                else [f"{reached.iloc[-1]:.6f}", f"{reached.iloc[-1] - lowest:.1e}"]
            )
        table.add_row(*cells)
    return table


def _shown(ends: list[int]) -> list[int]:
    """The iterations to print: the first ones, round numbers, and the last of each algorithm."""
    longest = max(ends)
    round_ones = [n * 10**k for k in range(2, 7) for n in (1, 2, 5)]
    return sorted({i for i in (*SHOWN, *round_ones) if i < longest} | set(ends))

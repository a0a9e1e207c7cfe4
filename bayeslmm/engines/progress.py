"""A bar for a search that takes long: how many of its gradients are done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress, TaskID

from bayeslmm.linalg.mode import Density

Floats = NDArray[np.float64]
LONG = 10.0  # seconds


@contextmanager
def shown(density: Density, start: Floats, most: int) -> Iterator[Density]:
    """The density, with a bar on standard error where `most` gradients would take long.

    Parameters
    ----------
    density : Density
    start : ndarray, shape (d,)
        Where a gradient is timed.
    most : int
        Gradients at most; the bar ends early where fewer are needed.
    """
    begin = time.perf_counter()
    density.value_and_gradient(start)
    if most * (time.perf_counter() - begin) < LONG:
        yield density
        return
    with Progress(console=Console(stderr=True)) as bar:
        yield _Shown(density, bar, bar.add_task("Mode of the variances (at most)", total=most))


class _Shown:
    def __init__(self, density: Density, bar: Progress, task: TaskID) -> None:
        self.density, self.bar, self.task = density, bar, task

    def __call__(self, psi: Floats, /) -> Floats:
        return self.density(psi)

    def value_and_gradient(self, psi: Floats, /) -> tuple[float, Floats]:
        self.bar.advance(self.task)
        return self.density.value_and_gradient(psi)

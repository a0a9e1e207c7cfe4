"""How kernels are compiled, announced and run over many points.

Compiled code is kept on disk (beside the package, or in the user's cache where that can't be
written), so that only the first process on a machine compiles. Kernels release the
interpreter's lock and touch only their own points, so that points are spread over threads and
every result is the same whatever the number of threads.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from typing import Any

import numba
from numba.core import event
from threadpoolctl import ThreadpoolController

_LOCAL = threading.local()
PACKAGE = __name__.partition(".")[0]
MESSAGE = "bayeslmm: compiling numerical kernels for this machine (once, a few seconds) …"


def _compiler(**options: Any) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        try:
            return numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)
        except RuntimeError:  # no place to keep code in: a package and a home that are read-only
            return numba.njit(nogil=True, error_model="numpy", **options)(function)

    return decorate


#: Decorator of a kernel: plain arrays in and out, no Python objects.
kernel = _compiler()

#: The same where sums may be reordered, which lets the compiler use vector instructions.
vector_kernel = _compiler(fastmath={"reassoc", "contract", "nsz"})


class _Announce(event.Listener):
    """Say once a process that kernels are being compiled; loading them from disk is silent."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: Any) -> None:
        function = event.data["dispatcher"].py_func
        if not self.said and (function.__module__ or "").partition(".")[0] == PACKAGE:
            self.said = True
            print(MESSAGE, file=sys.stderr, flush=True)

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _Announce())  # type: ignore[no-untyped-call]


def threads() -> int:
    """How many threads a sweep uses: the cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool(size: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(size, thread_name_prefix="bayeslmm")


if hasattr(os, "register_at_fork"):  # a child inherits the pool's record, and none of its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


@cache
def _libraries() -> tuple[Any, ...]:
    """The BLAS libraries that are loaded, looked up once: a search through all libraries."""
    return tuple(c for c in ThreadpoolController().lib_controllers if c.user_api == "blas")


@contextmanager
def one_blas_thread(wanted: bool = True) -> Iterator[None]:
    """Keep BLAS to one thread: where points have threads, or a matrix is too small for more.

    Threads of BLAS wait for each other busily; whatever else runs on the machine can make many
    of them slower by far than one. Entering costs some microseconds: the libraries' own functions
    are called, and only by the outermost of nested uses.
    """
    if not wanted:
        yield
        return
    with _LIMIT.lock:  # BLAS's setting is the process's: the first sets it, the last restores it
        if _LIMIT.count == 0:
            _LIMIT.before = tuple((lib, lib.get_num_threads()) for lib in _libraries())
            for lib, count in _LIMIT.before:
                if count != 1:
                    lib.set_num_threads(1)
        _LIMIT.count += 1
    try:
        yield
    finally:
        with _LIMIT.lock:
            _LIMIT.count -= 1
            if _LIMIT.count == 0:
                for lib, count in _LIMIT.before:
                    if count != 1:
                        lib.set_num_threads(count)


class _Limit:
    """How many callers hold BLAS to one thread, and the threads that each library had before."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0
        self.before: tuple[tuple[Any, int], ...] = ()


_LIMIT = _Limit()


def sweep(task: Callable[[int, int], object], size: int, least: int = 1) -> None:
    """Run `task(start, stop)` over slices of `range(size)`, on all threads.

    Parameters
    ----------
    task : callable
        Works on its points alone, most of the time without the interpreter's lock.
    size : int
    least : int
        Fewer points than this aren't worth a thread of their own.
    """
    count = max(1, min(threads(), size // max(1, least)))
    if count == 1 or getattr(_LOCAL, "busy", False):  # the threads have their work already
        if size:
            task(0, size)
        return

    def part(a: int, b: int) -> None:
        _LOCAL.busy = True
        try:
            task(a, b)
        finally:
            _LOCAL.busy = False

    # More slices than threads, so that none waits long for another; this thread works too.
    slices = min(4 * count, size // max(1, least))
    edges = [size * i // slices for i in range(slices + 1)]
    parts = [(a, b) for a, b in pairwise(edges) if b > a]
    waiting = [_pool(count).submit(part, a, b) for a, b in parts[1:]]
    part(*parts[0])
    for done in waiting:
        done.result()

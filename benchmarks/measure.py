"""Seconds and bytes of a process, and processes of their own."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def seconds_of(run: Callable[[], Any]) -> tuple[float, Any]:
    """Wall time of one call, and what it returned."""
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def repeated(run: Callable[[], Any], repeats: int, patience: float) -> list[float]:
    """Wall times of up to `repeats` calls; none begins once `patience` seconds are spent."""
    out: list[float] = []
    while len(out) < repeats and sum(out) < patience:
        out.append(seconds_of(run)[0])
    return out


def peak_gib() -> float:
    """Largest resident size of this process so far, in GiB (kilobytes on Linux, bytes on macOS)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def stay_within_memory() -> None:
    """Let this process fail by itself, as a MemoryError, before the machine is out of memory."""
    if not sys.platform.startswith("linux"):
        return
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    resource.setrlimit(resource.RLIMIT_DATA, (int(0.9 * total),) * 2)


def process(
    command: list[str], timeout: float, cwd: Path | None = None
) -> tuple[dict[str, Any] | None, str]:
    """Run a process of its own and read its last line as JSON; or None, and why not."""
    try:
        child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            start_new_session=True,  # so that what it started ends with it
        )
    except OSError as error:
        return None, str(error)
    try:
        out, err = child.communicate(timeout=timeout)
    except BaseException as error:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            return None, f"not done within {timeout:.0f} s"
        raise
    lines = out.strip().splitlines()
    try:
        return json.loads(lines[-1] if child.returncode == 0 and lines else ""), ""
    except json.JSONDecodeError:
        said = err.strip().splitlines() or ["nothing was said"]
        return None, f"exit status {child.returncode}: {said[-1].strip()[:120]}"

"""The machine and the packages that the figures belong to."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.data import ROOT

PACKAGES = ("bayeslmm", "numpy", "scipy", "numba", "pandas", "arviz", "pymc")


def describe() -> dict[str, str]:
    """CPU, cores, memory, system, Python and packages, commit, date, and load."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": str(
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        ),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "packages": ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
        "commit": _commit(),
        "load average": _load(),
    }


def _load() -> str:
    """How busy the machine was: timings on a shared one are noisy."""
    values = ", ".join(f"{v:.1f}" for v in os.getloadavg())
    return f"{values} (1, 5, 15 minutes at the end, this run in it)"


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _commit() -> str:
    """The commit, and whether the library's files differ from it."""
    git = ["git", "-C", str(ROOT)]
    try:
        words = [*git, "rev-parse", "--short", "HEAD"]
        head = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
        words = [*git, "status", "--porcelain", "--", "bayeslmm"]
        changed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head} with changes" if changed else head

"""Bambi's default fit of a table: ``python bambi_fit.py CSV SETTINGS`` prints one line of JSON.

Runs under an interpreter of its own, which has Bambi, and therefore imports nothing of the
project. SETTINGS is JSON: formula, categorical, draws, chains, seed, and optionally family, sampler
and all_cores. By default PyMC takes half of the machine's processors for chains at once.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from importlib.metadata import version

import arviz as az
import bambi as bmb
import numpy as np
import pandas as pd

REPEATS = 3  # with a seed each: the least ESS of one run varies by a factor of two


def main(path: str, settings: dict) -> dict:
    """Fit once, cold as a user's first fit is, and three times in the warm process."""
    data = pd.read_csv(path)
    for name in settings["categorical"]:
        data[name] = data[name].astype(str).astype("category")
    extra = {}
    if settings.get("all_cores"):
        extra["cores"] = min(settings["chains"], os.cpu_count() or 1)
    if "sampler" in settings:
        extra["inference_method"] = settings["sampler"]
    runs = [fit_once(data, settings, settings["seed"] + i, extra) for i in range(1 + REPEATS)]
    tree, warm = runs[-1]["tree"], runs[1:]
    posterior = tree["posterior"].to_dataset()
    means = {k: v.mean() for k, v in posterior.items() if v.ndim == 2}
    common = [k for k in ("Intercept", *data.columns) if k in means]
    return {
        "version": f"Bambi {version('bambi')}, PyMC {version('pymc')}, {jobs(extra)}",
        "first_seconds": runs[0]["seconds"],
        "seconds": [r["seconds"] for r in warm],
        "sampling_seconds": float(np.median([r["sampling"] for r in warm])),
        "ess": float(np.median([r["ess"] for r in warm])),
        "fixef": [float(means[k]) for k in common],
        "sd": {canonical(k): float(v) for k, v in means.items() if k not in common},
        "peak_gib": peak_gib(),
        "note": "effects never correlated, and its own default priors: another model",
    }


def fit_once(data: pd.DataFrame, settings: dict, seed: int, extra: dict) -> dict:
    """From formula to DataTree, compiling included; and warm-up with draws alone."""
    start = time.perf_counter()
    model = bmb.Model(settings["formula"], data, family=settings.get("family", "gaussian"))
    tree = model.fit(
        draws=settings["draws"],
        chains=settings["chains"],
        random_seed=seed,
        **extra,
    )
    seconds = time.perf_counter() - start
    ess = az.ess(tree["posterior"].to_dataset(), method="bulk")
    return {
        "tree": tree,
        "seconds": seconds,
        "sampling": float(tree["posterior"].attrs["sampling_time"]),
        "ess": float(min(np.nanmin(v.values) for v in ess.data_vars.values())),
    }


def jobs(extra: dict) -> str:
    """The sampler, and how many chains ran at once."""
    sampler = extra.get("inference_method", "pymc")
    if sampler != "pymc":
        sampler = f"{sampler} {version(sampler)}"
    cores = f"{extra['cores']} chains at once" if "cores" in extra else "default number of jobs"
    return f"{sampler}, {cores}"


def canonical(name: str) -> str:
    """``1|Subject_sigma`` and ``sigma`` under the names that every peer here uses."""
    if name == "sigma":
        return "Residual"
    coef, _, group = name.removesuffix("_sigma").partition("|")
    return f"{group} {'Intercept' if coef == '1' else coef}"


def peak_gib() -> float:
    """Largest resident size of this process and of its children, in GiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    own = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(who).ru_maxrss for who in own) * unit / 2**30


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], json.loads(sys.argv[2]))))

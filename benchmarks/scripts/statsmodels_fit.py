"""statsmodels' REML fit of a table: ``python statsmodels_fit.py CSV SETTINGS`` prints JSON.

Runs under an interpreter of its own and imports nothing of the project. SETTINGS is JSON:
categorical, repeats, patience, and the model in statsmodels' terms: fixed, groups, random, and
within (variance components inside a group).
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from importlib.metadata import version

import pandas as pd
import statsmodels.formula.api as smf


def main(path: str, settings: dict) -> dict:
    """The first fit, and repeats in the warm process."""
    data = pd.read_csv(path)
    for name in settings["categorical"]:
        data[name] = data[name].astype(str).astype("category")

    def fit_once() -> tuple[float, object]:
        start = time.perf_counter()
        model = smf.mixedlm(
            settings["fixed"],
            data,
            groups=settings["groups"],
            re_formula=settings["random"],
            vc_formula=settings.get("within"),
        )
        fit = model.fit(reml=True)
        return time.perf_counter() - start, fit

    first, fit = fit_once()
    seconds: list[float] = []
    while (
        first < 5 * settings["patience"]
        and len(seconds) < settings["repeats"]
        and sum(seconds) < settings["patience"]
    ):
        seconds.append(fit_once()[0])
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "version": f"statsmodels {version('statsmodels')}",
        "first_seconds": first,
        "seconds": seconds,
        "criterion": float(-2 * fit.llf),
        "fixef": [float(v) for v in fit.fe_params],
        "sd": standard_deviations(fit, settings["groups"]),
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30,
        "note": "" if fit.converged else "says that it did not converge",
    }


def standard_deviations(fit: object, group: str) -> dict[str, float]:
    """Under the names that every peer here uses."""
    out = {"Residual": float(fit.scale**0.5)}
    cov = pd.DataFrame(fit.cov_re)
    for name, variance in zip(cov.columns, cov.to_numpy().diagonal(), strict=True):
        coef = "Intercept" if name in ("Group", group, "Intercept") else name
        out[f"{group} {coef}"] = float(variance**0.5)
    for name, variance in zip(fit.model.exog_vc.names, fit.vcomp, strict=True):
        out[f"{group}:{name} Intercept"] = float(variance**0.5)
    return out


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = main(sys.argv[1], json.loads(sys.argv[2]))
    print(json.dumps(answer))

"""Our run of a case: from the formula to the finished DataTree."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import bayeslmm as bl
from benchmarks.case import Case
from benchmarks.evaluation import evaluator
from benchmarks.measure import peak_gib, repeated, seconds_of

SEED = 1
CHAINS = 4
QUICK_DRAWS = 200
LARGEST_ESS = 20_000_000  # numbers of a variable beyond which its ESS isn't computed


def run(case: Case, data: pd.DataFrame, *, quick: bool) -> dict[str, Any]:
    """Time a case on rows that are already there, and say what it found.

    Returns
    -------
    dict
        JSON-ready: first_seconds, seconds (warm repeats), evaluation_seconds, before_gib,
        peak_gib, rows, levels, criterion, fixef, fixef_se, sd, ess, k_hat, notes.
    """
    fit_once = fitter(case, data, quick=quick)
    before = peak_gib()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they stay in the fit's notes
        first, fit = seconds_of(fit_once)
        peak = peak_gib()  # before ArviZ counts effective draws
        found = answers(fit) | posterior_quality(fit) | {"notes": list(fit.notes)}
        del fit  # no repeat has to live beside the first one's draws
        patient = first < 5 * case.patience  # it may have compiled
        seconds = repeated(fit_once, case.repeats, case.patience) if patient else []
        evaluation = evaluation_seconds(case, data) if case.evaluate else None
    return found | {
        "rows": len(data),
        "levels": levels(data),
        "first_seconds": first,
        "seconds": seconds,
        "evaluation_seconds": evaluation,
        "before_gib": before,
        "peak_gib": peak,
    }


def fitter(case: Case, data: pd.DataFrame, *, quick: bool) -> Callable[[], bl.Fit]:
    """The call that is timed."""

    def fit_once() -> bl.Fit:
        model = bl.Model(case.formula, data, **case.model)
        if case.method == "reml":
            fit = model.fit("reml")
        else:
            draws = QUICK_DRAWS if quick else case.draws
            fit = model.fit(case.method, seed=SEED, draws=draws, chains=CHAINS, **case.options)
        _ = fit.tree.groups  # the tree is part of what is timed
        return fit

    return fit_once


def answers(fit: bl.Fit) -> dict[str, Any]:
    """What peers can be compared with."""
    fixef, varcorr = fit.fixef(), fit.varcorr()
    sds = varcorr[varcorr["kind"] == "sd"]
    names = [f"{g} {c}".removesuffix(" sigma") for g, c in zip(sds.group, sds.coef, strict=True)]
    names = ["Residual" if n.startswith("Residual") else n for n in names]
    return {
        "criterion": float(fit.deviance) if fit.method == "reml" else None,
        "fixef": fixef["estimate"].tolist(),
        "fixef_se": fixef["std_error"].tolist(),
        "sd": dict(zip(names, sds["estimate"].tolist(), strict=True)),
    }


def posterior_quality(fit: bl.Fit) -> dict[str, Any]:
    """Effective draws, told honestly: the least bulk ESS, capped by the weights' own."""
    if "posterior" not in fit.tree.children:
        return {}
    import arviz as az

    posterior = fit.tree["posterior"].to_dataset()
    kept = [str(k) for k, v in posterior.items() if v.size <= LARGEST_ESS]
    ess = az.ess(posterior[kept], method="bulk")
    least = min(float(np.nanmin(ess[k].values)) for k in kept)
    attributes = fit.tree["sample_stats"].attrs
    if "importance_ess" not in attributes:
        return {"ess": least, "arviz_ess": least}
    cap = float(attributes["importance_ess"])
    return {
        "ess": min(least, cap),
        "arviz_ess": least,
        "importance_ess": cap,
        "k_hat": float(attributes["pareto_k"]),
    }


def evaluation_seconds(case: Case, data: pd.DataFrame) -> float:
    """The median of many evaluations, after one that isn't counted."""
    evaluate = evaluator(bl.Model(case.formula, data))
    seconds_of(evaluate)
    return float(np.median(repeated(evaluate, 200, 5.0)))


def levels(data: pd.DataFrame) -> int:
    """Levels of all categorical columns together."""
    columns = data.select_dtypes("category")
    return int(sum(len(columns[c].cat.categories) for c in columns))

"""Checks of a sample of the posterior, each with a message and a next step.

Limits: R-hat 1.01, and bulk and tail effective sizes of 400 in all and 100 a chain (Vehtari et
al., 2021, Bayesian Analysis 16(2)); an energy fraction of 0.3 (Betancourt, 2016,
arXiv:1604.00695).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from bayeslmm.errors import ConvergenceWarning, warn

RHAT_LIMIT = 1.01
LEAST_ESS, LEAST_ESS_A_CHAIN = 400, 100
LEAST_BFMI = 0.3
DEEPEST = 0.01  # of all draws
DEPTH = ("maxdepth_reached", "reached_max_treedepth")  # the names in nutpie and PyMC


def findings(
    posterior: xr.Dataset, stats: xr.Dataset, remedy: str
) -> tuple[dict[str, float], list[str]]:
    """Convergence diagnostics of the chains, and messages, which are issued as warnings too.

    Parameters
    ----------
    posterior : Dataset
        What was sampled, on (chain, draw, ...).
    stats : Dataset
        The sampler's own; ``diverging``, ``energy`` and whether a draw's tree was cut short are
        looked at where they are there.
    remedy : str
        What helps against divergences beside smaller steps.

    Returns
    -------
    dict of str to float
        ``divergences``, ``max_rhat``, ``min_ess_bulk``, ``min_ess_tail``, and where the sampler
        tells, ``cut_short`` (draws whose tree was) and ``min_bfmi``.
    list of str
    """
    import arviz_stats

    kept = posterior[[name for name, value in posterior.data_vars.items() if value.size]]
    chains, draws = kept.sizes["chain"], kept.sizes["draw"]
    with np.errstate(all="ignore"):  # of what doesn't move
        rhat, where = _extreme(arviz_stats.rhat(kept), largest=True)
        bulk, thin = _extreme(arviz_stats.ess(kept, method="bulk"), largest=False)
        tail, thin_tail = _extreme(arviz_stats.ess(kept, method="tail"), largest=False)
    scalars = {"max_rhat": rhat, "min_ess_bulk": bulk, "min_ess_tail": tail}
    divergences = int(stats["diverging"].sum()) if "diverging" in stats else 0
    scalars["divergences"] = float(divergences)
    said = list(_of_steps(divergences, chains * draws, remedy))
    deep = [name for name in DEPTH if name in stats]
    if deep:
        scalars["cut_short"] = float(stats[deep[0]].sum())
        said += _of_depth(int(scalars["cut_short"]), chains * draws)
    said += _of_mixing(rhat, where, draws)
    least = max(LEAST_ESS, LEAST_ESS_A_CHAIN * chains)
    said += _of_sizes((bulk, thin), (tail, thin_tail), least, draws)
    if "energy" in stats and draws > 1:
        bfmi = np.atleast_1d(arviz_stats.bfmi(stats[["energy"]])["energy"].values)
        scalars["min_bfmi"] = float(np.min(bfmi))
        said += _of_energy(bfmi)
    return scalars, [warn(text, ConvergenceWarning) for text in said]


def _extreme(found: xr.Dataset, *, largest: bool) -> tuple[float, str]:
    """The worst value and the name of its variable; NaN, of constants, is ignored."""
    worst, whose = (-np.inf, "") if largest else (np.inf, "")
    for name, value in found.data_vars.items():
        finite = value.values[np.isfinite(value.values)]
        if finite.size:
            one = float(finite.max() if largest else finite.min())
            if (one > worst) == largest and one != worst:
                worst, whose = one, str(name)
    return worst, whose


def _of_steps(divergences: int, total: int, remedy: str) -> Iterator[str]:
    if divergences:
        yield (
            f"{divergences} of {total} draws diverged, and parts of the posterior may be missed; "
            f"raise target_accept, for example target_accept=0.99, or {remedy}."
        )


def _of_depth(cut: int, total: int) -> Iterator[str]:
    if cut > DEEPEST * total:
        yield (
            f"{cut} of {total} draws reached the maximum tree depth, because the step size is "
            "small relative to the posterior's extent; run more tuning steps, for example "
            "tune=4000, standardise the covariates, or give tighter priors."
        )


def _of_mixing(rhat: float, where: str, draws: int) -> Iterator[str]:
    if rhat > RHAT_LIMIT:
        yield (
            f"R-hat is {rhat:.3f} for {where} (aim: below {RHAT_LIMIT}); run more draws, for "
            f"example draws={2 * draws}."
        )


def _of_sizes(
    bulk: tuple[float, str], tail: tuple[float, str], least: int, draws: int
) -> Iterator[str]:
    low = [
        f"{part} {size:.0f} for {where}"
        for part, (size, where) in (("bulk", bulk), ("tail", tail))
        if size < least
    ]
    if low:
        yield (
            f"Low effective sample size: {' and '.join(low)} (aim: {least} or more); run more "
            f"draws, for example draws={2 * draws}."
        )


def _of_energy(bfmi: np.ndarray) -> Iterator[str]:
    bad = [str(i) for i in np.flatnonzero(bfmi < LEAST_BFMI)]
    if bad:
        yield (
            f"E-BFMI is {np.min(bfmi):.2f} in {'chains' if len(bad) > 1 else 'chain'} "
            f"{', '.join(bad)} (aim: above {LEAST_BFMI}), and the tails of the posterior may be "
            "poorly explored; run more tuning steps, for example tune=4000, or give tighter "
            "priors to the variance parameters."
        )

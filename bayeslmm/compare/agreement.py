"""How far two posteriors of one model agree, in Monte Carlo standard errors.

For independent draws of effective size S, with sample kurtosis k:

    mcse(mean) = sd / sqrt(S),    mcse(sd) = sd sqrt((k - 1) / (4 S))

(the delta method on the sample variance, Kenney & Keeping, 1951, ch. 7). For Markov chains the
effective sizes come from the chains (Vehtari et al., 2021, Bayesian Analysis 16(2), sec. 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.compare.fits import Fits, HoldsFit, named, require_model
from bayeslmm.compare.table import EFFECTS, parameters
from bayeslmm.errors import FitError, MethodError
from bayeslmm.fit.tree import SAMPLE
from bayeslmm.model.names import group_names

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Precision:
    """Means and standard deviations with their Monte Carlo standard errors, elementwise."""

    mean: Floats
    sd: Floats
    mcse_mean: Floats
    mcse_sd: Floats


def agreement(fits: Fits, *, effects: str = "fixed") -> pd.DataFrame:
    """Differences between two Bayesian fits of one model, in Monte Carlo standard errors.

    Parameters
    ----------
    fits : mapping of str to fit
        Two fits by ``exact``, ``nuts`` or ``conjugate``. Those by ``conjugate`` have no Monte
        Carlo error. The priors may differ, and then contribute to the differences.
    effects : {"fixed", "all"}
        As in `compare_fits`.

    Returns
    -------
    DataFrame
        Index as `compare_fits`; columns ``mean_difference`` (first minus second), ``mean_mcse``
        (of the difference), ``mean_z``, and ``sd_difference``, ``sd_mcse``, ``sd_z``. z is NaN
        where neither fit has Monte Carlo error.

    Raises
    ------
    FitError
        Another number of fits than two, or a fit without a posterior.
    ModelError
        Fits of different models or data.
    """
    if effects not in EFFECTS:
        raise MethodError(f"Unknown effects={effects!r}", allowed=EFFECTS)
    chosen = named(fits)
    if len(chosen) != 2:
        raise FitError("Give exactly two fits", got=f"{len(chosen)}: {', '.join(chosen)}")
    first, second = chosen.values()
    require_model(first.resolved, chosen)
    for name, fit in chosen.items():
        if "posterior" not in fit.tree:
            hint = "Use bl.compare_fits(...), which accepts every method"
            raise FitError(f"Fit {name!r} ({fit.method}) has no posterior", hint=hint)
    a, b = precision(first, effects), precision(second, effects)
    columns: dict[str, pd.Series[float]] = {}
    for what in ("mean", "sd"):
        error = (a[f"mcse_{what}"] ** 2 + b[f"mcse_{what}"] ** 2) ** 0.5
        difference = a[what] - b[what]
        columns[f"{what}_difference"] = difference
        columns[f"{what}_mcse"] = error
        columns[f"{what}_z"] = difference / error.where(error > 0)
    out = pd.DataFrame(columns)
    return out if effects == "all" else out.droplevel("level")


def say_agreement(table: pd.DataFrame) -> str:
    """The result of `agreement` in a sentence.

    Parameters
    ----------
    table : DataFrame
        From `agreement`.
    """
    parts = []
    for what, name in (("mean", "means"), ("sd", "standard deviations")):
        z = table[f"{what}_z"].abs().dropna()
        if z.empty:
            parts.append(f"{name} have no Monte Carlo error in either fit")
            continue
        worst = z.index.to_list()[int(z.to_numpy().argmax())]
        where = " ".join(str(part) for part in worst if part != "")
        parts.append(f"{name} agree within {z.max():.1f} Monte Carlo standard errors ({where})")
    return f"Of {len(table)} parameters, {parts[0]}; {parts[1]}."


def precision(fit: HoldsFit, effects: str) -> pd.DataFrame:
    """Mean, sd and their Monte Carlo standard errors of every parameter of a Bayesian fit."""
    table = parameters(fit, effects)
    if "estimate" in fit.tree:  # the closed form: exact numbers
        none = np.zeros(len(table))
        found = Precision(table["estimate"].to_numpy(), table["std_error"].to_numpy(), none, none)
    else:
        found = _of_draws(fit, _draws(fit, effects))
    columns = {"mean": found.mean, "sd": found.sd}
    columns |= {"mcse_mean": found.mcse_mean, "mcse_sd": found.mcse_sd}
    return pd.DataFrame(columns, index=table.index)


def _draws(fit: HoldsFit, effects: str) -> Floats:
    """All draws in the order of `parameters`, shape (chain, draw, parameter)."""
    posterior, groups = fit.tree["posterior"].dataset, group_names(fit.resolved)
    names = ["beta", *(g.sd for g in groups)]
    if not fit.resolved.sigma_known:
        names.append("sigma")
    names += [g.cor for g in groups if g.pairs]
    if effects == "all":
        names += [g.u for g in groups]
    parts = [posterior[name].transpose(*SAMPLE, ...).values for name in names]
    return np.concatenate([part.reshape(*part.shape[:2], -1) for part in parts], axis=-1)


def _of_draws(fit: HoldsFit, draws: Floats) -> Precision:
    values = draws.reshape(-1, draws.shape[-1])
    mean, sd = values.mean(axis=0), values.std(axis=0, ddof=1)
    stats = fit.tree["sample_stats"].attrs if "sample_stats" in fit.tree else {}
    if "importance_ess" in stats:
        size = float(stats["importance_ess"])
        fourth = np.mean((values - mean) ** 4, axis=0)
        with np.errstate(invalid="ignore"):
            kurtosis = fourth / np.var(values, axis=0) ** 2
        return Precision(mean, sd, sd / np.sqrt(size), sd * np.sqrt((kurtosis - 1) / (4 * size)))
    from arviz_stats.base import array_stats

    errors = [
        np.asarray(array_stats.mcse(draws, chain_axis=0, draw_axis=1, method=method))
        for method in ("mean", "sd")
    ]
    return Precision(mean, sd, errors[0], errors[1])

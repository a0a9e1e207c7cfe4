"""Improper posteriors, for which neither `exact` nor `nuts` is available."""

from __future__ import annotations

import numpy as np

from bayeslmm.gaussian.equations import Equations
from bayeslmm.gaussian.profile import profile
from bayeslmm.model import Model

LARGE = 1e6  # a relative standard deviation for which sigma is negligible
EXACT = 1e-10  # of the response's sum of squares: the rounding error of a residual of zero
TINY = 1e-10  # of the response's spread: a sigma at which priors are compared with the likelihood
LEAST_LEVELS = 3  # a flat prior on a standard deviation needs as many (Gelman, 2006, sec. 2.2)


NO_MASS = (
    "The posterior is improper: as sigma goes to 0, the likelihood grows faster than the prior of "
    "sigma decreases. Leave out the term that determines the response, or give sigma a prior that "
    "excludes 0, for example priors={'sigma^2': 'inverse_gamma(1, 1)'}."
)


def improper(model: Model) -> str | None:
    """Why the posterior is improper; None where no reason is known."""
    flat = {key for key, prior in model.priors.items() if not prior.is_proper()}
    if any(f.unbounded and "reml" in f.fatal for f in model.findings) and not _keeps_off_0(model):
        text = next(f.text for f in model.findings if f.unbounded and "reml" in f.fatal)
        return f"{text.split('. ')[0]}. {NO_MASS}"
    for finding in model.findings:
        involved = [
            key
            for key in model.priors
            if key.startswith("sigma")
            or any(key.startswith(f"sd_{group}[") for group in finding.groups)
        ]
        bad = [key for key in involved if key in flat]
        if finding.fatal and finding.groups and bad:
            return f"{finding.text} The prior of {bad[0]} is flat: give a proper prior."
    for block in model.design.blocks:
        bad = [key for key in flat if key.startswith(f"sd_{block.group}[")]
        if bad and block.n_levels < LEAST_LEVELS:
            return (
                f"A flat prior on {bad[0]} needs at least {LEAST_LEVELS} levels of "
                f"{block.group!r}, which has {block.n_levels}: the posterior is improper. Give a "
                f"proper prior, for example priors={{{bad[0]!r}: 'half_normal(1)'}}."
            )
    return None


def no_residual(model: Model, system: Equations) -> str | None:
    """Why the posterior of a model that reproduces its response is improper; None where residuals
    remain. It needs one factorisation, for tables too long for the checks before the fit.

    Parameters
    ----------
    model : Model
    system : Equations
        Of all fixed columns.
    """
    m = system.moments
    plain = not model.sigma_known and model.residual is None and m.p + m.q < m.n
    if not plain or _keeps_off_0(model):
        return None
    problem = profile(model, reml=True)
    factor = problem.at(problem.scaled_identity(LARGE))
    if not float(factor.rho2[0]) < EXACT * float(problem.equations.moments.ff[-1, -1]):
        return None
    return f"The fixed and random effects fit the response exactly. {NO_MASS}"


def _keeps_off_0(model: Model) -> bool:
    """Whether the prior of every sigma falls faster towards 0 than a likelihood without a residual
    can grow: than sigma to the power of -n."""
    keys = [key for key in model.priors if key.startswith("sigma")]
    spread = max(float(np.std(model.design.y)), np.finfo(float).tiny / TINY**2)
    at = TINY * spread * np.array([1.0, 0.1])
    with np.errstate(all="ignore"):
        falls = [model.priors[key].log_density(at) for key in keys]
    return bool(keys) and all(
        not np.isfinite(low) or (high - low) / np.log(10.0) > model.n for high, low in falls
    )

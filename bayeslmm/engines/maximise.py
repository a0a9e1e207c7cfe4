"""Maximum likelihood and REML: one profiled deviance, minimised over theta."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import Patterned
from bayeslmm.engines.at_zero import estimate_of, is_near_zero, is_plain, near_zero
from bayeslmm.engines.base import fatal_findings
from bayeslmm.engines.closed import estimate_at, nothing_left
from bayeslmm.engines.information import intervals
from bayeslmm.engines.limits import at_limits, ceilings, no_residual
from bayeslmm.engines.unbounded_intervals import uninformative
from bayeslmm.errors import (
    ConvergenceWarning,
    FitError,
    IdentifiabilityError,
    IdentifiabilityWarning,
    SingularWarning,
    warn,
)
from bayeslmm.fit.tables import residual_dof
from bayeslmm.fit.tree import FitValues, estimate_dataset, tree_of
from bayeslmm.gaussian.equations import FactorPoint
from bayeslmm.gaussian.profile import Profile, profile
from bayeslmm.gaussian.vanishing import Vanishing
from bayeslmm.gaussian.variances import Variances, covariances_from_lambdas, theta_slices
from bayeslmm.linalg.minimise import Minimum, minimise
from bayeslmm.model import Model, not_gaussian

Floats = NDArray[np.float64]
LARGE = 1e6
LONG = 1e-3  # seconds of an evaluation from which a separate thread saves time
FALLING = 0.01  # of the deviance by the log of a standard deviation: more is no boundary
SINGULAR = 1e-4  # a relative standard deviation below this is on the boundary, as in lme4


def refuse(model: Model, method: str) -> str | None:
    """Why ML or REML can't be used for a model; None where it can."""
    fatal = not_gaussian(model, method) or fatal_findings(model, method)
    if fatal is not None:
        return fatal
    if not model.sigma_known and model.n <= len(model.aliasing.kept):
        return (
            f"{model.n} rows and {len(model.aliasing.kept)} fixed coefficients leave no degrees "
            "of freedom for the residual variance. Give known_sd=, or use 'exact' with proper "
            "priors."
        )
    return None


def maximise(model: Model, *, reml: bool) -> FitValues:
    """The (restricted) maximum likelihood fit."""
    problem = profile(model, reml=reml)
    _require_response(problem)
    best = _Best(problem)
    found, ceiling = _search(problem, best)
    factor = best.factor_at(found.x)
    if not is_plain(problem):
        _require_residual(problem, factor)
    elif model.terms and is_near_zero(problem, float(factor.rho2[0])):
        near = near_zero(problem, found)
        if near is not None:
            return _with_small_sigma(problem, *near)
    sigma = np.sqrt([problem.sigma2(factor)])
    if not np.isfinite(found.value) or sigma[0] <= 0:
        raise FitError(
            "The likelihood is not finite: the model fits the data exactly and leaves no residuals",
            hint="Leave out fixed effects or random terms",
        )
    about = problem.equations.moments.coordinates
    delta = None if model.residual is None else factor.lambdas[-1][:, 0]
    variances = Variances(covariances_from_lambdas(about, factor.lambdas, sigma), sigma, delta)
    singular = _singular_terms(model, found.x)
    notes = _say(model, found, singular)
    limits = at_limits(problem, found.x)
    for limit in limits:
        text = (
            f"Singular fit: the estimate of {limit.text}. It lies on the boundary of the parameter "
            "space, where it has no standard error."
        )
        notes.append(warn(text, SingularWarning))
    if ceiling:
        notes.append(warn(no_residual(model, ceiling, float(sigma[0])), SingularWarning))
    places = (*(limit.place for limit in limits), *ceiling)
    said = intervals(problem, found, factor, variances, singular, places, no_residual=bool(ceiling))
    notes += [warn(text, IdentifiabilityWarning) for text in uninformative(model, said)]
    estimate = estimate_at(model, factor, variances, said)
    exact = residual_dof(model) if reml else {}
    return FitValues(
        method="reml" if reml else "ml",
        tree=tree_of(model, estimate=estimate_dataset(model, estimate).assign_attrs(exact)),
        scalars=_criteria(model, found, bool(singular or places)),
        notes=tuple(notes),
    )


def _with_small_sigma(problem: Profile, rows: Vanishing, best: Minimum) -> FitValues:
    """The fit where sigma is zero, or so small that only turned rows resolve it."""
    model, zero = problem.model, best.x[-1] == 0
    theta = best.x[:-1] if zero else best.x[:-1] / (rows.unit * best.x[-1])
    singular = _singular_terms(model, theta)
    notes = _say(model, best, singular)
    if zero:
        what = "restricted likelihood" if problem.reml else "likelihood"
        text = (
            f"Singular fit: the residual standard deviation is 0. The {what} has its maximum on "
            "this boundary, where the random effects reproduce the response and sigma has no "
            "standard error."
        )
        notes.append(warn(text, SingularWarning))
    dataset = estimate_dataset(model, estimate_of(rows, best, singular))
    exact = residual_dof(model) if problem.reml else {}
    return FitValues(
        method="reml" if problem.reml else "ml",
        tree=tree_of(model, estimate=dataset.assign_attrs(exact)),
        scalars=_criteria(model, best, bool(singular or zero)),
        notes=tuple(notes),
    )


def _search(problem: Profile, best: _Best) -> tuple[Minimum, tuple[int, ...]]:
    """The lowest minimum from all starts, with the standard deviations that are at their ceilings;
    where the deviance still falls at one, the minimum beyond. Plain models have no ceilings: turned
    rows resolve any sigma."""
    many = problem.together if problem.equations.solver.seconds > LONG else None

    def search(start: Floats, upper: Floats) -> Minimum:
        about = problem.curvature(start)
        return minimise(best, start, problem.lower, about, many=many, boundary=problem, upper=upper)

    starts = problem.starts()
    nowhere = np.full(starts.shape[1], np.inf)
    upper = nowhere if is_plain(problem) else problem.upper
    found = min((search(start, upper) for start in starts), key=lambda m: m.value)
    ceiling = ceilings(found.x, upper)
    slope = best(found.x)[1]
    if any(-slope[i] * found.x[i] > FALLING for i in ceiling):
        return search(found.x, nowhere), ()
    return found, ceiling


class _Best:
    """The deviance, with the factor of the best point so far kept: it is the fit's."""

    def __init__(self, problem: Profile) -> None:
        self.problem = problem
        self.value = np.inf
        self.kept: tuple[Floats, FactorPoint] | None = None

    def __call__(self, x: Floats) -> tuple[float, Floats]:
        factor = self.problem.at(x)
        value, slope = self.problem.evaluate(factor, x)
        if value < self.value:
            self.value, self.kept = value, (x.copy(), factor)
        return value, slope

    def factor_at(self, x: Floats) -> FactorPoint:
        if self.kept is not None and np.array_equal(self.kept[0], x):
            return self.kept[1]
        return self.problem.at(x)


def _require_response(problem: Profile) -> None:
    """Refuse a response that the fixed effects fit: rounding is all that is left of y'y."""
    left = float(problem.equations.moments.ff[-1, -1])
    if not problem.model.sigma_known and nothing_left(problem.model, left):
        raise _unbounded("The fixed effects fit")


def _require_residual(problem: Profile, factor: FactorPoint) -> None:
    """Refuse an unbounded likelihood: the response lies in the column space of [X Z].

    Then the residual vanishes on the way to a very large Lambda, where the penalised residual
    sum of squares is that of least squares on [X Z], up to about 1/LARGE².
    """
    left = float(problem.equations.moments.ff[-1, -1])
    if problem.model.sigma_known or not problem.basis or factor.rho2[0] > 1e-4 * left:
        return
    if _has_effect_a_row(problem.model):
        return  # at a patterned covariance of full rank, whatever the residual
    if float(problem.at(problem.scaled_identity(LARGE)).rho2[0]) < 1e-10 * left:
        raise _unbounded("The fixed and random effects fit")


def _has_effect_a_row(model: Model) -> bool:
    """Whether a patterned term gives every row of the likelihood an effect of its own."""
    for term in model.terms:
        block = model.design.blocks[term.block]
        values = block.values[model.used][:, list(term.columns)]
        if isinstance(term.structure, Patterned) and np.all((values != 0).sum(axis=1) == 1):
            cells = block.codes[model.used] * values.shape[1] + np.argmax(values != 0, axis=1)
            if len(np.unique(cells)) == len(cells):
                return True
    return False


def _unbounded(what: str) -> IdentifiabilityError:
    return IdentifiabilityError(
        f"{what} the response exactly and leave no residuals: the likelihood is unbounded",
        hint="Leave out the term that determines the response",
    )


def _singular_terms(model: Model, x: Floats) -> tuple[int, ...]:
    """Terms whose covariance is singular, at theta in its units."""
    out = []
    for i, (term, where) in enumerate(zip(model.terms, theta_slices(model), strict=True)):
        diagonal = np.isfinite(term.structure.theta_lower(len(term.columns)))
        if np.any(x[where][diagonal] < SINGULAR):
            out.append(i)
    return tuple(out)


def _say(model: Model, found: Minimum, singular: tuple[int, ...]) -> list[str]:
    notes = []
    if not found.converged:
        text = (
            "The optimiser did not converge to a maximum of the likelihood: the estimates are "
            "unreliable. Rescale the covariates, or fit a simpler model."
        )
        notes.append(warn(text, ConvergenceWarning))
    for i in singular:
        term = model.terms[i]
        what = "a variance" if len(term.columns) == 1 else "the covariance matrix"
        state = "zero" if len(term.columns) == 1 else "singular"
        text = (
            f"Singular fit: {what} of ({', '.join(term.coefs)} | {term.group}) is {state}. The "
            "estimate lies on the boundary of the parameter space, where its parameters have no "
            "standard errors."
        )
        notes.append(warn(text, SingularWarning))
    return notes


def _criteria(model: Model, found: Minimum, singular: bool) -> dict[str, float]:
    k = len(model.aliasing.kept) + model.n_variance_parameters
    return {
        "loglik": -0.5 * found.value,
        "deviance": found.value,
        "aic": found.value + 2 * k,
        "bic": found.value + np.log(model.n) * k,
        "n_parameters": k,
        "n": model.n,
        "converged": float(found.converged),
        "singular": float(singular),
    }

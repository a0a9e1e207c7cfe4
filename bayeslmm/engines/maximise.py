"""Maximum likelihood and REML: one profiled deviance, minimised over theta."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.engines.base import fatal_findings
from bayeslmm.engines.closed import estimate_at
from bayeslmm.engines.information import intervals
from bayeslmm.errors import (
    ConvergenceWarning,
    FitError,
    IdentifiabilityError,
    SingularWarning,
    warn,
)
from bayeslmm.fit.tree import FitValues, estimate_dataset, tree_of
from bayeslmm.gaussian.equations import Factor, batches, factorise
from bayeslmm.gaussian.likelihood import deviance, profiled_sigma2
from bayeslmm.gaussian.moments import Moments, moments
from bayeslmm.gaussian.variances import (
    Variances,
    covariances_from_factors,
    covariate_sizes,
    lambdas_from_theta,
    theta_slices,
)
from bayeslmm.linalg.minimise import Minimum, minimise
from bayeslmm.model import Model, Term

Floats = NDArray[np.float64]
LARGE = 1e6
SINGULAR = 1e-4  # a relative standard deviation below this is on the boundary, as in lme4


@dataclass(frozen=True, slots=True)
class Problem:
    """The deviance of a model as a function of theta.

    Attributes
    ----------
    model : Model
    moments : Moments
        Of the unaliased fixed columns.
    reml : bool
    """

    model: Model
    moments: Moments
    reml: bool

    def factor(self, theta: Floats) -> Factor:
        return factorise(self.moments, lambdas_from_theta(self.model, theta), np.ones(len(theta)))

    def sigma2(self, factor: Factor) -> Floats:
        if self.model.sigma_known:
            return np.ones(len(factor.rho2))
        return profiled_sigma2(factor, reml=self.reml)

    def __call__(self, theta: Floats) -> Floats:
        values = []
        for part in batches(self.moments, len(theta)):
            factor = self.factor(theta[part])
            values.append(deviance(factor, self.sigma2(factor), reml=self.reml))
        return np.concatenate(values)


def refuse(model: Model, method: str) -> str | None:
    """Why the (restricted) likelihood of a model has no maximum worth the name."""
    fatal = fatal_findings(model, method)
    if fatal is not None:
        return fatal
    if not model.sigma_known and model.n <= len(model.aliasing.kept):
        return (
            f"{model.n} rows for {len(model.aliasing.kept)} fixed coefficients leave nothing to "
            "estimate a residual variance from. Give known_sd or use proper priors."
        )
    return None


def maximise(model: Model, *, reml: bool) -> FitValues:
    """The (restricted) maximum likelihood fit."""
    problem = Problem(model, moments(model, model.aliasing.kept), reml)
    unit = _units(model)
    _require_residual(problem, unit)
    lower = _join(model, lambda t: t.structure.theta_lower(len(t.columns)))
    found = _search(problem, unit, lower)
    theta = found.x * unit
    factor = problem.factor(theta[None])
    sigma = np.sqrt(problem.sigma2(factor))
    if not np.isfinite(found.value) or sigma[0] <= 0:
        raise FitError(
            "The likelihood is not finite: the model fits the data without a residual",
            hint="Leave fixed effects or random terms out",
        )
    variances = Variances(covariances_from_factors(factor.lambdas, sigma), sigma)
    singular = _singular_terms(model, found.x)
    notes = _say(model, found, singular)
    sd, cor, residual = intervals(problem.moments, model, variances, singular, reml=reml)
    estimate = estimate_at(model, factor, variances, sd, cor, residual)
    return FitValues(
        method="reml" if reml else "ml",
        tree=tree_of(model, estimate=estimate_dataset(model, estimate)),
        scalars=_criteria(model, problem, found, bool(singular)),
        notes=tuple(notes),
    )


def _require_residual(problem: Problem, unit: Floats) -> None:
    """Refuse an unbounded likelihood: the response lies in the column space of [X Z].

    The penalised residual sum of squares at a very large Lambda is that of least squares on
    [X Z], up to about 1/LARGE². A response that X alone fits leaves only rounding in y'y.
    """
    model, m = problem.model, problem.moments
    if model.sigma_known:
        return
    y = model.design.y - model.design.rows.offset
    total = float(np.sum(model.precision_weights * y**2))
    left = float(m.rr[-1, -1])
    text = "the response exactly" if left <= 1e-20 * total else ""
    if not text and model.terms:
        identity = _join(model, lambda t: t.structure.theta_start(len(t.columns)))
        residual = float(problem.factor((LARGE * identity * unit)[None]).rho2[0])
        text = "with their random effects the response exactly" if residual < 1e-10 * left else ""
    if text:
        raise IdentifiabilityError(
            f"The fixed effects fit {text}: no residual is left, and the likelihood is unbounded",
            hint="Leave out the term that determines the response",
        )


def _units(model: Model) -> Floats:
    """Theta in units of one over each covariate's root mean square: scale-free search."""
    scale = np.std(model.design.y - model.design.rows.offset) if model.sigma_known else 1.0

    def unit(term: Term) -> Floats:
        return term.structure.theta_unit(scale / covariate_sizes(model, term))

    return _join(model, unit)


def _join(model: Model, part: Callable[[Term], Floats]) -> Floats:
    pieces = [part(term) for term in model.terms]
    return np.concatenate(pieces) if pieces else np.empty(0)


def _search(problem: Problem, unit: Floats, lower: Floats) -> Minimum:
    """From the best of a few starts of different size."""
    identity = _join(problem.model, lambda t: t.structure.theta_start(len(t.columns)))
    sizes = 10.0 ** np.array([0.0, -0.5, 0.5, -1.0, 1.0, 2.0, 3.0, 4.0])
    starts = sizes[:, None] * identity
    values = problem(starts * unit)
    best = starts[int(np.nanargmin(np.where(np.isfinite(values), values, np.inf)))]
    return minimise(lambda x: problem(x * unit), best, lower)


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
        text = "The optimiser did not reach a maximum of the likelihood; don't trust this fit."
        notes.append(warn(text, ConvergenceWarning))
    for i in singular:
        term = model.terms[i]
        what = "a variance is zero" if len(term.columns) == 1 else "its covariance is singular"
        text = (
            f"Singular fit: for ({', '.join(term.coefs)} | {term.group}) {what}. The estimate lies "
            "on the boundary; standard errors of its parameters don't exist there."
        )
        notes.append(warn(text, SingularWarning))
    return notes


def _criteria(model: Model, problem: Problem, found: Minimum, singular: bool) -> dict[str, float]:
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

"""The algorithms of the textbooks beside the default optimiser: slower, and open to view."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from bayeslmm.engines.closed import estimate_at
from bayeslmm.engines.maximise import SINGULAR, maximise
from bayeslmm.errors import (
    BayeslmmWarning,
    ConvergenceWarning,
    MethodError,
    SingularWarning,
    is_finite,
    nearest,
    warn,
)
from bayeslmm.fit.covariances import sds_and_correlations
from bayeslmm.fit.path import PathStep, path, path_dataset, path_table
from bayeslmm.fit.tree import Components, FitValues, Interval, estimate_dataset, tree_of
from bayeslmm.gaussian.equations import FactorPoint, solve
from bayeslmm.gaussian.iterations import KNOWN, STEPS, Here, Problem, iterate
from bayeslmm.gaussian.profile import Profile, profile
from bayeslmm.gaussian.variances import Variances, covariances_from_lambdas
from bayeslmm.linalg.minimise import minimise
from bayeslmm.model import Model
from bayeslmm.model.names import group_names

Floats = NDArray[np.float64]
ALGORITHMS = ("default", *STEPS)


def estimated(
    model: Model,
    *,
    reml: bool,
    algorithm: str,
    iterations: int,
    tolerance: float,
    trace: bool,
) -> FitValues:
    """The (restricted) maximum likelihood fit by the algorithm that was asked for.

    Parameters
    ----------
    model : Model
    reml : bool
    algorithm : {"default", "em", "alternating"}
    iterations : int
        Most steps of a textbook's algorithm.
    tolerance : float
        The fall of the deviance still to come at which it ends.
    trace : bool
        Print the path beside the default's.
    """
    _check(model, algorithm, iterations, tolerance, trace)
    if algorithm == "default":
        found = maximise(model, reml=reml)
        if not trace:
            return found
        steps = _default_path(profile(model, reml=reml))
        return _with_path(model, found, steps, trace)
    with warnings.catch_warnings():  # what it refuses is refused here too; the rest is not said
        warnings.simplefilter("ignore", BayeslmmWarning)
        lowest = maximise(model, reml=reml).scalars["deviance"]
    default = profile(model, reml=reml)
    points, converged = iterate(
        Problem(model, default.equations, reml),
        _read(default, default.at(default.start())),
        STEPS[algorithm],
        limit=iterations,
        tolerance=tolerance,
    )
    singular = _singular(model, points[-1])
    notes = _say(algorithm, points, lowest, converged, singular, iterations)
    found = _values(model, points[-1], reml, converged, singular, notes)
    own = [
        PathStep(algorithm, i, p.deviance, _parameters(model, p.variances, p.factor))
        for i, p in enumerate(points)
    ]
    return _with_path(model, found, [*own, *_default_path(default)], trace)


def _check(model: Model, algorithm: str, iterations: int, tolerance: float, trace: bool) -> None:
    if algorithm not in ALGORITHMS:
        hint = nearest(str(algorithm), ALGORITHMS)
        raise MethodError(f"Unknown algorithm {algorithm!r}", hint=hint)
    if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 1:
        raise MethodError("iterations must be a whole number of at least 1", got=repr(iterations))
    if not (is_finite(tolerance) and tolerance > 0):
        raise MethodError("tolerance must be a positive number", got=repr(tolerance))
    if not isinstance(trace, bool):
        raise MethodError("trace must be True or False", got=repr(trace))
    if algorithm == "default":
        return
    other = [t.structure.name for t in model.terms if t.structure.name not in KNOWN]
    if other or model.residual is not None or model.kin:
        raise MethodError(
            f"Algorithm {algorithm!r} needs independent residuals, independent levels and "
            f"effects of structure {', '.join(KNOWN)}",
            got=", ".join(other) or ("a relationship" if model.kin else "a residual structure"),
            hint="Use algorithm='default', which takes every structure",
        )


def _read(default: Profile, factor: FactorPoint) -> Variances:
    """The users' variances at a point of the default's path."""
    sigma = np.sqrt([default.sigma2(factor)])
    about = default.equations.moments.coordinates
    return Variances(covariances_from_lambdas(about, factor.lambdas, sigma), sigma)


def _default_path(default: Profile) -> list[PathStep]:
    """The default optimiser's evaluations that were lower than all before."""
    steps: list[PathStep] = []
    count = 0

    def recorded(x: Floats) -> tuple[float, Floats]:
        nonlocal count
        factor = default.at(x)
        value, slope = default.evaluate(factor, x)
        if value < (steps[-1].deviance if steps else np.inf):
            seen = _parameters(default.model, _read(default, factor), factor)
            steps.append(PathStep("default", count, value, seen))
        count += 1
        return value, slope

    start = default.start()
    about = default.curvature(start)
    minimise(recorded, start, default.lower, about, boundary=default, upper=default.upper)
    return steps


def _parameters(model: Model, at: Variances, factor: FactorPoint) -> Floats:
    parts = [solve(factor).beta[0]]
    for cov, g in zip(at.covariances, group_names(model), strict=True):
        parts += sds_and_correlations(cov[0], g)
    return np.concatenate([*parts, [] if model.sigma_known else at.sigma])


def _names(model: Model) -> list[str]:
    names = [f"beta[{model.design.coefs[c]}]" for c in model.aliasing.kept]
    for g in group_names(model):
        names += [f"{g.sd}[{name}]" for name in g.sds]
        names += [f"{g.cor}[{pair}]" for pair in g.pair_labels]
    return names if model.sigma_known else [*names, "sigma"]


def _with_path(model: Model, found: FitValues, steps: list[PathStep], trace: bool) -> FitValues:
    tree = found.tree.copy()
    tree["path"] = path_dataset(_names(model), steps)
    if trace:
        from rich.console import Console

        Console().print(path_table(path(tree)))
    return FitValues(found.method, tree, found.scalars, found.notes)


def _singular(model: Model, here: Here) -> tuple[int, ...]:
    """Terms whose covariance has all but reached the boundary."""
    m = here.factor.equations.moments
    out = []
    for i, term in enumerate(model.terms):
        index = np.ix_(term.columns, term.columns)
        C = m.coordinates.blocks[term.block][index]
        half = np.linalg.solve(C, here.variances.covariances[term.block][0][index])
        inner = np.linalg.solve(C, half.T) / here.variances.sigma[0] ** 2
        if np.linalg.eigvalsh(inner)[0] < SINGULAR**2:
            out.append(i)
    return tuple(out)


def _say(
    algorithm: str,
    points: list[Here],
    lowest: float,
    converged: bool,
    singular: tuple[int, ...],
    limit: int,
) -> list[str]:
    above = (
        f"its deviance is {points[-1].deviance - lowest:.2g} above that of the default algorithm"
    )
    if converged:
        notes = [f"{algorithm!r} converged after {len(points) - 1} iterations; {above}."]
    else:
        text = (
            f"{algorithm!r} did not converge in {limit} iterations; {above}. Run more, for "
            f"example iterations={10 * limit}; it never converges to a variance of zero."
        )
        notes = [warn(text, ConvergenceWarning)]
    notes.append(
        f"{algorithm!r} gives no standard errors of variance parameters; use algorithm='default' "
        "for them."
    )
    if singular:
        text = (
            "Singular fit: a covariance matrix of the random effects lies on the boundary of the "
            "parameter space."
        )
        notes.append(warn(text, SingularWarning))
    return notes


def _values(
    model: Model,
    here: Here,
    reml: bool,
    converged: bool,
    singular: tuple[int, ...],
    notes: list[str],
) -> FitValues:
    """The algorithm's own last point as a fit."""
    scales = [
        sds_and_correlations(cov[0], g)
        for cov, g in zip(here.variances.covariances, group_names(model), strict=True)
    ]
    said = Components(
        sd=tuple(_bare(sd) for sd, _ in scales),
        cor=tuple(_bare(cor) for _, cor in scales),
        par=tuple(_bare(np.empty(0)) for _ in scales),
        sigma=None if model.sigma_known else _bare(np.asarray(here.variances.sigma[0])),
    )
    estimate = estimate_at(model, here.factor, here.variances, said)
    k = len(model.aliasing.kept) + model.n_variance_parameters
    scalars = {
        "loglik": -0.5 * here.deviance,
        "deviance": here.deviance,
        "aic": here.deviance + 2 * k,
        "bic": here.deviance + np.log(model.n) * k,
        "n_parameters": k,
        "n": model.n,
        "converged": float(converged),
        "singular": float(bool(singular)),
    }
    tree = tree_of(model, estimate=estimate_dataset(model, estimate))
    return FitValues("reml" if reml else "ml", tree, scalars, tuple(notes))


def _bare(value: Floats) -> Interval:
    """An estimate without a standard error."""
    nothing = np.full_like(value, np.nan)
    return Interval(value, nothing, nothing, nothing)

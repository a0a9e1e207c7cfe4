"""Maximum likelihood and REML where sigma is zero, or very small beside the effects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import STRUCTURES
from bayeslmm.engines.closed import nothing_left
from bayeslmm.engines.information import correlation_interval, positive_interval, standard_errors
from bayeslmm.errors import FitError, IdentifiabilityError
from bayeslmm.fit.covariances import sds_and_correlations
from bayeslmm.fit.tree import Components, Estimate, Interval
from bayeslmm.gaussian.equations import solve
from bayeslmm.gaussian.profile import Profile
from bayeslmm.gaussian.reproduced import unbounded_by
from bayeslmm.gaussian.vanishing import MOST, WIDEST, Vanishing, turned
from bayeslmm.gaussian.variances import Variances, covariances_from_lambdas, theta_slices
from bayeslmm.linalg.differences import jacobian
from bayeslmm.linalg.minimise import Minimum, Smooth, minimise
from bayeslmm.model.names import group_names

Floats = NDArray[np.float64]
CHEAP = 200  # rows up to which sigma = 0 is looked at wherever it may be the maximum
DOUBTFUL = 1e-4  # of the same, where there are as many effects as rows
SMALL = 1e-8  # of rho² over the response's sum of squares, where digits are lost
STARTS = (1.0, 0.05)
LARGE = 1e6
WORST = 1e9  # condition of the effects' covariance of rows that leaves six digits
LEAST = 1e-10  # of the residuals beside the response


def is_plain(problem: Profile) -> bool:
    """Whether residuals are independent with a sigma to estimate, and terms unstructured."""
    model = problem.model
    known = model.sigma_known or model.residual is not None
    return not known and all(term.structure.name in STRUCTURES for term in model.terms)


def is_near_zero(problem: Profile, rho2: float) -> bool:
    """Whether sigma = 0 has to be looked at, from the penalised residual sum of squares."""
    m = problem.equations.moments
    share = rho2 / float(m.ff[-1, -1])
    if m.p + m.q < m.n:  # then sigma = 0 is a maximum of no method
        return not share > SMALL
    return (m.n <= CHEAP and m.q <= WIDEST) or not share > DOUBTFUL


def near_zero(problem: Profile, found: Minimum) -> tuple[Vanishing, Minimum] | None:
    """The maximum by turned rows, x = (theta, sigma), where it isn't `found`.

    Raises
    ------
    IdentifiabilityError
        If the likelihood is unbounded.
    FitError
        If the design is too long for turning its rows, or sigma below what doubles resolve.
    """
    if problem.equations.moments.n > MOST or problem.equations.moments.q > WIDEST:
        raise _too_long(problem)
    rows = turned(problem)
    which = unbounded_by(rows)
    if which is not None:
        what = "restricted likelihood" if problem.reml else "likelihood"
        other = "" if problem.reml else "; method 'reml' may have a maximum"
        raise IdentifiabilityError(
            f"The fixed effects and {which} fit the response exactly and leave no residuals: "
            f"the {what} is unbounded as sigma goes to 0",
            hint=f"Leave out the term that determines the response{other}",
        )
    if rows.n_left and rows.unit < LEAST:
        raise FitError(
            f"The residuals are {rows.unit:.1e} of the response, too small for their standard "
            "deviation to be estimated in double precision",
            hint="Leave out the random term that reproduces the response",
        )
    best = _minimised(rows)
    if not best.converged or not rows.condition(best.x) < WORST:
        raise FitError(
            "The estimate of sigma is zero, or too small relative to the random effects for the "
            "maximum of the likelihood to be located in double precision",
            got=f"residuals of {rows.sigma(best.x):.1e} of the response",
            hint="Leave out a random term, or use method 'exact' with proper priors",
        )
    small = best.x[-1] == 0 or rows.sigma(best.x) ** 2 < SMALL
    if not small and found.converged and best.value > found.value - 1e-6:
        return None
    return rows, best


def _too_long(problem: Profile) -> FitError | IdentifiabilityError:
    """The error for a design with more rows than can be rotated."""
    model, m = problem.model, problem.equations.moments
    effects = solve(problem.at(problem.scaled_identity(LARGE)))
    rest = model.design.y - model.design.rows.offset
    rest = rest - model.design.X[:, m.columns] @ effects.beta[0]
    for block, u in zip(model.design.blocks, effects.u, strict=True):
        rest = rest - np.einsum("nk,nk->n", block.values, u[0][block.codes])
    reproduced = nothing_left(model, float(model.precision_weights @ rest**2))
    if reproduced and m.p + m.q < m.n:
        return IdentifiabilityError(
            "The fixed and random effects fit the response exactly and leave no residuals: the "
            "likelihood is unbounded as sigma goes to 0",
            hint="Leave out the term that determines the response",
        )
    what = "reproduce the response" if reproduced else "leave residuals below rounding error"
    return FitError(
        f"The fixed and random effects {what}: a sigma of zero, or below about 1e-4 of the "
        "effects' standard deviation, can only be estimated in small designs",
        got=f"{m.n} rows, {m.q} effects",
        allowed=f"{MOST} rows, {WIDEST} effects",
        hint="Leave out the random term that reproduces the response",
    )


def _minimised(rows: Vanishing) -> Minimum:
    """The lowest deviance from a few starts, sigma at zero or off it."""
    lower = np.append(rows.problem.lower, 0.0)
    edge = _Edge(rows)
    start = rows.problem.start()
    out: list[Minimum] = []
    for sigma in STARTS[: 1 if rows.n_left else None]:
        first = np.append(start / np.linalg.norm(start), sigma)
        out.append(minimise(rows, first, lower, boundary=edge))
    if rows.may_be_zero:
        at = np.append(out[-1].x[:-1], 0.0)
        out.append(minimise(rows, at, lower, boundary=edge))
    return min(out, key=lambda m: m.value)


class _Edge:
    """The boundary of theta with that of sigma."""

    def __init__(self, rows: Vanishing) -> None:
        self.problem = rows.problem

    def canonical(self, x: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        theta, held = self.problem.canonical(x[:-1])
        return np.append(theta, x[-1]), np.append(held, False)

    def releases(self, f: Smooth, x: Floats, size: float) -> Floats:
        def at_sigma(theta: Floats) -> tuple[float, Floats]:
            value, slope = f(np.append(theta, x[-1]))
            return value, slope[:-1]

        theta = self.problem.releases(at_sigma, x[:-1], size)
        out = np.column_stack([theta, np.full(len(theta), x[-1])])
        off = np.append(x[:-1], size)
        return np.vstack([out, off]) if x[-1] <= 0 else out


def variances_at(rows: Vanishing, x: Floats) -> Variances:
    """The users' variances at (theta, sigma)."""
    about = rows.problem.equations.moments.coordinates
    covs = covariances_from_lambdas(about, rows.problem.lambdas(x[None, :-1]), np.array([rows.tau]))
    return Variances(covs, np.array([rows.tau * rows.unit * x[-1]]))


def estimate_of(rows: Vanishing, best: Minimum, singular: tuple[int, ...]) -> Estimate:
    """Effects, their covariances and the variance parameters at the maximum.

    u^ = G Z'P y, Var(u^ - u | beta) = G - G Z'V⁻¹Z G = sigma² Lambda M⁻¹ Lambda', and with
    F = G Z'V⁻¹X and C = Var(b) the covariances Var(u^ - u | beta) + F C F' and -F C.
    """
    here, x = rows.at(best.x), best.x
    assert here is not None
    m, tau2, r = rows.problem.equations.moments, rows.tau**2, rows.r
    size = np.append(np.full(r, rows.sigma(x)), np.ones(m.p - r))  # from (c, beta_2) to beta
    T = m.coordinates.T @ rows.turn
    beta = size * here.beta + np.append(rows.first, np.zeros(m.p - r))
    u, cov, cross, bare = [], [], [], []
    lambdas = rows.problem.lambdas(x[None, :-1])
    given = _given_beta(rows, x)
    for Z, root, C, lam, own in zip(
        rows.Z, rows.roots, m.coordinates.blocks, lambdas, given, strict=True
    ):
        loaded = np.einsum("mjb,ab,lj->mla", Z, C @ lam[0] @ lam[0].T, root, optimize=True)
        F = np.einsum("mla,mp->lap", loaded, here.weighted)
        u.append(np.einsum("mla,m->la", loaded, here.Py))
        bare.append(tau2 * np.einsum("lj,jaib,li->lab", root, _mapped(own, C), root, optimize=True))
        cov.append(bare[-1] + tau2 * F @ here.spread @ F.swapaxes(1, 2))
        cross.append(-tau2 * (F @ here.spread * size) @ T.T)
    return Estimate(
        columns=m.columns,
        beta=m.coordinates.beta(rows.turn @ beta),
        beta_cov=tau2 * T @ (size[:, None] * here.spread * size) @ T.T,
        u=tuple(u),
        u_cov=tuple(_clipped(c) for c in cov),
        u_beta_cov=tuple(cross),
        u_cov_given_beta=tuple(_clipped(c) for c in bare),
        said=_said(rows, best, singular),
    )


def _given_beta(rows: Vanishing, x: Floats) -> list[Floats]:
    """Var(u~ | y, beta) of each block, shape (J, k, J, k), over tau²."""
    s = rows.sigma(x)
    roots = [lam[0] for lam in rows.problem.lambdas(x[None, :-1])]
    shapes = [Z.shape[1:] for Z in rows.Z]
    loaded = np.hstack(
        [(Z @ lam).reshape(len(rows.y), -1) for Z, lam in zip(rows.Z, roots, strict=True)]
    )
    _, values, vh = np.linalg.svd(loaded)
    share = np.ones(loaded.shape[1])  # what the data leave of each direction
    live = np.arange(len(values))[values > 1e-12 * values.max(initial=0.0)]
    share[live] = s**2 / (s**2 + values[live] ** 2)
    inner = (vh.T * share) @ vh
    out, first = [], 0
    for (J, k), lam in zip(shapes, roots, strict=True):
        own = inner[first : first + J * k, first : first + J * k].reshape(J, k, J, k)
        out.append(_mapped(own, lam))
        first += J * k
    return out


def _mapped(cov: Floats, C: Floats) -> Floats:
    return np.einsum("ca,jaib,db->jcid", C, cov, C, optimize=True)


def _clipped(cov: Floats) -> Floats:
    """Without the negative eigenvalues that rounding leaves."""
    values, vectors = np.linalg.eigh((cov + cov.swapaxes(1, 2)) / 2)
    return np.asarray((vectors * np.clip(values, 0.0, None)[:, None]) @ vectors.swapaxes(1, 2))


def _said(rows: Vanishing, best: Minimum, singular: tuple[int, ...]) -> Components:
    """Variance parameters with Wald intervals; those on the boundary have none."""
    model, x = rows.problem.model, best.x
    slices = theta_slices(model)
    held = {j for i in singular for j in range(len(x))[slices[i]]}
    held |= {len(x) - 1} if x[-1] == 0 else set()
    free = np.array([j for j in range(len(x)) if j not in held], dtype=np.intp)
    groups = group_names(model)

    def scales(points: Floats) -> Floats:
        whole = np.broadcast_to(x, (len(points), len(x))).copy()
        whole[:, free] = points
        parts = []
        with np.errstate(divide="ignore", invalid="ignore"):
            for one in whole:
                at = variances_at(rows, one)
                pairs = [
                    sds_and_correlations(c[0], g)
                    for c, g in zip(at.covariances, groups, strict=True)
                ]
                logs = [np.append(np.log(sd), np.arctanh(cor)) for sd, cor in pairs]
                parts.append(np.concatenate([*logs, np.log(at.sigma)]))
        return np.array(parts)

    with np.errstate(invalid="ignore"):
        slopes = jacobian(scales, x[free])
        spread = standard_errors(best.hessian[np.ix_(free, free)] / 2, slopes)
    sds, cors, taken = [], [], 0
    at = variances_at(rows, x)
    for c, g in zip(at.covariances, groups, strict=True):
        sd, cor = sds_and_correlations(c[0], g)
        ends = taken + len(sd), taken + len(sd) + len(cor)
        sds.append(positive_interval(sd, spread[taken : ends[0]]))
        cors.append(correlation_interval(cor, spread[ends[0] : ends[1]]))
        taken = ends[1]
    if x[-1] > 0:
        found = positive_interval(at.sigma, spread[-1:])
        sigma = Interval(
            *(p[0] for p in (found.estimate, found.std_error, found.lower, found.upper))
        )
    else:
        nothing = np.asarray(np.nan)
        sigma = Interval(np.asarray(0.0), nothing, nothing, nothing)
    none = tuple(Interval(*[np.empty(0)] * 4) for _ in groups)
    return Components(tuple(sds), tuple(cors), none, sigma)

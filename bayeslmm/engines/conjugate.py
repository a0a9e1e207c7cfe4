"""Method ``conjugate``: variances given, the Gaussian posterior of (beta, u) in closed form.

Its mean solves Henderson's mixed-model equations; as the prior precision kappa of beta goes
to zero it is BLUE and BLUP. With sigma unknown too and relative standard deviations given,
the posterior is Student's t: beta | sigma² ~ N(m, sigma² K⁻¹) or flat, sigma² ~ IG(a, b).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from bayeslmm.covariance import Patterned
from bayeslmm.engines.base import Engine, few_threads
from bayeslmm.engines.closed import estimate_at, nothing_left
from bayeslmm.engines.given import given_variances
from bayeslmm.errors import FitError, MethodError, PriorError, is_finite
from bayeslmm.fit.covariances import sds_and_correlations
from bayeslmm.fit.tree import (
    Components,
    Draws,
    FitValues,
    Interval,
    estimate_dataset,
    posterior_dataset,
    tree_of,
)
from bayeslmm.gaussian.equations import (
    Equations,
    FactorPoint,
    equations,
    kin_of,
    system_of,
)
from bayeslmm.gaussian.moments import moments
from bayeslmm.gaussian.posterior import draw, normal_prior
from bayeslmm.gaussian.variances import Variances, lambdas_from_covariances
from bayeslmm.graph import with_free_values
from bayeslmm.model import Model, PriorRows, isotropic, not_gaussian, prior_rows, unreachable
from bayeslmm.model.names import group_names

Floats = NDArray[np.float64]
FAR = 10.0  # a digit
PASSES = 3  # the first leaves rounding of the least-squares solution, the second that of the first


class Conjugate(Engine):
    """Posterior of (beta, u) at given variances."""

    name: ClassVar[str] = "conjugate"

    def refuse(self, model: Model) -> str | None:
        return not_gaussian(model, "conjugate")

    @few_threads
    def fit(
        self,
        model: Model,
        *,
        seed: int | None,
        draws: int,
        chains: int,
        variances: Mapping[str, Any] | xr.DataTree | None = None,
        kappa: float | None = None,
        sigma2_prior: tuple[float, float] = (0.0, 0.0),
        **options: Any,
    ) -> FitValues:
        """Fit at `variances`: another fit's tree, or a dict as in NAMES.

        Parameters
        ----------
        model : Model
        seed, draws, chains : int
            For the independent draws that stand beside the exact values.
        variances : mapping or DataTree
            ``{"sigma": .., "sd_Subject": [..], "cor_Subject": [..]}``; with sigma unknown
            ``{"rel_sd_Subject": [..], "cor_Subject": [..]}``.
        kappa : float, optional
            Prior precision of every coefficient, in place of the model's priors; 0 is flat.
        sigma2_prior : tuple of float
            (a, b) of sigma² ~ IG(a, b), with sigma unknown; a = -1/2, b = 0 is flat in sigma.
        options : Any
            None are known.
        """
        if variances is None:
            raise MethodError(
                "Method 'conjugate' needs known variances",
                hint="Give another fit, variances=fit, or a dict, variances={'sigma': 1.0, "
                "'sd_<group>': [0.5]}",
            )
        at, relative = given_variances(model, variances)
        _check_sigma2_prior(sigma2_prior, relative)
        rows = _rows(model, kappa, relative)
        columns = model.aliasing.kept if rows.n_flat else tuple(range(model.design.p))
        kept = rows.on(columns)
        sigma2 = np.ones(1) if relative else at.sigma**2
        factor = _factored(model, columns, at, sigma2, kept)
        rng = np.random.default_rng(seed)
        shape = (chains, draws)
        if relative:
            found = _student(model, factor, at, kept.n_flat, sigma2_prior, rng, shape)
        else:
            found = _gaussian(model, factor, at, rng, shape)
        return replace(found, notes=(_prior_note(kappa, relative), *found.notes))


def _factored(
    model: Model, columns: tuple[int, ...], at: Variances, sigma2: Floats, rows: PriorRows
) -> FactorPoint:
    """The equations factored at given variances, with an origin that loses no digits of beta."""
    factor = _factor(equations(model, columns), at, sigma2, rows)
    for _ in range(PASSES):
        if model.residual is not None or not _far(factor):
            break
        about = factor.equations.moments.coordinates
        about = replace(about, shift=about.beta(factor.inner_beta[0]))
        system = system_of(moments(model, columns, about=about), kin_of(model))
        factor = _factor(system, at, sigma2, rows)
    return factor


def _factor(system: Equations, at: Variances, sigma2: Floats, rows: PriorRows) -> FactorPoint:
    """The equations factored at given variances under the prior rows of their columns."""
    about = system.moments.coordinates
    prior = normal_prior(rows, about, None, 1)
    return system.at(lambdas_from_covariances(about, at), sigma2, prior)


def _far(factor: FactorPoint) -> bool:
    """Whether a coefficient's mean is a small difference of large numbers: its prior takes it far
    from the least-squares solution, at which the coordinates have their origin. An origin at the
    mean itself has no such difference."""
    about = factor.equations.moments.coordinates
    return bool(np.any(np.abs(about.shift) > FAR * np.abs(about.beta(factor.inner_beta[0]))))


def _prior_note(kappa: float | None, relative: bool) -> str:
    if kappa is None:
        return "The prior of beta is the model's prior."
    if kappa == 0:
        return "The prior of beta is flat (kappa = 0)."
    variance = "sigma² I/kappa" if relative else "I/kappa"
    return f"The prior of beta is N(0, {variance}) with kappa = {kappa:g}."


def _check_sigma2_prior(prior: tuple[float, float], relative: bool) -> None:
    pair = isinstance(prior, tuple | list) and len(prior) == 2
    if not pair or not all(map(is_finite, prior)) or prior[1] < 0:
        raise PriorError(
            "sigma2_prior must be the pair (a, b) of the prior sigma² ~ IG(a, b)",
            got=repr(prior),
            allowed="two finite numbers, b at least 0",
            hint="Write for example sigma2_prior=(1, 1)",
        )
    if not relative and tuple(prior) != (0.0, 0.0):
        raise MethodError(
            "sigma2_prior needs an unknown sigma, and variances= contains sigma",
            hint="Give rel_sd_<group> (standard deviation / sigma) and leave 'sigma' out",
        )


def _rows(model: Model, kappa: float | None, relative: bool) -> PriorRows:
    if kappa is not None:
        if not (is_finite(kappa) and kappa >= 0):
            text = "kappa, a prior precision, must be one number"
            raise PriorError(text, got=repr(kappa), allowed="0 (a flat prior) or more")
        return isotropic(model.design.p, float(kappa))
    if unreachable(model) or len(prior_rows(model).heavy):
        raise PriorError(
            "Method 'conjugate' needs normal or flat priors on the coefficients",
            hint="Give kappa=, change the priors, or use method 'exact'",
        )
    rows = prior_rows(model)
    if relative and len(rows.scale):
        raise PriorError(
            "With an unknown sigma the prior of beta must be relative to sigma, and the model's "
            "prior is absolute",
            hint="Give kappa=, where beta | sigma² ~ N(0, sigma² I/kappa) and 0 is flat, or "
            "priors='flat'",
        )
    return rows


def _given(value: Floats) -> Interval:
    """A known number, an interval of length zero."""
    return Interval(value, np.zeros_like(value), value, value)


def _gaussian(
    model: Model,
    factor: FactorPoint,
    at: Variances,
    rng: np.random.Generator,
    shape: tuple[int, int],
) -> FitValues:
    scales = [
        sds_and_correlations(c[0], g)
        for c, g in zip(at.covariances, group_names(model), strict=True)
    ]
    sd, cor = tuple(_given(s) for s, _ in scales), tuple(_given(c) for _, c in scales)
    sigmas, own = _residual(model, at)
    sigma = None if model.sigma_known else _given(sigmas)
    said = Components(sd, cor, tuple(map(_given, _patterns(model, at))), sigma, _given(own))
    estimate = estimate_at(model, factor, at, said)
    sampled = _draws(model, factor, at, np.full(shape, at.sigma[0]), rng)
    posterior = with_free_values(model, posterior_dataset(model, sampled))
    tree = tree_of(model, estimate=estimate_dataset(model, estimate), posterior=posterior)
    return FitValues("conjugate", tree)


def _student(
    model: Model,
    factor: FactorPoint,
    relative: Variances,
    n_flat: int,
    prior: tuple[float, float],
    rng: np.random.Generator,
    shape: tuple[int, int],
) -> FitValues:
    """sigma² | y ~ IG(a_n, b_n); (beta, u) | y is t on 2 a_n degrees of freedom."""
    m = factor.equations.moments
    a = prior[0] + 0.5 * (m.n - n_flat)
    left = float(factor.rho2[0])
    if prior[1] == 0 and nothing_left(model, left):
        raise FitError(
            "The fixed and random effects fit the response exactly, so that the posterior of "
            "sigma² is improper",
            hint="Give a prior with b > 0, such as sigma2_prior=(1, 1), or give 'sigma' in "
            "variances=",
        )
    b = prior[1] + 0.5 * left
    if not (a > 0 and b > 0):
        raise PriorError("The posterior of sigma² is improper", got=f"IG({a:g}, {b:g})")
    variances = Variances(relative.covariances, np.sqrt(np.array([b / a])))
    sigma = _inverse_gamma_root(a, b)
    sd, cor = [], []
    for c, g in zip(relative.covariances, group_names(model), strict=True):
        ratio, correlation = sds_and_correlations(c[0], g)
        sd.append(Interval(*(ratio * part for part in _parts(sigma))))
        cor.append(_given(correlation))
    inflation = a / (a - 1) if a > 1 else np.nan
    sigmas, own = _residual(model, relative)
    sigma = Interval(*(part * sigmas for part in _parts(sigma)))
    pars = tuple(map(_given, _patterns(model, relative)))
    said = Components(tuple(sd), tuple(cor), pars, sigma, _given(own))
    estimate = estimate_at(model, factor, variances, said, inflation)
    dataset = estimate_dataset(model, estimate).assign_attrs(dof=2 * a, scale2=b / a)
    drawn = np.sqrt(b / rng.gamma(a, 1.0, shape))
    sampled = _draws(model, factor, relative, drawn, rng)
    posterior = with_free_values(model, posterior_dataset(model, sampled))
    return FitValues("conjugate", tree_of(model, estimate=dataset, posterior=posterior))


def _parts(value: Interval) -> tuple[Floats, ...]:
    return value.estimate, value.std_error, value.lower, value.upper


def _residual(model: Model, at: Variances) -> tuple[Floats, Floats]:
    """Sigma, by stratum where it has some, and the residuals' further numbers."""
    if model.residual is None or at.delta is None:
        return np.asarray(at.sigma[0]), np.empty(0)
    ratios, values, _ = model.residual.natural(at.delta)
    return np.asarray(at.sigma[0] * (ratios[0] if model.strata is not None else 1.0)), values[0]


def _patterns(model: Model, at: Variances) -> list[Floats]:
    """The patterns' numbers by block: the given ones, else those nearest to the covariances."""
    if at.numbers is not None:
        return list(at.numbers)
    out: list[list[float]] = [[] for _ in model.design.blocks]
    for term in model.terms:
        if isinstance(term.structure, Patterned):
            own = np.ix_(term.columns, term.columns)
            out[term.block] += term.structure.numbers(at.covariances[term.block][0][own]).tolist()
    return [np.array(values) for values in out]


def _inverse_gamma_root(a: float, b: float) -> Interval:
    """sigma, with sigma² ~ IG(a, b)."""
    mean = np.sqrt(b) * np.exp(special.gammaln(a - 0.5) - special.gammaln(a))
    variance = b / (a - 1) - mean**2 if a > 1 else np.nan
    lower, upper = np.sqrt(b / special.gammainccinv(a, np.array([0.025, 0.975])))
    return Interval(
        np.asarray(mean), np.asarray(np.sqrt(variance)), np.asarray(lower), np.asarray(upper)
    )


def _draws(
    model: Model, factor: FactorPoint, at: Variances, sigma: Floats, rng: np.random.Generator
) -> Draws:
    """Independent joint draws of (beta, u) at one Lambda and many sigma, shape (C, D)."""
    effects = draw(factor, sigma.reshape(-1) ** 2, rng)
    ratio = sigma / at.sigma[0]
    ones, own = _residual(model, at)
    sigmas = ones / at.sigma[0]
    sd, cor = [], []
    for c, g in zip(at.covariances, group_names(model), strict=True):
        one_sd, one_cor = sds_and_correlations(c[0], g)
        sd.append(ratio[..., None] * one_sd)
        # without a variance there is no correlation, and in a trace 0 serves as well as any other
        cor.append(np.broadcast_to(np.nan_to_num(one_cor), (*sigma.shape, len(one_cor))))
    return Draws(
        columns=factor.equations.moments.columns,
        beta=effects.beta.reshape(*sigma.shape, -1),
        u=tuple(u.reshape(*sigma.shape, *u.shape[1:]) for u in effects.u),
        sd=tuple(sd),
        cor=tuple(cor),
        sigma=None if model.sigma_known else sigma[..., None] * sigmas if sigmas.ndim else sigma,
        par=tuple(np.broadcast_to(x, (*sigma.shape, len(x))) for x in _patterns(model, at)),
        residual_par=np.broadcast_to(own, (*sigma.shape, len(own))),
    )

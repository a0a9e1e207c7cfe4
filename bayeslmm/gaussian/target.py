"""The marginal posterior of the variance parameters: (beta, u) integrated out in closed form.

`psi` holds, in this order: each term's coordinates (log sd, atanh of partial correlations,
about the centre of its covariates), log sigma where it is estimated, and log lambda for every
coefficient prior that is a scale mixture of normals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bayeslmm.gaussian.coordinates import Coordinates
from bayeslmm.gaussian.equations import Equations, Factor, FactorPoint, equations
from bayeslmm.gaussian.likelihood import marginal_deviance, marginal_slopes
from bayeslmm.gaussian.posterior import normal_prior
from bayeslmm.gaussian.variances import PsiPoint, psi_of_scale, read_psi
from bayeslmm.model import Model, PriorRows, prior_rows, sd_log_prior

Floats = NDArray[np.float64]
LARGEST = 200.0  # of a coordinate: beyond, exponentials overflow
STEP = 1e-5


@dataclass(frozen=True, slots=True)
class Point:
    """Everything at S values of psi.

    Attributes
    ----------
    factor : Factor
    sigma2 : ndarray, shape (S,)
    read : PsiPoint
    log_density : ndarray, shape (S,)
        log p(y, psi): the evidence is its integral where all priors are proper.
    """

    factor: Factor
    sigma2: Floats
    read: PsiPoint
    log_density: Floats


@dataclass(frozen=True, slots=True)
class _Read:
    """The covariances and priors at S points psi, before any factorisation."""

    point: PsiPoint
    log_prior: Floats
    sigma: Floats
    multiplier: Floats
    delta: Floats | None = None

    @property
    def lambdas(self) -> tuple[Floats, ...]:
        found = tuple(f / self.sigma[:, None, None] for f in self.point.inner)
        return found if self.delta is None else (*found, self.delta[:, None, :])


@dataclass(frozen=True, slots=True)
class Target:
    """log p(y, psi) of a Gaussian model: batched values, and the gradient at a point.

    Attributes
    ----------
    model : Model
    equations : Equations
    rows : PriorRows
        Priors of beta, in the columns of the equations.
    """

    model: Model
    equations: Equations
    rows: PriorRows

    @property
    def n_terms(self) -> int:
        """Coordinates of the random effects."""
        return sum(t.n_parameters for t in self.model.terms)

    @property
    def dimension(self) -> int:
        """Coordinates in all."""
        return self.n_terms + self.n_residual + len(self.rows.heavy)

    @property
    def n_residual(self) -> int:
        """Coordinates of the residuals: log sigma, and those of their structure."""
        own = 0 if self.model.residual is None else self.model.residual.size
        return (not self.model.sigma_known) + own

    @property
    def seconds(self) -> float:
        """One evaluation on one core, about."""
        return self.equations.solver.seconds + 5e-7

    @property
    def _about(self) -> Coordinates:
        return self.equations.moments.coordinates

    def start(self) -> Floats:
        """A point in the bulk: each term explains about as much as the residual."""
        m = self.equations.moments
        spread = float(np.sqrt(m.ff[-1, -1] / max(1, m.n)))
        sigma = 1.0 if self.model.sigma_known else 0.6 * spread
        psi = psi_of_scale(self.model, self._about, 0.5 * spread)
        tail = [] if self.model.sigma_known else [np.log(sigma)]
        residual = self.model.residual
        delta = np.empty(0) if residual is None else residual.start
        return np.concatenate([psi, tail, delta, np.zeros(len(self.rows.heavy))])

    def __call__(self, psi: Floats) -> Floats:
        """log p(y, psi), shape (S,); −inf outside the domain."""
        out = np.full(len(psi), -np.inf)
        ok = np.flatnonzero(np.all(np.abs(psi) < LARGEST, axis=1))
        if len(ok):
            values = self.at(psi[ok]).log_density
            out[ok] = np.where(np.isfinite(values), values, -np.inf)
        return out

    def at(self, psi: Floats) -> Point:
        """The factored equations and the density at psi, shape (S, dimension)."""
        read = self._read(psi)
        sigma2 = read.sigma**2
        prior = normal_prior(self.rows, self._about, read.multiplier, len(psi))
        with np.errstate(all="ignore"):
            factor = self.equations.factor(read.lambdas, sigma2, prior, len(psi))
            log_density = read.log_prior - 0.5 * marginal_deviance(factor, sigma2, prior)
        return Point(factor, sigma2, read.point, log_density)

    def point(self, psi: Floats) -> tuple[FactorPoint, float]:
        """The equations factored at one psi, shape (dimension,), and sigma² there."""
        read = self._read(psi[None])
        sigma2 = read.sigma**2
        prior = normal_prior(self.rows, self._about, read.multiplier, 1)
        return self.equations.at(read.lambdas, sigma2, prior), float(sigma2[0])

    def read(self, psi: Floats) -> tuple[PsiPoint, Floats]:
        """Covariances and sigma² at psi, shape (S, dimension), without factoring anything."""
        found = self._read(psi)
        return found.point, found.sigma**2

    def value_and_gradient(self, psi: Floats) -> tuple[float, Floats]:
        """log p(y, psi) at one psi, shape (dimension,), and its gradient.

        The likelihood's derivatives with respect to Lambda and sigma are analytic, from the
        same blocks; those of the small maps from psi to Lambda and of the priors, which
        cost no data, are central differences. Outside the domain: −inf and zeros.
        """
        d = len(psi)
        nothing = -np.inf, np.zeros(d)
        if not np.all(np.abs(psi) < LARGEST):
            return nothing
        moves = STEP * np.eye(d)
        read = self._read(np.concatenate([psi[None], psi + moves, psi - moves]))
        sigma2 = read.sigma[:1] ** 2
        prior = normal_prior(self.rows, self._about, read.multiplier[:1], 1)
        with np.errstate(all="ignore"):
            factor = self.equations.at(tuple(f[:1] for f in read.lambdas), sigma2, prior)
            value = read.log_prior[0] - 0.5 * marginal_deviance(factor, sigma2, prior)[0]
        if not np.isfinite(value):
            return nothing
        blocks, by_sigma = marginal_slopes(factor, float(sigma2[0]), prior)

        def slope(values: Floats) -> Floats:
            """Derivatives of a small map's values, shape (1 + 2d, ...), by psi, (d, ...)."""
            return np.asarray((values[1 : d + 1] - values[d + 1 :]) / (2 * STEP))

        deviance = 2 * by_sigma * slope(np.log(read.sigma))
        if read.lambdas:
            for g, lam in zip(blocks, read.lambdas, strict=True):
                deviance = deviance + np.einsum("ab,dab->d", g, slope(lam))
        heavy = self.heavy_slopes(factor, float(sigma2[0]), read.multiplier[0])
        deviance = deviance + slope(np.log(read.multiplier)) @ heavy
        gradient = slope(read.log_prior) - 0.5 * deviance
        return float(value), np.where(np.isfinite(gradient), gradient, 0.0)

    def heavy_slopes(self, factor: FactorPoint, sigma2: float, multiplier: Floats) -> Floats:
        """Derivatives of the marginal deviance by the log of each mixture's lambda."""
        heavy = self.rows.heavy
        about = self._about
        inner = self.rows.rows[heavy] @ about.T
        location = self.rows.location[heavy] - self.rows.rows[heavy] @ about.shift
        precision = multiplier * self.rows.scale[heavy] ** -2.0
        spread = np.einsum("ri,ij,rj->r", inner, factor.inner_covariance, inner)
        miss = location - inner @ factor.inner_beta[0]
        return np.asarray(precision * (sigma2 * spread + miss**2) - 1.0)

    def _read(self, psi: Floats) -> _Read:
        point = read_psi(self.model, self._about, psi[:, : self.n_terms])
        return _Read(point, *self._prior(psi, point), self.delta(psi))

    def delta(self, psi: Floats) -> Floats | None:
        """Coordinates of the residuals' structure, shape (S, size); None where there is none."""
        if self.model.residual is None:
            return None
        first = self.n_terms + (not self.model.sigma_known)
        return psi[:, first : first + self.model.residual.size]

    def _prior(self, psi: Floats, read: PsiPoint) -> tuple[Floats, Floats, Floats]:
        """Log prior of psi, sigma and the mixtures' lambda."""
        priors = self.model.priors
        total = read.log_jacobian.copy()
        sds: dict[str, Floats] = {}
        for i, term in enumerate(self.model.terms):
            free = term.structure.free_sds(len(term.columns))
            for column, key in zip(free, term.sd_keys, strict=True):
                sds[key] = read.sd[i][:, column]
            if term.cor_key:
                total += priors[term.cor_key].log_density(read.correlation[i])
            for c, key in enumerate(term.par_keys):
                total += priors[key].log_density(read.values[i][:, c])
        sigma = np.ones(len(psi))
        if not self.model.sigma_known:
            log_sigma = psi[:, self.n_terms]
            sigma = np.exp(log_sigma)
            total += log_sigma
            sds["sigma"] = sigma
        if self.model.residual is not None:
            total += self._residual_prior(psi, sds)
        total += sd_log_prior(self.model, sds)
        heavy = self.rows.heavy
        log_lambda = psi[:, self.dimension - len(heavy) :]
        half_nu = 0.5 * self.rows.nu[heavy]
        constant = half_nu * np.log(half_nu) - special.gammaln(half_nu)
        multiplier = np.exp(log_lambda)
        total += np.sum(constant + half_nu * (log_lambda - multiplier), axis=1)
        return total, sigma, multiplier

    def _residual_prior(self, psi: Floats, sds: dict[str, Floats]) -> Floats:
        """Log prior of the residuals' numbers in their coordinates; sigma by stratum into `sds`."""
        delta, residual = self.delta(psi), self.model.residual
        assert delta is not None and residual is not None
        ratios, values, total = residual.natural(delta)
        if self.model.strata is not None and "sigma" in sds:
            sigmas = sds.pop("sigma")[:, None] * ratios
            sds |= {key: sigmas[:, s] for s, key in enumerate(self.model.sigma_keys)}
            total = total + np.log(sigmas[:, 1:]).sum(axis=1)
        for i, key in enumerate(self.model.residual_keys):
            total = total + self.model.priors[key].log_density(values[:, i])
        if self.model.residual_cor_key is not None and residual.correlated is not None:
            c = residual.correlated
            matrix = c.pattern.matrix(values[:, len(residual.functions) :], c.places)
            total = total + self.model.priors[self.model.residual_cor_key].log_density(matrix)
        return np.asarray(total)


def target(model: Model) -> Target:
    """The marginal posterior of a model, every prior of beta a scale mixture of normals."""
    rows = prior_rows(model).on(model.columns)
    return Target(model, equations(model, model.columns), rows)

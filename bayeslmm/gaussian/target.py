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

from bayeslmm.gaussian.equations import Effects, Factor, batches, factorise
from bayeslmm.gaussian.likelihood import marginal_deviance
from bayeslmm.gaussian.moments import Moments, moments
from bayeslmm.gaussian.posterior import draw, normal_prior
from bayeslmm.gaussian.variances import PsiPoint, Variances, read_psi, write_psi
from bayeslmm.model import Model, PriorRows, prior_rows

Floats = NDArray[np.float64]


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
class Target:
    """log p(y, psi) of a Gaussian model, in batches.

    Attributes
    ----------
    model : Model
    moments : Moments
    rows : PriorRows
        Priors of beta, in the columns of the moments.
    """

    model: Model
    moments: Moments
    rows: PriorRows

    @property
    def n_terms(self) -> int:
        """Coordinates of the random effects."""
        return sum(t.n_parameters for t in self.model.terms)

    @property
    def dimension(self) -> int:
        """Coordinates in all."""
        return self.n_terms + (not self.model.sigma_known) + len(self.rows.heavy)

    def start(self) -> Floats:
        """A point in the bulk: each term explains about as much as the residual."""
        spread = float(np.std(self.model.design.y - self.model.design.rows.offset))
        sigma = 1.0 if self.model.sigma_known else 0.6 * spread
        covariances = []
        for block in self.model.design.blocks:
            rms = np.sqrt(np.mean(block.values**2, axis=0))
            sd = 0.5 * spread / np.where(rms > 0, rms, 1.0)
            covariances.append(np.diag(sd**2)[None])
        psi = write_psi(self.model, Variances(tuple(covariances), np.array([sigma])))
        tail = [] if self.model.sigma_known else [np.log(sigma)]
        return np.concatenate([psi, tail, np.zeros(len(self.rows.heavy))])

    def __call__(self, psi: Floats) -> Floats:
        """log p(y, psi), shape (S,); −inf outside the domain."""
        out = np.full(len(psi), -np.inf)
        ok = np.flatnonzero(np.all(np.abs(psi) < 200, axis=1))
        for part in batches(self.moments, len(ok)):
            values = self.at(psi[ok[part]]).log_density
            out[ok[part]] = np.where(np.isfinite(values), values, -np.inf)
        return out

    def at(self, psi: Floats) -> Point:
        """The factored equations and the density at psi, shape (S, dimension)."""
        read = read_psi(self.model, psi[:, : self.n_terms])
        log_prior, sigma, multiplier = self._prior(psi, read)
        sigma2 = sigma**2
        beta_prior = normal_prior(self.rows, self.moments.shift, multiplier, len(psi))
        lambdas = tuple(f / sigma[:, None, None] for f in read.factors)
        with np.errstate(all="ignore"):
            factor = factorise(self.moments, lambdas, sigma2, beta_prior)
            log_density = log_prior - 0.5 * marginal_deviance(factor, sigma2, beta_prior)
        return Point(factor, sigma2, read, log_density)

    def effects(self, psi: Floats, rng: np.random.Generator) -> tuple[Point, Effects]:
        """Exact draws of (beta, u), one for each psi."""
        point = self.at(psi)
        return point, draw(point.factor, point.sigma2, rng)

    def _prior(self, psi: Floats, read: PsiPoint) -> tuple[Floats, Floats, Floats]:
        """Log prior of psi, sigma and the mixtures' lambda."""
        priors = self.model.priors
        total = read.log_jacobian.copy()
        for i, term in enumerate(self.model.terms):
            free = term.structure.free_sds(len(term.columns))
            for column, key in zip(free, term.sd_keys, strict=True):
                total += priors[key].log_density(read.sd[i][:, column])
            if term.cor_key:
                total += priors[term.cor_key].log_density(read.correlation[i])
        sigma = np.ones(len(psi))
        if not self.model.sigma_known:
            log_sigma = psi[:, self.n_terms]
            sigma = np.exp(log_sigma)
            total += priors["sigma"].log_density(sigma) + log_sigma
        heavy = self.rows.heavy
        log_lambda = psi[:, self.dimension - len(heavy) :]
        half_nu = 0.5 * self.rows.nu[heavy]
        constant = half_nu * np.log(half_nu) - special.gammaln(half_nu)
        multiplier = np.exp(log_lambda)
        total += np.sum(constant + half_nu * (log_lambda - multiplier), axis=1)
        return total, sigma, multiplier


def target(model: Model) -> Target:
    """The marginal posterior of a model, every prior of beta a scale mixture of normals."""
    rows = prior_rows(model).on(model.columns)
    return Target(model, moments(model, model.columns), rows)

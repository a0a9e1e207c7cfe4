"""Variance parameters of a model: from users' standard deviations and correlations, from
theta and from psi to the relative factor Lambda of every block, in the room's coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import Patterned
from bayeslmm.gaussian.coordinates import Coordinates, centring
from bayeslmm.model import Model, Term

Floats = NDArray[np.float64]
FLOOR = 1e-4  # of the effects' standard deviation, for a sigma of zero
FAR = 2.5  # standard deviations of a covariate between its centre and the origin


@dataclass(frozen=True, slots=True)
class Variances:
    """Covariances in users' terms at S points.

    Attributes
    ----------
    covariances : tuple of ndarray, each of shape (S, k, k)
        Covariance matrix of every block's coefficients, block-diagonal over its terms.
    sigma : ndarray, shape (S,)
        Residual standard deviation (the first stratum's), 1 where it is known.
    delta : ndarray, shape (S, d), optional
        Coordinates of the residuals' structure, where they have one.
    numbers : tuple of ndarray, each of shape (d,), optional
        Natural values of every block's patterns, where they are known: a singular covariance
        doesn't determine them.
    """

    covariances: tuple[Floats, ...]
    sigma: Floats
    delta: Floats | None = None
    numbers: tuple[Floats, ...] | None = None


def off_zero(model: Model, at: Variances) -> Variances:
    """The same with a sigma of zero replaced by a small one, 1e-4 of the random effects' root
    mean variance in a row: relative factors need one, and what is asked of them has a limit."""
    if np.all(at.sigma > 0):
        return at
    total = sum(
        np.einsum("na,sab,nb->s", block.values, cov, block.values) / block.values.shape[0]
        for block, cov in zip(model.design.blocks, at.covariances, strict=True)
    )
    return replace(at, sigma=np.where(at.sigma > 0, at.sigma, FLOOR * np.sqrt(total)))


def theta_slices(model: Model) -> list[slice]:
    """Where each term's parameters stand in theta or psi."""
    ends = np.cumsum([0, *(t.n_parameters for t in model.terms)])
    return [slice(int(a), int(b)) for a, b in pairwise(ends)]


def lambdas_from_theta(model: Model, about: Coordinates, theta: Floats) -> tuple[Floats, ...]:
    """Relative factors of the blocks at theta, shape (S, all terms' parameters).

    As psi, theta speaks of unstructured terms about the centre of their covariates: no ridge
    between intercept and slope, however far the covariates' origin is.
    """
    out = _empty_blocks(model, theta.shape[0])
    for term, where in zip(model.terms, theta_slices(model), strict=True):
        factor = term.structure.factor(theta[:, where], len(term.columns))
        _place(out[term.block], term.columns, factor / _units(about, term)[:, None])
    return tuple(out)


def lambda_slopes(model: Model, about: Coordinates, theta: Floats) -> tuple[Floats, ...]:
    """Derivatives of `lambdas_from_theta` by theta at one point, (d, k, k) each."""
    out = _empty_blocks(model, len(theta))
    for term, where in zip(model.terms, theta_slices(model), strict=True):
        slopes = term.structure.factor_slopes(theta[where], len(term.columns))
        _place(out[term.block][where], term.columns, slopes / _units(about, term)[:, None])
    return tuple(out)


def theta_units(model: Model, about: Coordinates) -> Floats:
    """The theta, term by term, of a variance equal to the residual variance."""
    parts = [term.structure.theta_unit(_units(about, term)) for term in model.terms]
    return np.concatenate(parts) if parts else np.empty(0)


def is_moved(about: Coordinates, term: Term) -> bool:
    """Whether psi has a term's covariance at the centre of its covariates.

    It has where the priors are there. Else a far origin makes a ridge between intercept and
    slope; near it the users' own coordinates serve better, since their priors have no singular
    points there.
    """
    if term.at_centre or term.centred.is_identity:
        return term.at_centre
    units = _units(about, term)
    reach = np.abs(term.centred.U - np.eye(len(units))) * units
    return bool(np.any(reach > FAR * units[:, None]))


def _units(about: Coordinates, term: Term) -> Floats:
    """The unit of each of a term's coefficients about the centre, shape (k,)."""
    return np.diag(about.blocks[term.block])[list(term.columns)]


def covariances_from_lambdas(
    about: Coordinates, lambdas: tuple[Floats, ...], sigma: Floats
) -> tuple[Floats, ...]:
    """The users' covariances, sigma² C Lambda Lambda' C' of every block."""
    roots = [C @ f for C, f in zip(about.blocks, lambdas, strict=False)]
    return tuple((sigma**2)[:, None, None] * f @ f.swapaxes(1, 2) for f in roots)


def lambdas_from_covariances(about: Coordinates, variances: Variances) -> tuple[Floats, ...]:
    """A relative factor of every block: any root of the covariance will do, singular ones too."""
    out = []
    for C, cov in zip(about.blocks, variances.covariances, strict=True):
        inner = np.linalg.solve(C, np.linalg.solve(C, cov).swapaxes(1, 2))
        out.append(_relative_root(inner, variances.sigma))
    return tuple(out) if variances.delta is None else (*out, variances.delta[:, None, :])


def _relative_root(covariance: Floats, sigma: Floats) -> Floats:
    """A root of each covariance (S, k, k), singular or not, over sigma."""
    scale = np.sqrt(np.clip(np.einsum("sii->si", covariance), 0.0, None))
    safe = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(covariance / (safe[:, :, None] * safe[:, None, :]))
    root = vectors * np.sqrt(np.clip(values, 0.0, None))[:, None, :]
    return np.asarray(scale[:, :, None] * root / sigma[:, None, None])


@dataclass(frozen=True, slots=True)
class PsiPoint:
    """Everything that psi, shape (S, d), says of the random effects.

    Attributes
    ----------
    factors : tuple of ndarray, each of shape (S, k, k)
        A root of every block's covariance (absolute, not relative).
    inner : tuple of ndarray, each of shape (S, k, k)
        The same in the room's coordinates.
    sd : tuple of ndarray
        For each term the standard deviations of its coefficients, shape (S, k): at the centre
        of its covariates where its priors are there.
    correlation : tuple of ndarray
        For each term its correlation matrix at the same place, shape (S, k, k).
    values : tuple of ndarray
        For each term the natural values of its pattern's numbers, shape (S, d).
    log_jacobian : ndarray, shape (S,)
        log |d(free sds, correlations, values) / d psi|, summed over the terms.
    """

    factors: tuple[Floats, ...]
    inner: tuple[Floats, ...]
    sd: tuple[Floats, ...]
    correlation: tuple[Floats, ...]
    values: tuple[Floats, ...]
    log_jacobian: Floats


def read_psi(model: Model, about: Coordinates, psi: Floats) -> PsiPoint:
    """Covariances at psi; of a term that `is_moved`, taken at its covariates' centre.

    For such a term psi parametrises `U Sigma U'`, U the unit-triangular map to the centre.
    |d Sigma'/d Sigma| = 1, and d Sigma = 2^k prod s_i^k ds dR, so that the Jacobian to the
    users' sds and correlations gains prod (s'_i / s_i)^k where the priors are on those.
    """
    factors, inner = _empty_blocks(model, psi.shape[0]), _empty_blocks(model, psi.shape[0])
    sds: list[Floats] = []
    correlations: list[Floats] = []
    values: list[Floats] = []
    log_jacobian = np.zeros(psi.shape[0])
    for term, where in zip(model.terms, theta_slices(model), strict=True):
        k = len(term.columns)
        scales = term.structure.scales(psi[:, where], k)
        root, sd = scales.cholesky, scales.sd
        log_jacobian += scales.log_jacobian
        moved = is_moved(about, term)
        inner_root = root if moved else centring(term) @ root
        users = term.centred.T @ root if moved else root
        if moved and not term.at_centre:
            root, sd = users, np.sqrt(np.sum(users**2, axis=2))
            log_jacobian += k * np.sum(np.log(scales.sd) - np.log(sd), axis=1)
        _place(factors[term.block], term.columns, users)
        _place(inner[term.block], term.columns, inner_root / _units(about, term)[:, None])
        sds.append(sd)
        values.append(np.empty((len(psi), 0)) if scales.values is None else scales.values)
        unit = root / np.where(sd > 0, sd, 1.0)[:, :, None]
        correlations.append(unit @ unit.swapaxes(1, 2))
    found = tuple(factors), tuple(inner), tuple(sds), tuple(correlations), tuple(values)
    return PsiPoint(*found, log_jacobian)


def own_covariances(model: Model, read: PsiPoint) -> tuple[Floats, ...]:
    """Of every block the covariance of the effects that its priors are on, (S, k, k)."""
    out = _empty_blocks(model, len(read.log_jacobian))
    for term, sd, correlation in zip(model.terms, read.sd, read.correlation, strict=True):
        _place(out[term.block], term.columns, sd[:, :, None] * correlation * sd[:, None, :])
    return tuple(out)


def roots_from_own(
    model: Model, about: Coordinates, own: tuple[Floats, ...], sigma: Floats
) -> tuple[Floats, ...]:
    """Relative factors in the room's coordinates of covariances as `own_covariances` gives them:
    no digit is lost to a far origin."""
    inner = _empty_blocks(model, len(sigma))
    for term in model.terms:
        columns = list(term.columns)
        found = own[term.block][np.ix_(range(len(sigma)), columns, columns)]
        if not term.at_centre:
            found = centring(term) @ found @ centring(term).T
        units = _units(about, term)
        _place(inner[term.block], term.columns, found / (units[:, None] * units))
    return tuple(_relative_root(one, sigma) for one in inner)


def psi_of_scale(model: Model, about: Coordinates, scale: float) -> Floats:
    """The psi, shape (d,), of uncorrelated effects, each of which moves its rows by `scale`, root
    mean square; of a term that `is_moved`, at its covariates' centre."""
    parts = [
        term.structure.psi(np.diag((scale * _units(about, term)) ** 2)) for term in model.terms
    ]
    return np.concatenate(parts) if parts else np.empty(0)


def psi_of(
    model: Model,
    about: Coordinates,
    covariances: tuple[Floats, ...],
    values: Sequence[Floats | None] = (),
    own: Sequence[Floats | None] = (),
) -> Floats:
    """The psi, shape (S, d), of S covariances of every block, each of shape (S, k, k).

    `values` are the numbers of a block's patterns, shape (S, numbers), where it has some; `own`
    the covariances as `own_covariances` gives them, where they are known.
    """
    out = []
    taken = [0] * len(covariances)
    for term in model.terms:
        columns = np.array(term.columns)
        cov = covariances[term.block][:, columns[:, None], columns[None, :]]
        pars = values[term.block] if values else None
        if isinstance(term.structure, Patterned) and pars is not None:
            first, count = taken[term.block], len(term.structure.parameters)
            taken[term.block] += count
            sd = np.sqrt(np.einsum("sii->si", cov))
            out.append(term.structure.psi_of(sd, pars[:, first : first + count]))
            continue
        known = own[term.block] if own and term.at_centre else None
        if known is not None:
            cov = known[:, columns[:, None], columns[None, :]]
        elif is_moved(about, term):
            shift = centring(term)
            cov = shift @ cov @ shift.T
        out.append(np.array([term.structure.psi(one) for one in cov]))
    size = len(covariances[0]) if covariances else 0
    return np.concatenate(out, axis=1) if out else np.empty((size, 0))


def _empty_blocks(model: Model, size: int) -> list[Floats]:
    return [np.zeros((size, b.n_coefs, b.n_coefs)) for b in model.design.blocks]


def _place(block: Floats, columns: tuple[int, ...], values: Floats) -> None:
    block[:, np.array(columns)[:, None], np.array(columns)[None, :]] = values

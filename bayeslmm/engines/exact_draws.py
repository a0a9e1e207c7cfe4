"""From draws of the variance parameters to the tree's groups: exact draws of (beta, u), or of
beta with the moments of u where draws of u would not fit the memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.fit.covariances import sds_and_correlations
from bayeslmm.fit.tree import Draws, effects_dataset, posterior_dataset
from bayeslmm.gaussian.effects import drawn_effects, effect_moments
from bayeslmm.gaussian.target import Target
from bayeslmm.gaussian.variances import own_covariances
from bayeslmm.graph import with_free_values
from bayeslmm.model.names import group_names

Floats = NDArray[np.float64]
GIB = 2.0**30
LEAST, MOST = 100, 1000  # draws over which conditional variances are averaged
WORK = 4.0  # seconds of one core for them, by count


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What goes into the tree.

    Attributes
    ----------
    groups : dict of str to Dataset
        ``posterior``, and ``effects`` where u has moments only.
    order : ndarray of intp, shape (S,)
        Which psi each draw was made at: draws stand in random order.
    notes : tuple of str
    """

    groups: dict[str, xr.Dataset]
    order: NDArray[np.intp]
    notes: tuple[str, ...]


def collect(
    density: Target,
    psi: Floats,
    rng: np.random.Generator,
    shape: tuple[int, int],
    memory: float,
    *,
    shuffle: bool = True,
) -> Gathered:
    """Draw what fits.

    Parameters
    ----------
    density : Target
    psi : ndarray, shape (S, d)
        Draws of the variance parameters, equal ones beside each other.
    rng : Generator
    shape : tuple of int
        (chains, draws), S in all.
    memory : float
        GiB that draws of u may take.
    shuffle : bool
        Whether to put the draws into random order.
    """
    order = rng.permutation(len(psi)) if shuffle else np.arange(len(psi))
    needed = 8.0 * len(psi) * density.equations.moments.q / GIB
    if needed <= memory:
        parts = list(drawn_effects(density, psi, rng))
        u = tuple(np.concatenate([e.u[b] for e in parts]) for b in range(len(parts[0].u)))
        beta = np.concatenate([e.beta for e in parts])
        posterior = _posterior(density, psi, beta, u, order, shape)
        return Gathered({"posterior": posterior}, order, ())
    count = min(len(psi), int(np.clip(WORK / (40 * density.seconds), LEAST, MOST)))
    chosen = psi[np.linspace(0, len(psi) - 1, count).astype(int)]
    found = effect_moments(density, psi, chosen, rng)
    posterior = _posterior(density, psi, found.draws, (), order, shape)
    columns = density.equations.moments.columns
    effects = effects_dataset(density.model, columns, found)
    note = (
        f"{len(psi)} draws of {density.equations.moments.q} random effects would need "
        f"{needed:.1f} GiB, more than memory={memory:g}. The fit keeps their means and "
        f"covariances, with conditional variances averaged over {len(chosen)} draws of the "
        f"variance parameters (relative Monte Carlo error {found.error:.1g}). "
        "fit.draw_ranef() draws the effects of chosen levels; functions of PyMC and ArviZ that "
        f"need all draws require a fit with memory={np.ceil(needed):g}."
    )
    return Gathered({"posterior": posterior, "effects": effects}, order, (note,))


def _posterior(
    density: Target,
    psi: Floats,
    beta: Floats,
    u: tuple[Floats, ...],
    order: NDArray[np.intp],
    shape: tuple[int, int],
) -> xr.Dataset:
    """Draws in their order, (chain, draw) leading, with the variances in users' terms and in those
    of the priors."""

    def put(values: Floats) -> Floats:
        return values[order].reshape(*shape, *values.shape[1:])

    model = density.model
    read, sigma2 = density.read(psi)
    scales = [
        sds_and_correlations(f @ f.swapaxes(1, 2), g)
        for f, g in zip(read.factors, group_names(model), strict=True)
    ]
    pars = [[np.empty((len(psi), 0))] for _ in model.design.blocks]
    for term, values in zip(model.terms, read.values, strict=True):
        pars[term.block].append(values)
    sigma, residual_par = np.sqrt(sigma2), None
    delta = density.delta(psi)
    if delta is not None and model.residual is not None:
        ratios, residual_par, _ = model.residual.natural(delta)
        sigma = sigma if model.strata is None else sigma[:, None] * ratios
    draws = Draws(
        columns=density.equations.moments.columns,
        beta=put(beta),
        u=tuple(put(x) for x in u),
        sd=tuple(put(sd) for sd, _ in scales),
        cor=tuple(put(cor) for _, cor in scales),
        sigma=None if model.sigma_known else put(sigma),
        par=tuple(put(np.concatenate(p, axis=1)) for p in pars),
        residual_par=None if residual_par is None else put(residual_par),
    )
    own = []
    for covariance, g in zip(own_covariances(model, read), group_names(model), strict=True):
        sd, cor = sds_and_correlations(covariance, g)
        own.append((put(sd), put(np.nan_to_num(cor))))
    return with_free_values(model, posterior_dataset(model, draws), own)

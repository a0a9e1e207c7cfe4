"""Draws of random effects for chosen levels: the kept ones, or fresh ones given the kept draws
of beta and the variances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.errors import FitError, LevelError, MethodError, check_seed, nearest
from bayeslmm.fit.tree import SAMPLE
from bayeslmm.fit.variances import variances_of
from bayeslmm.gaussian.effects import effects_given_beta, slices
from bayeslmm.gaussian.equations import Equations, equations, system_of
from bayeslmm.gaussian.variances import Variances
from bayeslmm.model import Model
from bayeslmm.model.names import group_names

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


def draw_ranef(
    model: Model,
    tree: xr.DataTree,
    group: str,
    levels: Sequence[object] | None = None,
    seed: int | None = None,
) -> xr.DataArray:
    """Posterior draws of a factor's effects, dims (chain, draw, level, coef).

    Kept draws are returned as they are. Where only moments were kept, u is drawn from its exact
    distribution given the kept draws of beta and the variances.

    Raises
    ------
    FitError
        A fit without draws.
    MethodError
        An unknown factor.
    LevelError
        An unknown level.
    """
    check_seed(seed)
    if "posterior" not in tree:
        raise FitError(
            "This fit has no draws of random effects",
            hint="Use method='exact' or 'nuts', or fit.ranef() for estimates",
        )
    names = {g.group: (i, g) for i, g in enumerate(group_names(model))}
    if group not in names:
        raise MethodError(f"Unknown factor {group!r}", hint=nearest(str(group), list(names)))
    index, g = names[group]
    codes = np.arange(len(g.levels)) if levels is None else _codes(model, index, levels)
    drawn = ranef_draws(model, tree, {index: codes}, np.random.default_rng(seed))[index]
    posterior = tree["posterior"].dataset
    coords = {
        "chain": posterior["chain"].values,
        "draw": posterior["draw"].values,
        g.label: np.asarray(g.levels)[codes],
        g.coef_dim: list(g.coefs),
    }
    return xr.DataArray(drawn, coords, (*SAMPLE, g.label, g.coef_dim), name=g.u)


def ranef_draws(
    model: Model, tree: xr.DataTree, wanted: Mapping[int, Codes], rng: np.random.Generator
) -> dict[int, Floats]:
    """Draws of u, shape (C, D, levels, k), for the levels that are wanted of each block."""
    posterior = tree["posterior"].dataset
    names = group_names(model)
    if all(g.u in posterior for g in names):
        return {
            i: posterior[names[i].u].transpose(*SAMPLE, ...).values[:, :, codes]
            for i, codes in wanted.items()
        }
    columns = tuple(model.design.coefs.index(c) for c in posterior["coef"].values)
    system = equations(model, columns)
    taken: dict[int, Codes] = dict(wanted)
    alone = model.residual is None and not model.kin
    if len(names) == 1 and taken and alone:  # given beta, the levels of one factor are independent
        system, taken = _restricted(system, taken[0]), {0: np.arange(len(taken[0]))}
    beta = posterior["beta"].values
    at = variances_of(model, posterior)
    flat = beta.reshape(-1, beta.shape[-1])
    parts: dict[int, list[Floats]] = {i: [] for i in taken}
    for part in slices(len(flat), 4 * system.moments.q + 100):
        delta = None if at.delta is None else at.delta[part]
        here = Variances(tuple(c[part] for c in at.covariances), at.sigma[part], delta)
        u = effects_given_beta(system, here, flat[part], rng)
        for i, codes in taken.items():
            parts[i].append(u[i][:, codes])
    shape = beta.shape[:2]
    out = {i: np.concatenate(p) for i, p in parts.items()}
    return {i: x.reshape(*shape, *x.shape[1:]) for i, x in out.items()}


def _restricted(system: Equations, codes: Codes) -> Equations:
    m = system.moments
    return system_of(replace(m, zz=(m.zz[0][codes],), zf=(m.zf[0][codes],)))


def _codes(model: Model, index: int, levels: Sequence[object]) -> Codes:
    """Codes of levels given by value, or by their text."""
    block = model.design.blocks[index]
    known = {str(level): code for code, level in enumerate(block.levels)}
    for level in levels:
        if str(level) not in known:
            raise LevelError(
                f"{block.group!r} has no level {level!r}", hint=nearest(str(level), list(known))
            )
    return np.array([known[str(level)] for level in levels], dtype=np.intp)

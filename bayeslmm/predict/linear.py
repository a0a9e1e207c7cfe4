"""Draws of linear predictors by row, with the effects of known levels or new draws of effects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.design import RandomBlock, Rows
from bayeslmm.fit.covariances import covariance_of
from bayeslmm.fit.predictors import Part
from bayeslmm.fit.tree import SAMPLE
from bayeslmm.model.effects import EFFECTS
from bayeslmm.model.names import GroupNames, effect_parameters, group_names
from bayeslmm.predict.kriging import Beyond, beyond, draws_beyond, numbers_of
from bayeslmm.predict.random import ranef_draws
from bayeslmm.predict.simulate import lower_roots

Floats = NDArray[np.float64]
Blocks = Sequence[RandomBlock | None]


def linear_draws(
    part: Part,
    tree: xr.DataTree,
    rows: Rows,
    blocks: Blocks,
    new_levels: str,
    rng: np.random.Generator,
) -> Floats:
    """Draws of one linear predictor, shape (chain, draw, row).

    Parameters
    ----------
    part : Part
    tree : DataTree
        That of the fit; if draws of u weren't kept, it has the moments they are drawn from.
    rows : Rows
    blocks : sequence of RandomBlock or None
        The rows' block of each of the part's factors, None for one left out.
    new_levels : {"error", "draw", "zero"}
    rng : Generator
    """
    model, shape = part.model, (part.draws.sizes["chain"], part.draws.sizes["draw"])
    total = np.broadcast_to(rows.offset, (*shape, len(rows.offset))).copy()
    if part.beta is not None:
        columns = [model.design.coefs.index(c) for c in part.coefs]
        total += part.beta.transpose(*SAMPLE, ...).values @ rows.X[:, columns].T
    wanted, places = {}, {}
    for index, block in enumerate(blocks):
        if block is not None:
            wanted[index], places[index] = np.unique(
                block.codes[block.codes >= 0], return_inverse=True
            )
    drawn = _kept(part, wanted) or ranef_draws(model, tree, wanted, rng)
    for index, (g, block) in enumerate(zip(group_names(model), blocks, strict=True)):
        if block is None:
            continue
        seen, u = block.codes >= 0, drawn[index]
        total[..., seen] += np.einsum("cdnk,nk->cdn", u[:, :, places[index]], block.values[seen])
        if new_levels == "draw" and not seen.all():
            fresh = _fresh(part, tree, g, block.codes[~seen], rng)
            total[..., ~seen] += np.einsum("cdnk,nk->cdn", fresh, block.values[~seen])
        if block.further:
            at = numbers_of(g, part.draws, _given(tree))
            for one in beyond(model, index, g, block, *at):
                own = u[:, :, np.searchsorted(wanted[index], one.level)][..., one.columns]
                total[..., one.rows] += _at_new(one, own, new_levels, rng)
    return np.asarray(total)


def _at_new(one: Beyond, u: Floats, new_levels: str, rng: np.random.Generator) -> Floats:
    """Draws of a level's effects at its new places, shape (C, D, rows), given its kept ones, u."""
    shape = u.shape[:2]
    if one.level >= 0:
        return draws_beyond(one, u.reshape(-1, u.shape[-1]), rng).reshape(*shape, -1)
    z = rng.standard_normal((*shape, len(one.rows)))
    spread = np.broadcast_to(one.sd, (shape[0] * shape[1],)).reshape(*shape, 1)
    return z * spread if new_levels == "draw" else np.zeros_like(z)


def _given(tree: xr.DataTree) -> xr.Dataset:
    return tree["estimate"].dataset if "estimate" in tree else xr.Dataset()


def _kept(part: Part, wanted: dict[int, NDArray[np.intp]]) -> dict[int, Floats]:
    """Draws of u that the tree has, by block; none where any is missing."""
    names = group_names(part.model)
    if not all(g.u in part.draws for g in names):
        return {}
    return {
        i: part.draws[names[i].u].transpose(*SAMPLE, names[i].label, ...).values[:, :, codes]
        for i, codes in wanted.items()
    }


def _fresh(
    part: Part, tree: xr.DataTree, g: GroupNames, codes: NDArray[np.intp], rng: np.random.Generator
) -> Floats:
    """Effects of levels from the population, shape (C, D, rows, k), one for each row."""
    shape = (part.draws.sizes["chain"], part.draws.sizes["draw"])
    root = lower_roots(_group_covariance(part.draws, tree, g, shape))
    kind = part.model.random.get(g.group, "normal")
    if kind == "normal":
        z = rng.standard_normal((*shape, len(codes), len(g.coefs)))
        return np.einsum("cdab,cdnb->cdna", root, z)
    values = {
        name.removesuffix(f"_{g.label}"): part.draws[name].transpose(*SAMPLE, ...).values
        for name in effect_parameters(part.model, g)
    }
    draw, count = EFFECTS[kind].draw, len(codes)
    every = [
        draw(rng, root[place], {n: v[place] for n, v in values.items()}, count)
        for place in np.ndindex(*shape)
    ]
    return np.array(every).reshape(*shape, count, len(g.coefs))


def _group_covariance(
    drawn: xr.Dataset, tree: xr.DataTree, g: GroupNames, shape: tuple[int, ...]
) -> Floats:
    """Covariance of a level's effects at every draw; the given one where it doesn't vary."""
    source = drawn if g.sd in drawn else tree["estimate"].dataset
    sd = np.broadcast_to(source[g.sd].values, (*shape, len(g.sds)))
    if not g.pairs:
        return covariance_of(sd, np.empty((*shape, 0)), g)
    source = drawn if g.cor in drawn else tree["estimate"].dataset
    return covariance_of(sd, np.broadcast_to(source[g.cor].values, (*shape, len(g.pairs))), g)

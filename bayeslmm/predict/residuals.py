"""New observations under structured residuals: standard deviations, and best linear prediction
from the observed residuals of the group (Goldberger, 1962, JASA 57(298))."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.covariance import Places
from bayeslmm.design import RandomBlock, Rows
from bayeslmm.design.levels import codes_of, unseen
from bayeslmm.errors import LevelError, MethodError
from bayeslmm.fit.tree import SAMPLE
from bayeslmm.fit.variances import delta_of
from bayeslmm.gaussian.noise import noise_of
from bayeslmm.linalg.batched import cholesky, solve_lower, solve_upper
from bayeslmm.model import Model
from bayeslmm.model.residual import Correlated, Residual, columns_of_residual

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
CHUNK = 2_000_000  # numbers of a batch of matrices


@dataclass(frozen=True, slots=True, eq=False)
class NewResiduals:
    """New rows in terms of the residual structure.

    Attributes
    ----------
    residual : Residual
    base : ndarray, shape (n,)
        1/sqrt(weight), or the known sd.
    strata : ndarray of intp, shape (n,), or None
    functions : tuple of ndarray, each of shape (n,)
    group : ndarray of intp, shape (n,)
        That of the training rows, -1 for another.
    place : ndarray of intp, shape (n,)
        Index among the training places, -1 for a new one.
    at : ndarray, shape (n, d)
    """

    residual: Residual
    base: Floats
    strata: Ints | None
    functions: tuple[Floats, ...]
    group: Ints
    place: Ints
    at: Floats

    def scales(self, delta: Floats) -> Floats:
        """Standard deviations over sigma's at S points, shape (S, n)."""
        ratios, values, _ = self.residual.natural(delta)
        out = np.broadcast_to(self.base, (len(ratios), len(self.base)))
        if self.strata is not None:
            out = out * ratios[:, self.strata]
        for i, base in enumerate(self.functions):
            out = out * np.exp(values[:, i, None] * base)
        return np.asarray(out)


@dataclass(frozen=True, slots=True, eq=False)
class Conditional:
    """Best linear prediction of some new residuals from some observed ones, at S points.

    Attributes
    ----------
    new, observed : ndarray of intp, shapes (m,) and (k,)
    weights : ndarray, shape (S, m, k)
        Of the observed residuals in the new ones' means.
    left : ndarray, shape (S, m)
        Proportion of the new residuals' variance that is unexplained.
    """

    new: Ints
    observed: Ints
    weights: Floats
    left: Floats


def new_residuals(model: Model, new: Any, base: Floats) -> NewResiduals:
    """The residual structure's view of new rows.

    Raises
    ------
    LevelError
        A stratum that the model has no standard deviation for.
    MethodError
        A known matrix: it does not extend to new rows.
    """
    residual = model.residual
    assert residual is not None
    if residual.known is not None:
        raise MethodError(
            "New observations are not available with a residual covariance given as a matrix",
            hint="Use kind='mean', or bl.blp with the covariance of old and new rows",
        )
    n = len(base)
    columns = model.design.further(new, *columns_of_residual(model.spec.residual))
    strata = None
    if residual.strata is not None:
        found = columns[residual.strata.name]
        strata = codes_of(found, residual.strata.levels)
        if (strata < 0).any():
            hint = "The residual standard deviation is estimated only for the levels in the data"
            raise unseen(residual.strata.name, found, strata, hint, residual.strata.levels)
    functions = []
    for f in residual.functions:
        x = columns[f.name].floats
        functions.append(x if f.kind == "varexp" else np.log(np.abs(x)))
    group = place = np.full(n, -1, dtype=np.intp)
    at = np.zeros((n, 1))
    c = residual.correlated
    if c is not None:
        group = np.zeros(n, dtype=np.intp)
        if c.learnt_group is not None:
            group = c.learnt_group.codes(columns, new_levels="code")
        place, at = c.learnt.found(columns) if c.learnt is not None else _counted(c, group)
        outside = (place < 0) & (group >= 0) & ~c.pattern.covers(c.places, at)
        if outside.any():
            raise LevelError(
                f"The correlations of {c.term} are not determined at the occasion of new row "
                f"{columns.index[int(outside.argmax())]}",
                hint="us, cs, fa and ante are defined at the occasions of the data only, toep at "
                "their lags; use kind='mean', which needs no residual",
            )
    return NewResiduals(residual, base, strata, tuple(functions), group, place, at)


def _counted(c: Correlated, group: Ints) -> tuple[Ints, Floats]:
    """Where rows are counted, new rows of a group follow its last one."""
    seen = np.bincount(c.group, minlength=int(group.max(initial=0)) + 1)
    at = np.empty(len(group))
    later: dict[int, int] = {}
    for i, g in enumerate(group.tolist()):
        at[i] = (seen[g] if g >= 0 else 0) + later.get(g, 0)
        later[g] = later.get(g, 0) + 1
    known = np.where(at < len(c.places), at, -1).astype(np.intp)
    return known, at[:, None]


def conditionals(model: Model, rows: NewResiduals, delta: Floats) -> Iterator[Conditional]:
    """For every group with new rows, their prediction from its observed residuals.

    Parameters
    ----------
    model : Model
    rows : NewResiduals
    delta : ndarray, shape (S, d)
    """
    residual, noise = model.residual, noise_of(model)
    assert residual is not None and noise is not None
    c = residual.correlated
    if c is None:
        return
    ratios, values, _ = residual.natural(delta)
    own = values[:, len(residual.functions) :]
    observed_scales = np.stack([noise.scales(r, v) for r, v in zip(ratios, values, strict=True)])
    new_scales = rows.scales(delta)
    whole = c.pattern.matrix(own, c.places) if c.pattern.whole else None
    group = c.group[noise.rows]
    for g in np.unique(rows.group[rows.group >= 0]):
        new, old = np.flatnonzero(rows.group == g), np.flatnonzero(group == g)
        if not len(old):
            continue
        place = np.concatenate([c.place[noise.rows[old]], rows.place[new]])
        at = np.concatenate([c.places.at[c.place[noise.rows[old]]], rows.at[new]])
        weights = np.empty((len(delta), len(new), len(old)))
        left = np.empty((len(delta), len(new)))
        step = max(1, CHUNK // len(place) ** 2)
        for a in range(0, len(delta), step):
            part = slice(a, a + step)
            if whole is not None:
                matrix = whole[part][:, place[:, None], place]
            else:
                matrix = c.pattern.matrix(own[part], Places((), at))
            weights[part], left[part] = _given(matrix, len(old))
        weights *= new_scales[:, new, None] / observed_scales[:, None, old]
        yield Conditional(new, noise.rows[old], weights, left)


def _given(matrix: Floats, k: int) -> tuple[Floats, Floats]:
    """`C_no C_oo⁻¹`, and `1 - C_no C_oo⁻¹ C_on` of each, of correlations whose first k are old."""
    root = cholesky(matrix[:, :k, :k])
    half = solve_lower(root, matrix[:, :k, k:])
    left = np.clip(1.0 - np.sum(half**2, axis=1), 0.0, None)
    return solve_upper(root, half).swapaxes(1, 2), left


def residual_points(model: Model, tree: xr.DataTree, size: int) -> tuple[Floats, Floats]:
    """sigma (the first stratum's), shape (S,), and the structure's coordinates, (S, d), at every
    draw; of variances that were given, the same at all."""
    drawn = tree["posterior"].dataset
    needed = ["sigma"] if model.has_sigma else ["beta"]
    source = drawn if all(name in drawn for name in needed) else tree["estimate"].dataset
    lead = [d for d in SAMPLE if d in source.dims] if source is drawn else []
    count = size if lead else 1
    sigma = np.ones((count, 1))
    if model.has_sigma:
        sigma = source["sigma"].transpose(*lead, ...).values.reshape(count, -1)
    delta = delta_of(model, source, sigma, count)
    assert delta is not None
    return (
        np.broadcast_to(sigma[:, 0], (size,)),
        np.broadcast_to(delta, (size, delta.shape[1])).copy(),
    )


def taken(rows: Rows, which: Ints) -> Rows:
    """Some of the rows."""
    blocks = tuple(replace(b, codes=b.codes[which], values=b.values[which]) for b in rows.blocks)
    return replace(
        rows,
        X=rows.X[which],
        blocks=blocks,
        offset=rows.offset[which],
        extras={key: value[which] for key, value in rows.extras.items()},
        index=rows.index[which],
    )


def joined(a: Rows, b: Rows) -> Rows:
    """The rows of one and of the other, without their extras."""
    by_group = {block.group: block for block in b.blocks}
    return Rows(
        X=np.concatenate([a.X, b.X]),
        blocks=tuple(_joined_block(block, by_group[block.group]) for block in a.blocks),
        offset=np.concatenate([a.offset, b.offset]),
        index=np.concatenate([np.asarray(a.index, object), np.asarray(b.index, object)]),
    )


def _joined_block(a: RandomBlock, b: RandomBlock) -> RandomBlock:
    return replace(
        a, codes=np.concatenate([a.codes, b.codes]), values=np.concatenate([a.values, b.values])
    )

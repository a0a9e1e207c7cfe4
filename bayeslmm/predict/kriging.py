"""Effects at places that are not in the data, from the effects at places that are.

With C the correlations of a pattern, o the training places and n the new ones, the new effects are
``u_n = C_no C_oo^-1 u_o + d``, with d independent of all effects and of the data, and
``Var(d) = sd^2 (C_nn - C_no C_oo^-1 C_on)``: best linear prediction (Goldberger, 1962, JASA
57(298)), kriging where the pattern is one of distances.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.covariance import Patterned, Places
from bayeslmm.design import RandomBlock
from bayeslmm.errors import LevelError, MethodError
from bayeslmm.fit.tree import SAMPLE
from bayeslmm.linalg.batched import cholesky, solve_lower, solve_upper
from bayeslmm.model import Model, Term
from bayeslmm.model.names import GroupNames

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
CHUNK = 2_000_000  # numbers of a batch of matrices
ROUNDING = 1e-12  # of a variance


@dataclass(frozen=True, slots=True, eq=False)
class Beyond:
    """Rows of one level whose place for one term is new.

    Attributes
    ----------
    columns : list of int
        The term's columns of the block.
    level : int
        -1 for a new level: every row is then a separate new level.
    rows : ndarray of intp, shape (m,)
    place : ndarray of intp, shape (m,)
        Which of the distinct new places each row has.
    weights : ndarray, shape (S, places, k)
        Weights of the level's effects in the new ones.
    left : ndarray, shape (S, places, places)
        Unexplained covariance of the new effects.
    sd : ndarray, shape (S,)
    """

    columns: list[int]
    level: int
    rows: Ints
    place: Ints
    weights: Floats
    left: Floats
    sd: Floats


def beyond(
    model: Model, index: int, g: GroupNames, block: RandomBlock, sd: Floats, par: Floats
) -> Iterator[Beyond]:
    """Prediction of each level's effects at its new places, term by term.

    Parameters
    ----------
    model : Model
    index : int
        Of the factor.
    g : GroupNames
    block : RandomBlock
        The block of the new rows.
    sd, par : ndarray, shapes (S, sds) and (S, numbers)
        The factor's standard deviations and its patterns' numbers.

    Raises
    ------
    LevelError
        A place whose variance or correlations are not known.
    MethodError
        Effects that are not normal.
    """
    if not block.further:
        return
    if model.random.get(g.group, "normal") != "normal":
        raise MethodError(
            f"Effects of {g.group!r} at new places are not available: they are not normal",
            hint="Use random effects with a normal distribution (leave random= out)",
        )
    terms = [term for term in model.terms if term.block == index]
    starts = np.cumsum([0, *(len(term.structure.parameters) for term in terms)])
    for further in block.further:
        term = terms[further.part]
        own = par[:, starts[further.part] : starts[further.part + 1]]
        _require_known(term, further.at, further.labels)
        own_sd = sd[:, g.sd_of[term.columns[0]]]
        for level in np.unique(block.codes[further.rows]):
            chosen = block.codes[further.rows] == level
            at, place = np.unique(further.at[chosen], axis=0, return_inverse=True)
            weights, left = _conditional(term, own, at)
            yield Beyond(
                list(term.columns), int(level), further.rows[chosen], place.reshape(-1),
                weights, own_sd[:, None, None] ** 2 * left, own_sd,
            )  # fmt: skip


def _require_known(term: Term, at: Floats, labels: tuple[str, ...]) -> None:
    structure = term.structure
    assert isinstance(structure, Patterned)
    known = structure.pattern.covers(structure.places, at)
    if structure.homogeneous and known.all():
        return
    row = int((~known).argmax())
    why = "its correlations are" if structure.homogeneous else "its standard deviation is"
    raise LevelError(
        f"The effects of {term.group!r} at the place {labels[row]} can't be predicted: {why} not "
        "determined there",
        hint="Use a pattern with hom=True whose correlations are a function of "
        "distance or lag: ar1, car1, arma, exp, gau, matern",
    )


def _conditional(term: Term, values: Floats, at: Floats) -> tuple[Floats, Floats]:
    """Weights, (S, m, k), and what is left of the correlations, (S, m, m), in batches."""
    structure = term.structure
    assert isinstance(structure, Patterned)
    k, m = len(structure.places), len(at)
    everywhere = Places((), np.concatenate([structure.places.at, at]))
    weights, left = np.empty((len(values), m, k)), np.empty((len(values), m, m))
    step = max(1, CHUNK // (k + m) ** 2)
    for a in range(0, len(values), step):
        part = slice(a, a + step)
        matrix = structure.pattern.matrix(values[part], everywhere)
        root = cholesky(matrix[:, :k, :k])
        half = solve_lower(root, matrix[:, :k, k:])
        weights[part] = solve_upper(root, half).swapaxes(1, 2)
        left[part] = matrix[:, k:, k:] - half.swapaxes(1, 2) @ half
    return weights, left


def numbers_of(g: GroupNames, draws: xr.Dataset, other: xr.Dataset) -> tuple[Floats, Floats]:
    """A factor's sds and patterns' numbers, (S, sds) and (S, numbers): draws, or what was given."""
    out = []
    for name in (g.sd, g.par):
        source = draws if name in draws else other
        lead = [d for d in SAMPLE if d in source[name].dims]
        values = source[name].transpose(*lead, ...).values.astype(np.float64)
        out.append(values.reshape(-1, values.shape[-1]))
    size = max(map(len, out))
    return tuple(np.broadcast_to(x, (size, x.shape[1])) for x in out)  # type: ignore[return-value]


def at_estimates(
    model: Model, index: int, g: GroupNames, block: RandomBlock, e: xr.Dataset, new_levels: str
) -> tuple[RandomBlock, Floats]:
    """The block with the weights of training places in rows of new ones, and the unexplained
    variance of each row, shape (n,)."""
    values, left = block.values.copy(), np.zeros(len(block.codes))
    if block.further:
        for one in beyond(model, index, g, block, *numbers_of(g, e, e)):
            values[np.ix_(one.rows, one.columns)] = one.weights[0][one.place]
            if one.level >= 0 or new_levels == "draw":
                left[one.rows] += np.diag(one.left[0]).clip(0.0)[one.place]
    return replace(block, values=values, further=()), left


def draws_beyond(one: Beyond, u: Floats, rng: np.random.Generator) -> Floats:
    """Effects at new places, shape (S, m), given those at training places, (S, k)."""
    mean = np.einsum("smk,sk->sm", one.weights, u)
    scale = ROUNDING * one.sd[:, None] ** 2 * np.ones(one.left.shape[1])
    root = cholesky(one.left + np.einsum("si,ij->sij", scale, np.eye(one.left.shape[1])))
    rest = np.einsum("sij,sj->si", np.nan_to_num(root), rng.standard_normal(mean.shape))
    return np.asarray((mean + rest)[:, one.place])

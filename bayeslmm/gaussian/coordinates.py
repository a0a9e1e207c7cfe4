"""The coordinates that the closed-form room works in, whatever units the columns have.

    x~ = T'x,  y~ = y - offset - x'shift,  z~ = C'z,
    beta = T beta~ + shift,  u = C u~,  Lambda = C Lambda~

T makes the fixed columns nearly orthonormal (a Gram-Schmidt of the rows, repeated until the
products say so); C takes the covariates of a correlated term to their centre and every
covariate to a weighted sum of squares of n. So no digit is lost to a far origin or an odd
unit, and Lambda~ = I means: as much variance as the residual's. What leaves the room is in the
users' coordinates again; log|T| enters the densities where beta is integrated out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayeslmm.linalg.components import components
from bayeslmm.linalg.products import weighted_squares
from bayeslmm.linalg.wide import MANY, fixed_table
from bayeslmm.model import Model, Term

Floats = NDArray[np.float64]
PASSES = 5
DEAD = 1e-13  # what is left of a column that is a combination of earlier ones


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """Maps between the users' coordinates and the room's.

    Attributes
    ----------
    T : ndarray, shape (p, p)
        Upper triangular.
    shift : ndarray, shape (p,)
    blocks : tuple of ndarray, each of shape (k, k)
        C of every block of the design.
    """

    T: Floats
    shift: Floats
    blocks: tuple[Floats, ...]

    @property
    def log_det(self) -> float:
        """log|T|."""
        return float(np.log(np.abs(np.diag(self.T))).sum())

    def beta(self, inner: Floats) -> Floats:
        """Users' beta from the room's, shape (..., p)."""
        return inner @ self.T.T + self.shift

    def lambdas(self, outer: tuple[Floats, ...]) -> tuple[Floats, ...]:
        """The room's Lambda from the users', shapes (..., k, k)."""
        return tuple(np.linalg.solve(C, f) for C, f in zip(self.blocks, outer, strict=True))


def coordinates(model: Model, columns: NDArray[np.intp]) -> Coordinates:
    """Coordinates from a model's own rows.

    Parameters
    ----------
    model : Model
    columns : ndarray of intp, shape (p,)
        The fixed columns that are taken.
    """
    T, shift = _fixed_coordinates(model, columns)
    return Coordinates(
        T, shift, tuple(block_map(model, b) for b in range(len(model.design.blocks)))
    )


def block_map(model: Model, index: int) -> Floats:
    """C of one block: `covariate_scales` over the centring of each correlated term."""
    size = model.design.blocks[index].n_coefs
    out = np.zeros((size, size))
    for term in model.terms:
        if term.block == index:
            inner = term.centred.T / covariate_scales(model, term)
            out[np.ix_(term.columns, term.columns)] = inner
    return out


def centring(term: Term) -> Floats:
    """U of the term's effects at the centre of their covariates, `U u`."""
    return term.centred.U


def covariate_scales(model: Model, term: Term) -> Floats:
    """Root of the mean weighted square of a term's covariates about their centre, shape (k,)."""
    values = np.ascontiguousarray(model.design.blocks[term.block].values[:, list(term.columns)])
    squares = weighted_squares(values, term.centred.T, model.precision_weights)
    return np.where(squares > 0, np.sqrt(squares / model.n), 1.0)


def _fixed_coordinates(model: Model, columns: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """T and shift by Gram-Schmidt, a pass over the rows at a time until the products agree."""
    p = len(columns)
    T, shift = np.eye(p), np.zeros(p)
    dead = _dead_directions(model, columns, T)
    rows = fixed_rows(model, columns)
    for passes in range(PASSES):
        gram = fixed_table(*rows, T, shift)
        size, pull = np.sqrt(np.diag(gram)[:p]), gram[:p, p]
        if passes == 0:
            raw = size
        live = (size > DEAD * np.abs(np.diag(T)) * raw) & ~dead
        scale = np.where(live, size, 1.0)
        unit = np.where(np.outer(live, live), gram[:p, :p] / np.outer(scale, scale), np.eye(p))
        orthogonal = np.abs(unit - np.eye(p)).max(initial=0.0) < 0.1
        if passes and orthogonal and np.all(pull**2 <= 1e-4 * gram[p, p] * scale**2):
            break
        step = _by_blocks(unit) / scale[:, None]
        T = T @ step
        shift = shift + T @ np.where(live, step.T @ pull, 0.0)
    return T, shift


def _dead_directions(model: Model, columns: NDArray[np.intp], T: Floats) -> NDArray[np.bool_]:
    """Which columns are aliased; theirs of T become the combinations that are zero in every row.

    What rounding leaves of such a column is no direction of its own: only the priors bear on it.
    """
    names = [model.design.coefs[c] for c in columns]
    place = {name: i for i, name in enumerate(names)}
    dead = np.zeros(len(columns), dtype=bool)
    for name, combination in model.aliasing.aliased.items():
        if name in place and combination.keys() <= place.keys():
            dead[place[name]] = True
            for other, value in combination.items():
                T[place[other], place[name]] = -value
    return dead


def _by_blocks(gram: Floats) -> Floats:
    """`_orthogonaliser`, of many columns block by block."""
    if len(gram) < MANY:
        return _orthogonaliser(gram)
    out = np.eye(len(gram))
    for _, own in components(gram):
        out[np.ix_(own, own)] = _orthogonaliser(gram[np.ix_(own, own)])
    return out


def _orthogonaliser(gram: Floats) -> Floats:
    """Upper triangular R with `R' gram R` near the identity, `gram` of unit diagonal.

    A column of which rounding leaves little keeps its length: the next pass measures it.
    """
    out = np.zeros_like(gram)
    for c in range(len(gram)):
        parts = out[:, :c].T @ gram[:, c]
        out[c, c] = 1.0
        out[:, c] -= out[:, :c] @ parts
        left = 1.0 - parts @ parts
        if left > 1e-10:
            out[:, c] /= np.sqrt(left)
    return out


def fixed_rows(model: Model, columns: NDArray[np.intp]) -> tuple[Floats, Floats, Floats, Floats]:
    """X, y, offset and weights of a model as the kernels take them."""
    design = model.design
    X = np.ascontiguousarray(design.X[:, columns])
    return X, design.y, design.rows.offset, model.precision_weights

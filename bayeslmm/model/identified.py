"""Identifiability of variance parameters: the rank of the derivatives of V and K'VK.

Parameters are locally identified where dV/d theta_j are linearly independent (Rothenberg, 1971,
Econometrica 39, 577-591), under REML where the same holds of K'VK, K'X = 0: there the information
tr(P V_i P V_j) / 2 is not singular. Independent on some rows, they are so on all, so that a few
rows, chosen by counts, acquit nearly every design; dependence is claimed from all rows only, and
only if it holds at several values of the parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bayeslmm.linalg.few_rows import few, sample, within
from bayeslmm.model.dispersion import Dispersion, Effects
from bayeslmm.model.spans import Span, affordable
from bayeslmm.model.types import Finding

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
SINGULAR = 1e-6
POINTS = 3
EXACT = 64  # rows up to which whole matrices are compared; else their products with PROBES
PROBES = 6
MOST = 2e8  # numbers that the products may take in all
SQUARE = 3_000  # rows, or places of residuals, of which there may be a matrix


def unidentified(V: Dispersion, X: Floats, used: Ints, *, restricted: bool) -> tuple[int, ...]:
    """The parts of V whose parameters are not identified, from V or (`restricted`) from K'VK.

    Parameters
    ----------
    V : Dispersion
    X : ndarray, shape (n, p)
    used : ndarray of intp
        Rows that are in the likelihood.
    restricted : bool
    """
    n = len(used)
    if not any(len(part.start) for part in V.parts):
        return ()
    for levels, each in ((9, 6), (18, 12)):
        if n <= EXACT:
            break
        rows = used[_few(V, used, levels, each, scored=levels > 9)]
        found = _dependent(V, X, rows, restricted=restricted, points=1)
        if found == ():
            return ()
    if not _possible(V, n):
        return ()
    return _dependent(V, X, used, restricted=restricted, points=POINTS) or ()


def _few(V: Dispersion, used: Ints, levels: int, each: int, *, scored: bool) -> Ints:
    """Some of the rows that are used, as `few` has them; `scored` to read the covariates too."""
    codes: list[Ints] = []
    scores: list[Floats | None] = []
    for all_codes, effects in V.classifications():
        own = all_codes if len(used) == V.n else all_codes[used]
        codes.append(own)
        covariates = effects.values(used) if scored and effects is not None else None
        scores.append(None if covariates is None else within(own, covariates))
    return few(codes, scores, levels, each) if codes else sample(len(used), levels * each)


def _possible(V: Dispersion, n: int) -> bool:
    numbers = sum(len(part.start) for part in V.parts)
    residual = getattr(V.parts[-1], "residual", None)
    if residual is not None and residual.known is not None and n > SQUARE:
        return False
    if residual is not None and residual.correlated is not None:
        places, groups = len(residual.correlated.places), residual.correlated.group.max() + 1
        if places > SQUARE or groups * places * PROBES > MOST / 4:
            return False
    return n * PROBES * numbers <= MOST


def _dependent(
    V: Dispersion, X: Floats, rows: Ints, *, restricted: bool, points: int
) -> tuple[int, ...] | None:
    """Parts in a dependence that shows at every point; none, or None where that is too dear."""
    here = X[rows]
    if restricted and not affordable(here):
        return None
    rng = np.random.default_rng(20_231)
    size = len(rows)
    probes = np.eye(size) if size <= EXACT else rng.standard_normal((size, PROBES))
    span = Span(here) if restricted else None
    probes = probes if span is None else span.outside(probes)
    involved: set[int] = set()
    for _ in range(points):
        at = [part.start + part.units * rng.normal(0.0, 0.4, len(part.start)) for part in V.parts]
        slopes, owner = V.slopes(at, rows, probes)
        if span is not None:
            slopes = np.stack([span.outside(s) for s in slopes]) if len(slopes) else slopes
        found = _null(slopes.reshape(len(slopes), -1), owner)
        if not found:
            return ()
        involved |= found
    return tuple(sorted(involved))


def _null(table: Floats, owner: Sequence[int]) -> set[int]:
    """Owners of the rows that a vanishing combination of rows of (d, N) involves."""
    if not len(table):
        return set()
    norms = np.linalg.norm(table, axis=1)
    largest = norms.max()
    vanish = norms <= SINGULAR * largest if largest > 0 else np.ones(len(norms), dtype=bool)
    out = {owner[int(i)] for i in np.flatnonzero(vanish)}
    kept = np.flatnonzero(~vanish)
    if len(kept) < 2:
        return out
    unit = (table[kept] / norms[kept, None]).T
    if len(unit) < len(kept):
        unit = np.vstack([unit, np.zeros((len(kept) - len(unit), len(kept)))])
    _, s, vh = np.linalg.svd(np.linalg.qr(unit, mode="r"))
    u = vh.T
    weights = np.abs(u[:, s < SINGULAR * s[0]])
    if weights.shape[1]:
        size = np.sqrt((weights**2).sum(axis=1))
        out |= {owner[int(kept[i])] for i in np.flatnonzero(size > 1e-3)}
    return out


def say(
    V: Dispersion, which: tuple[int, ...], fatal: frozenset[str], where: str, instead: str = ""
) -> Finding:
    """The finding on parts that are not identified apart.

    Parameters
    ----------
    V : Dispersion
    which : tuple of int
        The parts.
    fatal : frozenset of str
        Methods that can't be used.
    where : str
        By what methods, or why.
    instead : str
        What to write instead.
    """
    parts = [V.parts[i] for i in which]
    names = [part.name for part in parts]
    groups = tuple(part.block.group if isinstance(part, Effects) else "Residual" for part in parts)
    if len(names) == 1:
        what = f"The parameters of {names[0]} are not all identified by the data"
        usual = "Use a structure with fewer parameters."
    else:
        what = f"{', '.join(names[:-1])} and {names[-1]} are not separately identified"
        usual = "Leave out one of them, or give known_sd=."
    text = (
        f"{what}{where}: different values give the same covariance, so that only proper priors "
        f"determine them. {instead or usual}"
    )
    return Finding(text, fatal, tuple(dict.fromkeys(groups)))

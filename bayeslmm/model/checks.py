"""What a design shows before any fit: variances that its data can't identify."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import STRUCTURES, Precision
from bayeslmm.design import Centred, Design, Part, RandomBlock
from bayeslmm.design.normal import Columns
from bayeslmm.linalg.compiled import one_blas_thread
from bayeslmm.linalg.few_rows import sample
from bayeslmm.model.centring import at_centre
from bayeslmm.model.dispersion import Dispersion, Effects, Errors, dispersion
from bayeslmm.model.identified import say, unidentified
from bayeslmm.model.residual import Residual
from bayeslmm.model.saturated import as_residuals
from bayeslmm.model.scales import STRETCH, Extent
from bayeslmm.model.types import Finding
from bayeslmm.model.unbounded import unbounded

LIKELIHOOD = frozenset({"ml", "reml", "anova"})
RESTRICTED = frozenset({"reml", "anova"})
Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def find(
    design: Design,
    extents: Sequence[Extent],
    kin: Mapping[str, Precision],
    residual: Residual | None,
    text: str | None,
    *,
    gaussian: bool,
    sigma_known: bool,
) -> tuple[Finding, ...]:
    """All findings on the dispersion of a design.

    Parameters
    ----------
    extents : sequence of Extent
        Of the fixed columns, then of each block's.
    text : str, optional
        As in ``residual=``.
    gaussian : bool
        Whether the response is Gaussian about a linear predictor, so that V is its covariance.
    sigma_known : bool
    """

    centred = at_centre(design, extents[0], extents[1:])

    @cache
    def basis() -> Floats:
        return _orthonormal(centred.X)

    out: list[Finding] = []
    for i, (block, extent) in enumerate(zip(design.blocks, extents[1:], strict=True)):
        out += _levels(block, design.n, sigma_known or gaussian)
        out += _constant_slopes(block, extent)
        out += _inside_fixed(design, i, extent, basis)
    out += _same_partition(design, kin)
    if gaussian:
        with one_blas_thread():
            out += _of_dispersion(centred, kin, residual, text or "", sigma_known, out)
    return tuple(out)


def _of_dispersion(
    design: Design,
    kin: Mapping[str, Precision],
    residual: Residual | None,
    text: str,
    sigma_known: bool,
    found: Sequence[Finding],
) -> list[Finding]:
    """Findings about V as a whole, in addition to `found`, those about single terms."""
    weights = design.extras.get("weights")
    used = np.arange(design.n) if weights is None else np.flatnonzero(weights > 0)
    if not len(used):
        return []
    out = [] if sigma_known else unbounded(design, residual, used, text)
    V = dispersion(design, kin, residual, text, estimated=not sigma_known)
    stopped = frozenset().union(*(f.fatal for f in found))
    return [*out, *_not_told(V, design, used, stopped)]


def _not_told(V: Dispersion, design: Design, used: Ints, stopped: frozenset[str]) -> list[Finding]:
    """Findings about parameters that are not identified, for methods not yet excluded."""
    if "reml" in stopped or (design.n <= design.p and not design.blocks):
        return []
    which = unidentified(V, design.X, used, restricted=True)
    if not which:
        return []
    at_all = () if "ml" in stopped else unidentified(V, design.X, used, restricted=False)
    if at_all:
        return [say(V, at_all, LIKELIHOOD, _where(V, at_all, design.n), _instead(V, at_all))]
    return [say(V, which, RESTRICTED, " after removal of the fixed effects (REML)")]


def _instead(V: Dispersion, which: Sequence[int]) -> str:
    """What to write instead of a term with one row per effect."""
    if any(isinstance(part, Errors) and part.text for part in V.parts):
        return ""
    for part in (V.parts[i] for i in which):
        if isinstance(part, Effects) and part.kin is None:
            found = as_residuals(part.block, part.part)
            if found is not None:
                return f'Leave out the term and write residual="{found}".'
    return ""


def _where(V: Dispersion, which: Sequence[int], n: int) -> str:
    """The reason, where it is that there are as many effects as rows; empty otherwise."""
    parts = [part for part in (V.parts[i] for i in which) if isinstance(part, Effects)]
    for part in parts:
        effects = part.block.n_levels * len(part.part.columns)
        if part.block.n_levels == n:
            return f": there is one row per level of {part.block.group!r}"
        if effects >= n:
            return f": there are {effects} effects for {n} rows"
    return ""


def _levels(block: RandomBlock, n: int, told_apart: bool) -> list[Finding]:
    """`told_apart`: whether the residuals' part is looked at elsewhere, or there is none."""
    patterned = any(part.structure not in STRUCTURES for part in block.parts)
    out = []
    for part in block.parts:
        k = len(part.columns)
        names = ", ".join(block.coefs[c] for c in part.columns)
        if part.structure in STRUCTURES and not told_apart and block.n_levels * k >= n:
            what = "one row per level" if block.n_levels == n else f"{block.n_levels * k} effects"
            text = (
                f"Term ({names} | {block.group}) has {what} for {n} rows: its variance and the "
                "residual variance are not separately identified, and only proper priors determine "
                "them. Give known_sd=, or leave out a coefficient."
            )
            out.append(Finding(text, LIKELIHOOD, (block.group,)))
        elif part.structure == "us" and not patterned and block.n_levels < k * (k + 1) // 2:
            out.append(_few_levels(block, names, k))
    return out


def _few_levels(block: RandomBlock, names: str, k: int) -> Finding:
    J, parameters = block.n_levels, k * (k + 1) // 2
    singular = k > J
    text = (
        f"Term ({names} | {block.group}) has {parameters} variance parameters for {J} "
        f"level{'s' if J > 1 else ''}: "
        + (
            f"with fewer levels than effects, the ML or REML estimate of the covariance of {k} "
            "effects is singular. "
            if singular
            else "their estimates are imprecise and may be singular. "
        )
        + f"Use fewer coefficients, uncorrelated effects (|| {block.group}), or informative priors."
    )
    return Finding(text, groups=(block.group,))


def _constant_slopes(block: RandomBlock, extent: Extent) -> list[Finding]:
    """Slopes of a covariate that never changes within a level, beside an intercept."""
    if "Intercept" not in block.coefs:
        return []
    out = []
    for c, coef in enumerate(block.coefs):
        if coef == "Intercept" or "[" in coef:
            continue
        tolerance = 1e-12 * extent.size[c]
        varies = extent.high[c] > extent.low[c]
        if varies and _constant_within(block, block.values[:, c], tolerance):
            text = (
                f"Covariate {coef!r} is constant within every level of {block.group!r}, so "
                "that its random slope only makes the variance between levels depend on it. If "
                "this is not intended, leave out the slope."
            )
            out.append(Finding(text))
    return out


def _constant_within(block: RandomBlock, column: Floats, tolerance: float) -> bool:
    last = np.empty(block.n_levels)
    last[block.codes] = column
    n = len(column)
    for start in range(0, n, STRETCH):  # one that varies mostly does so at once
        rows = slice(start, start + STRETCH)
        if np.any(np.abs(column[rows] - last[block.codes[rows]]) > tolerance):
            return False
    return True


def _inside_fixed(
    design: Design, index: int, extent: Extent, basis: Callable[[], Floats]
) -> list[Finding]:
    """Variances all of whose columns of Z lie in the column space of X.

    A free or a diagonal covariance has a variance for each coefficient, any other structure one
    for all of them.
    """
    block, p = design.blocks[index], design.p
    if p == 0:
        return []
    out = []
    for part, centred in zip(block.parts, design.centred_parts[index], strict=True):
        possible = [
            not _reaches_beyond(block, block.values[:, c], extent.size[c], p) for c in part.columns
        ]
        if not any(possible):
            continue
        within = _within(block, part, centred, design.columns, basis)
        inside = [
            block.coefs[c]
            for c, may, is_in in zip(part.columns, possible, within, strict=True)
            if may and is_in
        ]
        if part.structure in ("us", "diag"):
            out += [_said_inside(block, repr(coef)) for coef in inside]
        elif len(inside) == len(part.columns):
            out.append(_said_inside(block, ", ".join(map(repr, inside))))
    return out


def _within(
    block: RandomBlock,
    part: Part,
    centred: Centred,
    columns: Columns,
    basis: Callable[[], Floats],
) -> list[bool]:
    """Whether Z's columns of each coefficient lie in the space of the fixed columns.

    A column is a sum of centred ones. Those that are inside are left out of it, as beside them
    the others would not be seen.
    """
    values = block.values[:, list(part.columns)]
    alone = centred.values(values, columns)
    inside = [_is_inside(block, column, basis) for column in alone.T]
    out = []
    for j, alone_inside in enumerate(inside):
        beside = [(k, value) for k, to, value in centred.lower if to == j and not inside[k]]
        left = alone[:, j] + sum(value * alone[:, k] for k, value in beside)
        out.append(_is_inside(block, left, basis) if beside else alone_inside)
    return out


def _is_inside(block: RandomBlock, column: Floats, basis: Callable[[], Floats]) -> bool:
    size = float(np.abs(column).max(initial=0.0))
    column = column / size if size > 0 else column  # so that no unit under- or overflows
    total = float(column @ column)
    sums = [np.bincount(block.codes, q * column, block.n_levels) for q in basis().T]
    inside = sum(float(np.sum(s**2)) for s in sums)
    return total > 0 and total - inside < 1e-9 * total


def _said_inside(block: RandomBlock, coefs: str) -> Finding:
    if block.n_levels == 1:
        text = (
            f"Factor {block.group!r} has one level ({block.levels[0]}), and its random {coefs} "
            "lies in the span of the fixed effects: its variance is not identified, and "
            "only a proper prior determines it. Leave out the term."
        )
        return Finding(text, LIKELIHOOD, (block.group,))
    text = (
        f"The random {coefs} by {block.group!r} lies in the span of the fixed effects: its "
        "variance is not identified by REML, and ML estimates it as zero. Leave it out of the "
        "fixed or the random part."
    )
    return Finding(text, RESTRICTED, (block.group,))


def _reaches_beyond(block: RandomBlock, column: Floats, size: float, p: int) -> bool:
    """Whether Z's columns of a coefficient are plainly more than p fixed columns can span.

    They are orthogonal, so that a space of p dimensions holds no more of their squares than the
    p levels with the largest sums have; what the other levels have, in these or in fewer rows,
    is outside. If False, they may be so still.
    """
    if block.n_levels <= p:
        return False
    n, inner = len(column), block.n_levels - p
    for rows in (sample(n, STRETCH), slice(None)):
        # relative to the largest, so that no unit makes the squares over- or underflow
        squares = (column[rows] / size) ** 2 if size > 0 else column[rows]
        sums = np.bincount(block.codes[rows], squares, block.n_levels)
        if np.partition(sums, inner)[:inner].sum() > 1e-6 * n:
            return True
    return False


def _orthonormal(X: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(X, axis=0)
    u, s, _ = np.linalg.svd(X / np.where(norms > 0, norms, 1.0), full_matrices=False)
    return np.asarray(u[:, s > 1e-7 * s[0]])


def _same_partition(design: Design, kin: Mapping[str, Precision]) -> list[Finding]:
    """Two factors of unrelated levels that cut the rows into the same groups and share a
    coefficient with a variance of its own."""
    out = []
    plain = [b for b in design.blocks if b.group not in kin]
    for i, a in enumerate(plain):
        for b in plain[i + 1 :]:
            own = _with_own_variance(b)
            shared = [c for c in _with_own_variance(a) if c in own]
            if shared and a.n_levels == b.n_levels and _determines(a, b):
                text = (
                    f"Factors {a.group!r} and {b.group!r} divide the rows into the same groups: "
                    f"only the sum of their variances of {', '.join(shared)} is identified. "
                    "Leave out one of them."
                )
                out.append(Finding(text, LIKELIHOOD, (a.group, b.group)))
    return out


def _with_own_variance(block: RandomBlock) -> list[str]:
    own = [part for part in block.parts if part.structure in ("us", "diag")]
    return [block.coefs[c] for part in own for c in part.columns]


def _determines(a: RandomBlock, b: RandomBlock) -> bool:
    """Whether the rows of each level of `a` have one level of `b`."""
    partner = np.empty(a.n_levels, dtype=np.intp)
    partner[a.codes] = b.codes
    return bool(np.array_equal(partner[a.codes], b.codes))

"""What can be seen in a design before any fit: variances that the data can't tell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bayeslmm.design import Design, RandomBlock
from bayeslmm.model.types import Finding

LIKELIHOOD = frozenset({"ml", "reml"})


def find(design: Design, *, sigma_known: bool) -> tuple[Finding, ...]:
    """All findings on the random part of a design."""
    out: list[Finding] = []
    for block in design.blocks:
        out += _levels(block, design.n, sigma_known)
        out += _constant_slopes(block)
        out += _inside_fixed(block, design)
    return (*out, *_same_partition(design))


def _levels(block: RandomBlock, n: int, sigma_known: bool) -> list[Finding]:
    if block.n_levels == 1:
        text = (
            f"Factor {block.group!r} has one level ({block.levels[0]}): the variance between "
            "levels can't be told from the fixed effects, and only a proper prior makes up for it. "
            "Leave the term out, or give the level as a fixed effect."
        )
        return [Finding(text, LIKELIHOOD, (block.group,))]
    out = []
    for part in block.parts:
        k = len(part.columns)
        if not sigma_known and block.n_levels * k >= n:
            names = ", ".join(block.coefs[c] for c in part.columns)
            what = "one row per level" if block.n_levels == n else f"{block.n_levels * k} effects"
            text = (
                f"Term ({names} | {block.group}) has {what} for {n} rows: its variance and the "
                "residual variance are not identified apart, and only proper priors tell them. "
                "Give known_sd, or drop a coefficient."
            )
            out.append(Finding(text, LIKELIHOOD, (block.group,)))
    return out


def _constant_slopes(block: RandomBlock) -> list[Finding]:
    """Slopes of a covariate that never changes within a level, beside an intercept."""
    if "Intercept" not in block.coefs:
        return []
    out = []
    for c, coef in enumerate(block.coefs):
        if coef == "Intercept" or "[" in coef:
            continue
        column = block.values[:, c]
        if np.ptp(column) > 0 and _constant_within(block.codes, column, block.n_levels):
            text = (
                f"Covariate {coef!r} is constant within every level of {block.group!r}: its random "
                "slope only makes the variance between levels depend on it. If that is not meant, "
                "leave the slope out."
            )
            out.append(Finding(text))
    return out


def _constant_within(codes: NDArray[np.intp], column: NDArray[np.float64], n_levels: int) -> bool:
    low = np.full(n_levels, np.inf)
    high = np.full(n_levels, -np.inf)
    np.minimum.at(low, codes, column)
    np.maximum.at(high, codes, column)
    return bool(np.all(high - low <= 1e-12 * np.abs(column).max()))


def _inside_fixed(block: RandomBlock, design: Design) -> list[Finding]:
    """Coefficients whose columns of Z all lie in the column space of X."""
    if design.p == 0:
        return []
    basis = _orthonormal(design.X)
    out = []
    for c, coef in enumerate(block.coefs):
        column = block.values[:, c]
        total = float(column @ column)
        sums = np.stack([np.bincount(block.codes, q * column, block.n_levels) for q in basis.T])
        if block.n_levels > 1 and total > 0 and total - float(np.sum(sums**2)) < 1e-9 * total:
            text = (
                f"The random {coef!r} by {block.group!r} lies inside the fixed effects: REML can't "
                "tell its variance (ML puts it at zero). Leave it out of one of the two parts."
            )
            out.append(Finding(text, frozenset({"reml"}), (block.group,)))
    return out


def _orthonormal(X: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(X, axis=0)
    u, s, _ = np.linalg.svd(X / np.where(norms > 0, norms, 1.0), full_matrices=False)
    return np.asarray(u[:, s > 1e-7 * s[0]])


def _same_partition(design: Design) -> list[Finding]:
    """Two factors that cut the rows into the same groups and share a coefficient."""
    out = []
    for i, a in enumerate(design.blocks):
        for b in design.blocks[i + 1 :]:
            shared = [c for c in a.coefs if c in b.coefs]
            pairs = len(np.unique(a.codes * b.n_levels + b.codes))
            if shared and pairs == a.n_levels == b.n_levels:
                text = (
                    f"Factors {a.group!r} and {b.group!r} cut the rows into the same groups: the "
                    f"variances of {', '.join(shared)} are only known as a sum. Keep one of them."
                )
                out.append(Finding(text, LIKELIHOOD, (a.group, b.group)))
    return out

"""Likelihoods without a maximum, by rank, before any fit.

The likelihood is unbounded where the covariance may come near a singular V0 whose column space
holds y - X b for some b, and the restricted likelihood where the error contrasts K'y and K'V0 K
are so: where moreover [X V0] doesn't span all rows. A V0 is looked for among those that a
structure has on its boundary: strata without variance, and occasions of which a combination has
none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayeslmm.design import Design
from bayeslmm.model.occasions import Occasions, occasions_of, vanishing
from bayeslmm.model.residual import Residual
from bayeslmm.model.spans import FIRST, Span, affordable, indicators, inside
from bayeslmm.model.types import Finding

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
WHOLE = 400  # rows of a stratum up to which effects' columns are all written out
TO_DO = (
    "Use fewer fixed or random effects or a structure with fewer parameters, or fit the model by "
    "'exact' or 'nuts' under proper priors that keep standard deviations away from 0."
)
LIKELIHOOD = frozenset({"ml"})
BOTH = frozenset({"ml", "reml", "anova"})


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What is fitted, each row in units of its known part of the standard deviation.

    Attributes
    ----------
    all_y : ndarray, shape (n,)
        Less the offset.
    all_X : ndarray, shape (n, p)
    Z : tuple of (codes, values)
        Levels and covariates of each grouping factor.
    rows : ndarray of intp
        Those that are looked at.
    """

    all_y: Floats
    all_X: Floats
    Z: tuple[tuple[Ints, Floats], ...]
    rows: Ints

    @property
    def y(self) -> Floats:
        if len(self.rows) == len(self.all_y):
            return self.all_y
        return np.asarray(self.all_y[self.rows])

    @property
    def p(self) -> int:
        return self.all_X.shape[1]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, which: Ints) -> Data:
        return replace(self, rows=self.rows[which])

    def X(self, which: Ints | slice = slice(None)) -> Floats:
        return np.asarray(self.all_X[self.rows[which]])

    def effects(self, which: Ints | slice = slice(None)) -> Floats:
        """The columns of Z that aren't zero in some of the rows, dense."""
        rows = self.rows[which]
        return np.hstack([indicators(codes[rows], values[rows]) for codes, values in self.Z])


def data_of(design: Design, used: Ints) -> Data:
    """The rows of a design that are in the likelihood."""
    y, X = design.y - design.offset, design.X
    blocks = tuple((b.codes, b.values) for b in design.blocks)
    if "weights" in design.extras:
        root = np.sqrt(design.extras["weights"])
        y, X = root * y, root[:, None] * X
        blocks = tuple((codes, root[:, None] * values) for codes, values in blocks)
    return Data(y, X, blocks, used)


def unbounded(design: Design, residual: Residual | None, used: Ints, text: str) -> list[Finding]:
    """Every way found in which the likelihood grows without bound; `text` is ``residual=``."""
    data = data_of(design, used)
    if residual is None or residual.known is not None:
        return list(_without_residual(data))
    found = list(_strata(data, residual, used)) if residual.strata is not None else []
    if not found and residual.correlated is not None:
        found = list(_correlated(data, occasions_of(residual, used), text))
    if not found and residual.strata is None and not residual.mixes and residual.functions:
        found = list(_one_function(data, residual.functions[0].base[used], text))
    return found


def _without_residual(data: Data) -> Iterator[Finding]:
    how = _exact(data)
    if (
        how is not None and how.free
    ):  # with as many columns as rows n is too small, which another finding reports
        text = (
            f"{_who(how)} the response exactly and leave no residuals: the likelihood is "
            "unbounded as sigma goes to 0. Leave out the term that determines the response."
        )
        yield Finding(text, BOTH, ("Residual",), unbounded=True)


def _strata(data: Data, residual: Residual, used: Ints) -> Iterator[Finding]:
    """Strata whose residuals can all be zero; one finding for all strata of one kind."""
    strata = residual.strata
    assert strata is not None
    codes = strata.codes[used]
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(codes, minlength=len(strata.labels)))[:-1])
    found: dict[_Exact, list[str]] = {}
    for label, rows in zip(strata.labels, parts, strict=True):
        how = _exact(data.take(rows)) if len(rows) else None
        if how is not None:
            found.setdefault(how, []).append(label)
    for how, labels in found.items():
        where = f"{strata.name} {_list(labels)}"
        text = (
            f"{_who(how)} the rows of {where} exactly: their residual standard deviation can "
            "go to 0, where the likelihood is unbounded. "
        )
        yield Finding(text + TO_DO, BOTH if how.free else LIKELIHOOD, ("Residual",), unbounded=True)


def _correlated(data: Data, occasions: Occasions, text: str) -> Iterator[Finding]:
    for direction in vanishing(data.y, data.X(), occasions):
        where = f"{text} is not identified: at {_list(list(direction.labels))}"
        said = (
            f"{where} one linear combination of the residuals of the fixed effects is 0 in each of "
            f"the {direction.groups} groups with these occasions, so that their covariance can "
            "become singular, where the likelihood is unbounded. "
        )
        yield Finding(
            said + TO_DO, BOTH if direction.free else LIKELIHOOD, ("Residual",), unbounded=True
        )
        return
    if not occasions.equal or np.bincount(occasions.group).max() < 2:
        return
    n = len(data)
    level = (occasions.group, np.ones((n, 1)))
    how = _exact(Data(data.y, data.X(), (level,), np.arange(n)))
    if how is not None:
        said = (
            f"{text} is not identified: the residuals of the fixed effects are equal within each "
            "group, so that the correlation can go to 1, where the likelihood is unbounded. "
        )
        yield Finding(said + TO_DO, BOTH if how.free else LIKELIHOOD, ("Residual",), unbounded=True)


def _one_function(data: Data, base: Floats, text: str) -> Iterator[Finding]:
    """sd = sigma exp(delta base): rows below (above) the mean of base lose their variance as
    delta grows (falls) and those at the next value keep theirs, and sum(base - that) < 0."""
    mean = float(base.mean())
    for rows in (np.flatnonzero(base <= mean), np.flatnonzero(base >= mean)):
        how = _exact(data.take(rows)) if len(rows) < len(base) else None
        if how is not None:
            said = (
                f"{_who(how)} {len(rows)} of the {len(base)} rows exactly, those at one end "
                f"of {text}: their variance can go to 0, where the likelihood is unbounded. "
            )
            yield Finding(
                said + TO_DO, BOTH if how.free else LIKELIHOOD, ("Residual",), unbounded=True
            )
            return


@dataclass(frozen=True, slots=True)
class _Exact:
    """How rows are fitted exactly: whether by random effects too; whether with degrees of freedom
    left."""

    random: bool
    free: bool


def _exact(data: Data) -> _Exact | None:
    """How the residuals of some rows can vanish while V becomes singular; None where they can't."""
    if inside(data.y, data.X, data.p):
        return _Exact(False, not _spans(data.X()))
    if not data.Z or len(data) > WHOLE:
        return None  # for many rows, a fit without residuals raises an error at its end
    if any(len(np.unique(codes[data.rows])) == len(data) for codes, _ in data.Z):
        return None

    def beside(which: Ints | slice = slice(None)) -> Floats:
        return np.hstack([data.X(which), data.effects(which)])

    if inside(data.y, beside, FIRST + 1) and not _spans(data.effects()):
        return _Exact(True, not _spans(beside()))
    return None


def _spans(columns: Floats) -> bool:
    """Whether columns span all rows."""
    n, p = columns.shape
    return n <= p and affordable(columns) and Span(columns).rank == n


def _who(how: _Exact) -> str:
    return "The fixed and random effects fit" if how.random else "The fixed effects fit"


def _list(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"

"""The contents of a model file as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bayeslmm.errors import GalleryError, nearest


@dataclass(frozen=True, slots=True)
class Column:
    """The type of a column of the data.

    Attributes
    ----------
    kind : {"category", "number"}
        The kind of column; levels of a category are text, even if they look like numbers.
    levels : tuple of str or None
        All levels in their order; None: those that occur, sorted.
    ordered : bool
        Whether the order means something (polynomial contrasts in a fixed effect).
    """

    kind: str
    levels: tuple[str, ...] | None = None
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """A reference number: `estimate` and, where known, its standard error (posterior: its sd).

    `mcse` and `mcse_std_error` are the Monte Carlo standard errors of the two, in a reference
    that was sampled.
    """

    estimate: float
    std_error: float | None = None
    mcse: float | None = None
    mcse_std_error: float | None = None


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Tolerances for comparisons with a reference.

    Attributes
    ----------
    loglik : float
        Absolute.
    fixef : float
        Estimates in units of their standard error; standard errors relative to themselves.
    sd : float
        Standard deviations (sigma too), in units of sigma.
    cor : float
        Correlations, absolute.
    mcse : float
        Posteriors: Monte Carlo standard errors, those of both sides together.
    """

    loglik: float = 1e-4
    fixef: float = 1e-3
    sd: float = 1e-3
    cor: float = 1e-3
    mcse: float = 4.0


@dataclass(frozen=True, slots=True)
class Printed:
    """A cell of a published table.

    Attributes
    ----------
    row, column : str
        Its row and column in the table.
    text : str
        The published text, ``"307(3)"``.
    remark : str or None
        Why the printed value differs from the computed one, or another remark.
    """

    row: str
    column: str
    text: str
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """An independent answer to a model, with the names of bayeslmm's tables.

    Attributes
    ----------
    variant : str or None
        The variant that it belongs to; None for the main model.
    method : {"reml", "ml", "posterior"}
        The method. For a posterior, `estimate` is the mean and `std_error` the sd.
    source : str
        The source: package and version, or the method of integration.
    loglik, singular
        Log-likelihood (REML's for ``"reml"``); whether the fit lies on the boundary.
    fixef : dict
        By coefficient.
    sd, cor : dict
        By (group, coefficient), and by (group, coefficient, second coefficient).
    coef : dict
        Coefficients by level, ``beta + u``, by (group, level, coefficient).
    sigma : Value or None
        The residual standard deviation.
    printed : Printed or None
        Its place in a published table.
    """

    method: str
    source: str
    variant: str | None = None
    loglik: float | None = None
    singular: bool | None = None
    fixef: dict[str, Value] = field(default_factory=dict)
    sd: dict[tuple[str, str], Value] = field(default_factory=dict)
    cor: dict[tuple[str, str, str], Value] = field(default_factory=dict)
    coef: dict[tuple[str, str, str], Value] = field(default_factory=dict)
    sigma: Value | None = None
    tolerance: Tolerance = Tolerance()
    printed: Printed | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """Another model of the same data: the keywords that differ from the main model's."""

    name: str
    description: str
    keywords: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Specification:
    """A whole model file, checked; `keywords` are those of the main model."""

    path: Path
    name: str
    title: str
    description: str
    citation: str
    file: Path
    columns: dict[str, Column]
    keywords: dict[str, Any]
    variants: tuple[Variant, ...]
    references: tuple[Reference, ...]

    def keywords_of(self, variant: str | None) -> dict[str, Any]:
        """The main model's keywords, or a variant's: what it gives replaces, the rest stays."""
        if variant is None:
            return dict(self.keywords)
        for each in self.variants:
            if each.name == variant:
                return self.keywords | each.keywords
        raise GalleryError(
            f"{self.name!r} has no variant {variant!r}",
            hint=nearest(variant, [each.name for each in self.variants]),
        )

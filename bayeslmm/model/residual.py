"""What `residual=` says about the rows of a model: R = S C S, standard deviations about a
correlation pattern."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.covariance import Correlation, Free, Parameter, Places
from bayeslmm.design import Columns, Design, learn_group, learn_places
from bayeslmm.design.groups import LearntGroup
from bayeslmm.design.places import LearntPlaces
from bayeslmm.errors import DataError, ModelError, listed
from bayeslmm.formula import ORDERED, POINTS, ResidualTerm, parse_residual
from bayeslmm.memory import check_correlated_rows, check_free_covariance
from bayeslmm.model.strata import (
    VARIANCES,
    Strata,
    VarianceFunction,
    in_order_of,
    strata_of,
    variance_function,
)
from bayeslmm.model.structures import pattern_of

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Correlated:
    """Residuals of a group that correlate by a pattern.

    Attributes
    ----------
    pattern : Correlation
    places : Places
        All that occur.
    place : ndarray of intp, shape (n,)
        That of each row.
    group : ndarray of intp, shape (n,)
    learnt : LearntPlaces or None
        How new rows' places are found; None where rows are counted.
    learnt_group : LearntGroup or None
        How new rows' groups are; None where all rows are one.
    term : ResidualTerm
    """

    pattern: Correlation
    places: Places
    place: Ints
    group: Ints
    learnt: LearntPlaces | None
    learnt_group: LearntGroup | None
    term: ResidualTerm

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.pattern.parameters(self.places)

    @property
    def described(self) -> str:
        """Groups, places, and what a step is, in words."""
        sizes = np.unique(self.group, return_counts=True)[1]
        rows = f"{sizes.min()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
        out = f"{len(sizes)} group{'s' if len(sizes) > 1 else ''} of {rows} rows"
        if self.learnt is None or self.pattern.places != "order" or len(self.places) < 2:
            return out
        return f"{out}, a step is {self.learnt.step}"


@dataclass(frozen=True, eq=False)
class Residual:
    """Standard deviations by stratum and covariate, and a correlation of rows.

    Attributes
    ----------
    strata : Strata or None
    functions : tuple of VarianceFunction
    correlated : Correlated or None
    known : ndarray, shape (n, n), or None
        A given covariance of the rows, up to sigma².
    """

    strata: Strata | None = None
    functions: tuple[VarianceFunction, ...] = ()
    correlated: Correlated | None = None
    known: Floats | None = None

    @property
    def n_strata(self) -> int:
        return 1 if self.strata is None else len(self.strata.labels)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Numbers beside the standard deviations: of variance functions, then of the pattern."""
        own = tuple(f.parameter for f in self.functions)
        return own + (() if self.correlated is None else self.correlated.parameters)

    @property
    def is_free(self) -> bool:
        """Whether its correlations are free, with one prior over their matrix."""
        return self.correlated is not None and isinstance(self.correlated.pattern, Free)

    @property
    def n_single(self) -> int:
        """How many of `parameters`, the first, have a prior each."""
        return len(self.functions) if self.is_free else len(self.parameters)

    @property
    def size(self) -> int:
        """Free coordinates beside sigma: log ratios of strata to the first, then those of
        `parameters`."""
        return self.n_strata - 1 + len(self.parameters)

    @property
    def notes(self) -> tuple[str, ...]:
        """What order of occasions was taken, where that is a choice."""
        learnt = None if self.correlated is None else self.correlated.learnt
        return () if learnt is None else learnt.notes

    @property
    def mixes(self) -> bool:
        """Whether residuals of different rows correlate."""
        return self.correlated is not None or self.known is not None

    @property
    def start(self) -> Floats:
        """Coordinates of equal standard deviations and a pattern's usual start, shape (size,)."""
        parts = [np.zeros(self.n_strata - 1 + len(self.functions))]
        if self.correlated is not None:
            c = self.correlated
            parts.append(c.pattern.free(np.array([p.start for p in c.parameters]), c.places))
        return np.concatenate(parts)

    def require_no_variances(self) -> None:
        """Refuse standard deviations to be estimated, where they are known."""
        if self.strata is not None or self.functions:
            names = [f.kind for f in self.functions] + ([] if self.strata is None else ["strata"])
            raise ModelError(
                "known_sd and residual= both give standard deviations",
                got=", ".join(names),
                hint="Add a correlation only: ar1(time | g) or cs(age | g, hom=True)",
            )

    def require_inside(self, values: Floats) -> None:
        """Refuse values of `parameters`, shape (d,), that no covariance has."""
        inside = all(p.lower < v < p.upper for p, v in zip(self.parameters, values, strict=True))
        c = self.correlated
        if inside and c is not None and c.pattern.joint:
            own = values[None, len(self.functions) :]
            inside = bool(np.all(np.isfinite(c.pattern.root(own, c.places))))
        if not inside:
            names = ", ".join(p.name for p in self.parameters)
            verb = "gives" if len(self.parameters) == 1 else "give"
            raise DataError(
                f"{names} {verb} no valid residual covariance", got=listed(values.tolist())
            )

    def natural(self, delta: Floats) -> tuple[Floats, Floats, Floats]:
        """Ratios of the strata's sds to the first's, (S, m), values of `parameters`, (S, d), and
        log |d values / d delta|, (S,), at coordinates of shape (S, size)."""
        cut = self.n_strata - 1
        ratios = np.concatenate([np.ones((len(delta), 1)), np.exp(delta[:, :cut])], axis=1)
        end = cut + len(self.functions)
        values, log_jacobian = delta[:, cut:end], np.zeros(len(delta))
        if self.correlated is not None:
            c = self.correlated
            more, log_jacobian = c.pattern.constrain(delta[:, end:], c.places)
            values = np.concatenate([values, more], axis=1)
        return ratios, values, log_jacobian

    def delta(self, sds: Floats, values: Floats) -> Floats:
        """The coordinates, (S, size), of the strata's sds, (S, m), and values, (S, d)."""
        parts = [np.log(sds[:, 1:] / sds[:, :1]), values[:, : len(self.functions)]]
        if self.correlated is not None:
            c = self.correlated
            parts.append(c.pattern.free(values[:, len(self.functions) :], c.places))
        return np.concatenate(parts, axis=1)

    def row_scales(self, ratios: Floats, values: Floats) -> Floats:
        """Each row's sd over the first stratum's, at one point, shape (n,) or ()."""
        out: Floats = np.ones(())
        if self.strata is not None:
            out = ratios[self.strata.codes]
        for f, value in zip(self.functions, values, strict=False):
            out = out * np.exp(f.base * value)
        return out


def columns_of_residual(text: str | None) -> tuple[list[str], list[str]]:
    """The columns that `residual=` names, and those of them that group."""
    terms = () if text is None else parse_residual(text)
    factors = [name for term in terms for name in term.factors]
    named = [name for term in terms for name in term.columns]
    return list(dict.fromkeys([*named, *factors])), list(dict.fromkeys(factors))


def occasions_of_residual(text: str | None) -> list[str]:
    """The columns of `residual=` whose order or distances count."""
    terms = () if text is None else parse_residual(text)
    return [name for t in terms if t.structure in ORDERED + POINTS for name in t.columns]


def resolve_residual(text: str | None, known: Any, design: Design) -> Residual | None:
    """The residuals' structure for the rows of a design; None where they are independent with
    one standard deviation.

    Parameters
    ----------
    text : str, optional
        As in ``residual=``.
    known : ndarray, shape (n, n), optional
        A given matrix, of the design's rows.
    design : Design
    """
    if known is not None:
        return Residual(known=_checked(known))
    if text is None:
        return None
    terms = parse_residual(text)
    correlated = [t for t in terms if t.structure not in (*VARIANCES, "diag")]
    if len(correlated) > 1:
        raise ModelError(
            "Residuals have one correlation", got=" + ".join(map(str, correlated)),
            hint="Variances can be added: diag(Sex), varpower(x), varexp(x)",
        )  # fmt: skip
    twice = [str(t) for i, t in enumerate(terms) if t in terms[:i]]
    if twice:
        raise ModelError("A residual structure occurs twice", got=twice[0], hint="Leave out one")
    columns = design.columns
    strata = [t for t in terms if t.structure == "diag"]
    pattern = _correlated(correlated[0], columns, design) if correlated else None
    if pattern is not None and not _homogeneous(pattern):
        strata.append(correlated[0])
    if len(strata) > 1:
        raise ModelError(
            "Residual standard deviations can differ by one factor only",
            got=" + ".join(map(str, strata)),
            hint="Combine two columns into one, or give the correlation one standard deviation by "
            "hom=True",
        )
    functions = tuple(
        variance_function(t, columns, design) for t in terms if t.structure in VARIANCES
    )
    found = strata_of(strata[0], columns) if strata else None
    occasions = correlated and strata and strata[0] is correlated[0]
    if found and pattern and occasions and pattern.pattern.places == "order":
        found = in_order_of(found, pattern.place)
    if pattern is not None and not pattern.parameters and found is None and not functions:
        pattern = None
    return Residual(found, functions, pattern)


def _homogeneous(c: Correlated) -> bool:
    options = {o.name: o.value for o in c.term.options}
    return bool(options.get("hom", c.pattern.homogeneous)) or not c.term.columns


def _checked(known: Any) -> Floats:
    matrix = np.asarray(known, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.all(np.isfinite(matrix)):
        raise DataError("residual= must be a square matrix of numbers", got=f"shape {matrix.shape}")
    if not np.allclose(matrix, matrix.T, atol=1e-10 * np.abs(matrix).max()):
        raise DataError("The residual covariance matrix must be symmetric")
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        least = float(np.linalg.eigvalsh(matrix)[0])
        raise DataError(
            "The residual covariance matrix must be positive definite",
            got=f"smallest eigenvalue {least:g}",
        ) from None
    return matrix


def _correlated(term: ResidualTerm, columns: Columns, design: Design) -> Correlated:
    options = {o.name: o.value for o in term.options}
    pattern = pattern_of(term.structure, options)
    n = len(columns)
    group, learnt_group = np.zeros(n, dtype=np.intp), None
    if term.factors:
        learnt_group, group = learn_group(term.factors, columns)
    learnt = None
    if term.columns and term.structure != "cs":
        learnt = _places(term, columns)
        place, places = learnt.codes(columns), Places(learnt.labels, learnt.at)
    elif term.structure in POINTS:
        raise ModelError(
            f"{term.structure}() needs columns with the times or coordinates", got=str(term)
        )
    else:
        place = _ranks(group)
        count = int(place.max(initial=0)) + 1
        labels = tuple(str(i + 1) for i in range(count))
        places = Places(labels, np.arange(float(count))[:, None])
    _require_room(term, pattern, len(places))
    if not options.get("nugget", False):
        _require_once(term, place, group, places, design)
    return Correlated(pattern, places, place, group, learnt, learnt_group, term)


def _require_room(term: ResidualTerm, pattern: Correlation, places: int) -> None:
    if isinstance(pattern, Free):
        check_free_covariance(str(term), places)
    check_correlated_rows(str(term), places)


def _places(term: ResidualTerm, columns: Columns) -> LearntPlaces:
    if term.structure in ORDERED:
        return learn_places(term.columns, columns, kind="order")
    if term.structure in POINTS:
        return learn_places(term.columns, columns, kind="points")
    return learn_places(term.columns, columns, kind="any")


def _ranks(group: Ints) -> Ints:
    """Which row of its group each row is, in the table's order."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    first = np.searchsorted(ordered, ordered)
    out = np.empty_like(group)
    out[order] = np.arange(len(group)) - first
    return out


def _require_once(
    term: ResidualTerm, place: Ints, group: Ints, places: Places, design: Design
) -> None:
    """Raise DataError for two rows of one group at one occasion, whose residuals would be equal."""
    keys = group * max(len(places), 1) + place
    first, count = np.unique(keys, return_counts=True)
    if np.all(count == 1):
        return
    rows = np.flatnonzero(keys == first[int(np.argmax(count > 1))])[:2]
    shown = ", ".join(str(design.index[r]) for r in rows)
    raise DataError(
        f"{term}: rows {shown} have the same group and the same occasion "
        f"({places.labels[place[rows[0]]]}), "
        "so that their residuals would be equal",
        hint="Add nugget=True, which gives each row an independent part"
        if term.structure in ("exp", "gau", "matern")
        else f"Write {term.structure}({' + '.join(term.columns)} | g), where g is the column of "
        "the groups, or a:b if the groups are combinations of two columns",
    )

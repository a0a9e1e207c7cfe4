"""Search for an optimal design: the best n rows of a table of candidates."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from bayeslmm.api.show import Section, Summary, format_number
from bayeslmm.design import aliasing
from bayeslmm.design.candidates import read_candidates
from bayeslmm.design.criteria import CRITERIA, MEANINGS, Values, criteria, inverse_root
from bayeslmm.design.exchange import Problem, search
from bayeslmm.errors import (
    IdentifiabilityError,
    IdentifiabilityWarning,
    MethodError,
    PriorError,
    check_seed,
    is_finite,
    warn,
)

Floats = NDArray[np.float64]
SHOWN = 12


@dataclass(frozen=True, slots=True, eq=False)
class OptimalDesign:
    """The result of `optimal_design`.

    Attributes
    ----------
    rows : DataFrame, n rows
        The chosen candidates, with their labels; repeated candidates are repeated rows.
    counts : Series
        Number of times each chosen candidate occurs, by its position in the table.
    criterion : {"A", "D", "E", "G", "V"}
        The criterion that was minimised.
    A, D, E, G, V : float
        Criteria of the design at sigma = 1; G and V over the candidates.
    d_efficiency : float
        Lower bound of the D-efficiency relative to the best weights on these candidates,
        p / (n max x'M⁻¹x) (Atwood, 1969, Ann. Math. Stat. 40(5)); NaN with a prior.
    coefs : tuple of str
    agreeing, starts : int
        Number of starts that reached the best value, and number of all starts.
    notes : tuple of str
    """

    rows: pd.DataFrame
    counts: pd.Series[int]
    criterion: str
    A: float
    D: float
    E: float
    G: float
    V: float
    d_efficiency: float
    coefs: tuple[str, ...]
    agreeing: int
    starts: int
    notes: tuple[str, ...] = ()

    @property
    def value(self) -> float:
        """The value of the criterion that was minimised."""
        return float(getattr(self, self.criterion))

    @property
    def table(self) -> pd.DataFrame:
        """Index ``criterion``: ``value, meaning``."""
        return pd.DataFrame(
            {
                "value": [float(getattr(self, c)) for c in CRITERIA],
                "meaning": [MEANINGS[c] for c in CRITERIA],
            },
            index=pd.Index(CRITERIA, name="criterion"),
        )

    def _summary(self) -> Summary:
        taken = self.rows.drop_duplicates() if len(self.counts) > SHOWN else self.rows
        lines = [
            f"{self.agreeing} of {self.starts} starts reached the best value",
            f"coefficients: {', '.join(self.coefs)}",
        ]
        if np.isfinite(self.d_efficiency):
            lines.append(
                f"D-efficiency: at least {self.d_efficiency:.1%} relative to any weights on the "
                "candidates"
            )
        shown = self.table.assign(value=[format_number(v) for v in self.table["value"]])
        more = f", the first {SHOWN}" if len(taken) > SHOWN else ""
        return Summary(
            f"{self.criterion}-optimal design of {len(self.rows)} rows",
            (
                Section(f"Rows{more}", self.rows.head(SHOWN)),
                Section("Criteria at sigma = 1, smaller is better", shown),
                Section("Search", lines=(*lines, *self.notes)),
            ),
        )

    def __repr__(self) -> str:
        return str(self._summary())

    def _repr_html_(self) -> str:
        return self._summary()._repr_html_()


def optimal_design(
    formula: str,
    candidates: Any,
    n: int,
    *,
    criterion: str = "D",
    prior: float | ArrayLike | None = None,
    repeats: bool = True,
    starts: int = 10,
    seed: int | None = None,
) -> OptimalDesign:
    """The best n rows of a table of candidates for a linear model with independent errors.

    Modified Fedorov exchange from random starts (Cook & Nachtsheim, 1980): a good local optimum,
    the global one in small problems; `OptimalDesign.agreeing` counts the starts that reached it.

    Parameters
    ----------
    formula : str
        ``"~ x + I(x**2)"``, without random terms. A response on the left is ignored.
    candidates : table
        Rows to choose from.
    n : int
        Rows of the design.
    criterion : {"D", "A", "E", "G", "V"}
        See `design_criteria`; "I" is another name for V.
    prior : number or array of shape (p, p), optional
        Precision of a normal prior of beta, times sigma², for Bayesian designs; a number applies
        to every coefficient. A design may then have fewer rows than coefficients.
    repeats : bool
        Whether a candidate may be taken more than once.
    starts : int
    seed : int, optional
        The same seed gives the same design.

    Raises
    ------
    MethodError
        An unknown criterion, or an impossible size.
    FormulaError, ColumnError, DataError
        An invalid formula or table.
    PriorError
        A prior that is not a precision matrix.
    IdentifiabilityError
        No n candidates determine the coefficients.
    """
    letter = _criterion(criterion)
    check_seed(seed)
    _count("n", n)
    _count("starts", starts)
    found = read_candidates(formula, candidates)
    if not repeats and n > len(found.X):
        raise MethodError(
            f"There are only {len(found.X)} candidates, and repeats=False",
            got=f"n={n}",
            allowed=f"n up to {len(found.X)}, or repeats=True",
        )
    precision = _precision(prior, len(found.coefs))
    kept = tuple(range(len(found.coefs)))
    notes: tuple[str, ...] = ()
    alias = aliasing(found.X, found.coefs)
    if alias.aliased and prior is None:
        kept = alias.kept
        text = (
            f"Columns that are aliased in the candidates are left out: {', '.join(alias.aliased)}."
        )
        notes = (warn(text, IdentifiabilityWarning),)
    coefs = tuple(found.coefs[j] for j in kept)
    X, precision = found.X[:, kept], precision[np.ix_(kept, kept)]
    if prior is None and n < len(coefs):
        raise IdentifiabilityError(
            f"{n} rows can't determine {len(coefs)} coefficients",
            hint=f"Use n={len(coefs)} or more, or give a prior, for example prior=0.01",
        )
    best = search(_problem(X, precision, letter, repeats), n, starts, np.random.default_rng(seed))
    if best is None:
        raise IdentifiabilityError(
            f"No {n} of the candidates determine all coefficients: {', '.join(coefs)}",
            hint="Allow repeats=True, add candidates, or give a prior, for example prior=0.01",
        )
    chosen = X[best.places]
    values: Values = criteria(inverse_root(chosen.T @ chosen + precision), X)
    places, counts = np.unique(best.places, return_counts=True)
    return OptimalDesign(
        rows=found.chosen(best.places),
        counts=pd.Series(counts, index=pd.Index(places, name="candidate"), name="count"),
        criterion=letter,
        A=values.A, D=values.D, E=values.E, G=values.G, V=values.V,
        d_efficiency=np.nan if prior is not None else len(coefs) / (n * values.G),
        coefs=coefs,
        agreeing=best.agreeing,
        starts=starts,
        notes=notes,
    )  # fmt: skip


def _problem(X: Floats, precision: Floats, criterion: str, repeats: bool) -> Problem:
    """The search in coordinates where the candidates are orthonormal: X = rows R, beta = R⁻¹ g.

    With a prior, columns may be aliased in the candidates; each column is then only scaled.
    """
    size = np.linalg.norm(X, axis=0)
    size = np.where(size > 0, size, 1.0)
    rows, R = np.linalg.qr(X / size)
    well = len(X) >= X.shape[1] and np.abs(np.diag(R)).min(initial=1.0) > 1e-10
    if not well:
        rows, R = X / size, np.eye(X.shape[1])
    outer = np.linalg.inv(R) / size[:, None]
    mean_root = np.linalg.qr(rows, mode="r") / np.sqrt(len(rows))
    return Problem(rows, outer, outer.T @ precision @ outer, mean_root, criterion, repeats)


def _criterion(given: object) -> str:
    letter = "V" if given == "I" else given
    if letter not in CRITERIA:
        raise MethodError(f"Unknown criterion={given!r}", allowed=(*CRITERIA, "I"))
    return str(letter)


def _count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise MethodError(f"{name} must be a positive whole number", got=repr(value))


def _precision(prior: float | ArrayLike | None, p: int) -> Floats:
    if prior is None:
        return np.zeros((p, p))
    if is_finite(prior):
        values = float(np.asarray(prior)) * np.eye(p)
    else:
        values = np.asarray(prior, dtype=np.float64)
    if values.shape != (p, p) or not np.all(np.isfinite(values)):
        raise PriorError(
            "prior= must be the precision of beta, times sigma²",
            got=f"shape {values.shape}",
            allowed=f"a number, or shape ({p}, {p})",
        )
    if not np.allclose(values, values.T) or np.linalg.eigvalsh(values).min(initial=0.0) < 0:
        raise PriorError(
            "prior= is not a precision matrix",
            got=f"eigenvalues from {np.linalg.eigvalsh(values).min(initial=0.0):.4g}, "
            f"{'' if np.allclose(values, values.T) else 'not '}symmetric",
            allowed="a symmetric matrix without negative eigenvalues",
        )
    return values

"""Criteria of optimal design of a model's fixed effects, and designs side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayeslmm.api.estimable import resolved_of
from bayeslmm.api.fit import Fit
from bayeslmm.api.model import Model
from bayeslmm.api.show import Section, Summary, format_number
from bayeslmm.design.criteria import CRITERIA, MEANINGS, Values, criteria, inverse_root
from bayeslmm.engines.given import given_variances
from bayeslmm.errors import IdentifiabilityError, MethodError, ModelError
from bayeslmm.gaussian.information import fixed_information, prior_precision
from bayeslmm.model import Model as Resolved
from bayeslmm.model import not_gaussian

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class DesignCriteria:
    """The criteria of a design; all are variances, and smaller is better.

    Attributes
    ----------
    A, D, E, G, V : float
        Sum of the coefficients' variances; |covariance|^(1/p); the largest variance of a
        combination of length one; largest and average variance of a predicted mean.
    covariance : DataFrame, shape (p, p)
        Of the estimator of beta, or of its posterior.
    n : int
        Rows.
    under : str
        The variances and the prior that the criteria assume, as text.
    notes : tuple of str
    """

    A: float
    D: float
    E: float
    G: float
    V: float
    covariance: pd.DataFrame
    n: int
    under: str
    notes: tuple[str, ...] = ()

    @property
    def I(self) -> float:  # noqa: E743
        """Another name for V."""
        return self.V

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
        shown = self.table.assign(value=[format_number(v) for v in self.table["value"]])
        title = f"Design of {self.n} rows for {len(self.covariance)} coefficients"
        sections = [Section(f"Criteria, smaller is better ({self.under})", shown)]
        if self.notes:
            sections.append(Section("Notes", lines=self.notes))
        return Summary(title, tuple(sections))

    def __repr__(self) -> str:
        return str(self._summary())

    def _repr_html_(self) -> str:
        return self._summary()._repr_html_()


def design_criteria(
    model: Model,
    variances: Fit | Mapping[str, Any] | None = None,
    *,
    prior: bool = False,
    at: Any = None,
) -> DesignCriteria:
    """A, D, E, G and V (I) of a model's design for its fixed effects.

    Parameters
    ----------
    model : Model
        A Gaussian model. The criteria do not depend on the response, which only has to vary.
    variances : Fit or mapping, optional
        Another fit, whose variances are used, or ``{"sigma": .., "sd_Subject": [..],
        "cor_Subject": [..]}``; without sigma and with ``rel_sd_Subject`` the criteria are in units
        of sigma². By default the criteria are those of ordinary (weighted) least squares at
        sigma = 1, without random terms and residual structure.
    prior : bool
        Add the precision of the model's normal priors of beta: the criteria of the posterior.
    at : table, optional
        Rows where means are predicted, for G and V; by default the rows of the design.

    Raises
    ------
    MethodError
        A model that is not Gaussian; variances that do not match it.
    PriorError
        ``prior=True`` with priors that are neither normal nor flat.
    IdentifiabilityError
        Rows of positive weight that don't determine the coefficients.
    """
    inner = resolved_of(model)
    return _criteria(inner, variances, prior=prior, where=_rows(inner, prior, at), share=1.0)


def compare_designs(
    designs: Mapping[str, Model],
    variances: Fit | Mapping[str, Any] | None = None,
    *,
    prior: bool = False,
    at: Any = None,
    per_row: bool = False,
) -> pd.DataFrame:
    """The criteria of several designs for the same coefficients, and their relative efficiencies.

    Parameters
    ----------
    designs : mapping of str to Model
    variances, prior
        As in `design_criteria`, for every design.
    at : table, optional
        Rows where means are predicted, the same for all; by default the rows of all designs.
    per_row : bool
        Compare information per row, so that designs of different sizes are comparable.

    Returns
    -------
    DataFrame
        Index ``design``: ``n, A, D, E, G, V`` and ``A_efficiency, …``, the ratio of the best
        design's value to that of the design.

    Raises
    ------
    ModelError
        No designs, or designs with other coefficients.
    """
    if not isinstance(designs, Mapping) or not designs:
        raise ModelError("compare_designs needs a dict from name to Model", got=repr(designs))
    inner = {str(name): resolved_of(model) for name, model in designs.items()}
    first, *others = inner
    for name in others:
        if _coefs(inner[name], prior) != _coefs(inner[first], prior):
            raise ModelError(
                f"Designs {first!r} and {name!r} don't estimate the same coefficients",
                got=f"{', '.join(_coefs(inner[first], prior))}; "
                f"{', '.join(_coefs(inner[name], prior))}",
            )
    pooled = np.concatenate([_rows(m, prior) for m in inner.values()])
    rows = []
    for m in inner.values():
        where = pooled if at is None else _rows(m, prior, at)
        share = float(m.n) if per_row else 1.0
        found = _criteria(m, variances, prior=prior, where=where, share=share)
        rows.append({"n": found.n} | {c: getattr(found, c) for c in CRITERIA})
    table = pd.DataFrame(rows, index=pd.Index(list(inner), name="design"))
    for c in CRITERIA:
        table[f"{c}_efficiency"] = table[c].min() / table[c]
    return table


def _criteria(
    model: Resolved,
    variances: Fit | Mapping[str, Any] | None,
    *,
    prior: bool,
    where: Floats,
    share: float,
) -> DesignCriteria:
    refusal = not_gaussian(model, "design_criteria")
    if refusal is not None:
        raise MethodError(refusal)
    columns = _columns(model, prior)
    names = [model.design.coefs[c] for c in columns]
    given, under = _given(model, variances)
    information = fixed_information(model, columns, given) / share
    if prior:
        information = information + prior_precision(model, columns)
        under = f"{under}; with the priors of beta"
    try:
        root = inverse_root(information)
    except np.linalg.LinAlgError:
        raise IdentifiabilityError(
            "The rows of positive weight don't determine all coefficients",
            hint="See bl.estimable_functions(model), or use prior=True",
        ) from None
    values: Values = criteria(root, where)
    aliased = [name for name in model.design.coefs if name not in names]
    notes = (f"Aliased columns are left out: {', '.join(aliased)}.",) if aliased else ()
    covariance = pd.DataFrame(root.T @ root, index=pd.Index(names, name="coef"), columns=names)
    return DesignCriteria(
        values.A, values.D, values.E, values.G, values.V, covariance, model.n, under, notes
    )


def _given(model: Resolved, variances: Fit | Mapping[str, Any] | None) -> tuple[Any, str]:
    """The variances at one point, or none; and what they are, in words."""
    if variances is None:
        kind = "weighted" if model.design.extras else "ordinary"
        left = " without the random terms" if model.terms else ""
        unit = "the given sds" if model.sigma_known else "sigma = 1"
        return None, f"{kind} least squares{left}, {unit}"
    source = variances.tree if isinstance(variances, Fit) else variances
    at, relative = given_variances(model, source)
    kind = "the fit's variances" if isinstance(variances, Fit) else "given variances"
    return at, f"{kind}, in units of sigma²" if relative else kind


def _columns(model: Resolved, prior: bool) -> tuple[int, ...]:
    return model.columns if prior else model.aliasing.kept


def _coefs(model: Resolved, prior: bool) -> list[str]:
    return [model.design.coefs[c] for c in _columns(model, prior)]


def _rows(model: Resolved, prior: bool, at: Any = None) -> Floats:
    """The rows where means are predicted, in the columns that are taken."""
    X = model.design.X if at is None else model.design.apply(at, groups=()).X
    return X[:, _columns(model, prior)]

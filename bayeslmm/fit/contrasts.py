"""Linear functions of the fixed effects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from bayeslmm.design import why_not
from bayeslmm.errors import (
    ColumnError,
    DataError,
    IdentifiabilityError,
    MethodError,
    is_finite,
    nearest,
)
from bayeslmm.fit.levels import LEVEL
from bayeslmm.fit.predictors import parts_of
from bayeslmm.fit.tables import COLUMNS, fixed_draws, half_width, summarise_array
from bayeslmm.fit.whole import WholeTable
from bayeslmm.model import Model

Floats = NDArray[np.float64]


def vcov(model: Model, tree: xr.DataTree) -> pd.DataFrame:
    """Covariance matrix of beta, (p, p), by coefficient."""
    if "estimate" in tree:
        source = tree["estimate"].dataset
        names, values = list(source["coef"].values), source["beta_cov"].values
    else:
        names, draws = fixed_draws(model, tree)
        values = np.atleast_2d(np.cov(draws.reshape(-1, len(names)), rowvar=False))
    return pd.DataFrame(values, index=pd.Index(names, name="coef"), columns=names)


def contrast(
    model: Model,
    tree: xr.DataTree,
    weights: Mapping[str, float],
    against: float | None = None,
    method: str = "",
    level: float = LEVEL,
) -> pd.DataFrame:
    """`sum_i w_i beta_i` with its standard error and interval: one row, which prints whole.

    Parameters
    ----------
    model : Model
    tree : DataTree
    weights : mapping of str to float
        Over the columns of X, aliased ones too where the function is estimable: their
        coefficients are zero in the fit, as `lm` has it, and such functions don't depend on it.
    against : float, optional
        Adds a test of the function being this number, see `_test`.
    method : str
        That made the fit.
    level : float
        Of the interval.

    Raises
    ------
    ColumnError
        A coefficient that the model doesn't have.
    IdentifiabilityError
        A function that is not estimable, where coefficients are flat.
    """
    covariance = vcov(model, tree)
    names = [str(name) for name in covariance.index]
    w = _checked(model, tree, weights, names)
    index = pd.Index([_label(weights)], name="contrast")
    draws = None
    if "estimate" in tree:
        e = tree["estimate"].dataset
        estimate = float(w @ e["beta"].values)
        spread = float(np.sqrt(max(w @ covariance.values @ w, 0.0)))
        half = half_width(e.attrs, level) * spread
        row = [estimate, spread, estimate - half, estimate + half]
    else:
        draws = fixed_draws(model, tree)[1] @ w
        row = summarise_array(draws, level).tolist()
    table = WholeTable([row], columns=COLUMNS, index=index)
    if against is None:
        return table
    if not is_finite(against):
        raise MethodError("against= must be a finite number", got=repr(against))
    if method in ("ml", "reml", "anova"):
        return WholeTable(_test(table, float(against), e.attrs.get("residual_dof", np.inf)))
    above = _above(tree, table, draws, float(against))
    return WholeTable(table.assign(probability_above=above))


def _label(weights: Mapping[str, float]) -> str:
    """As the function is written: ``a[2] - a[3]``, ``Intercept + 5 Days``."""
    text = ""
    for name, value in weights.items():
        size = "" if abs(value) == 1 else f"{abs(value):g} "
        sign = "-" if value < 0 else "+" if text else ""
        text += f" {sign} {size}{name}" if text else f"{sign}{size}{name}"
    return text


def _test(table: pd.DataFrame, against: float, df: float) -> pd.DataFrame:
    """Adds ``statistic, df, p_value``, two-sided: a t where it is exact, a z (infinite df)
    elsewhere."""
    estimate, spread = table["estimate"].to_numpy(), table["std_error"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (estimate - against) / spread
    tail = (
        special.stdtr(df, -np.abs(statistic)) if np.isfinite(df) else special.ndtr(-abs(statistic))
    )
    return table.assign(statistic=statistic, df=df, p_value=2 * tail)


def _above(tree: xr.DataTree, table: pd.DataFrame, draws: Floats | None, against: float) -> float:
    """Posterior probability that the function is greater than `against`."""
    if draws is not None:
        return float(np.mean(draws > against))
    dof = tree["estimate"].dataset.attrs.get("dof")
    estimate, spread = float(table["estimate"].iloc[0]), float(table["std_error"].iloc[0])
    if spread == 0:
        return float(estimate > against)
    z = (estimate - against) / spread
    if dof is None:
        return float(special.ndtr(z))
    return float(special.stdtr(dof, z * np.sqrt(dof / (dof - 2)))) if dof > 2 else np.nan


def _checked(
    model: Model, tree: xr.DataTree, weights: Mapping[str, float], names: list[str]
) -> Floats:
    """The weights of the coefficients that the fit has, shape (p,)."""
    if not isinstance(weights, Mapping) or not weights:
        raise DataError(
            "A contrast must be a dict from coefficient to weight",
            got=repr(weights),
            hint=f"For example, fit.contrast({{{names[-1]!r}: 1}})" if names else None,
        )
    left_out = [
        name for label, part in _predictors(model, tree) for name in _gone(label, part, names)
    ]
    for name, value in weights.items():
        if name not in names and name not in left_out:
            hint = nearest(str(name), [*names, *left_out])
            raise ColumnError(f"The fit has no coefficient {name!r}", hint=hint)
        if not is_finite(value):
            raise DataError(f"The contrast's weight of {name!r} must be a number", got=repr(value))
    for label, part in _predictors(model, tree):
        if _gone(label, part, names):
            _require_estimable(label, part, weights)
    return np.array([float(weights.get(name, 0.0)) for name in names])


def _predictors(model: Model, tree: xr.DataTree) -> Iterator[tuple[str, Model]]:
    """Every linear predictor, and what its coefficients' names begin with."""
    if "estimate" in tree:
        yield "", model
        return
    for part in parts_of(model, tree["posterior"].dataset):
        yield part.label, part.model


def _gone(label: str, model: Model, names: list[str]) -> list[str]:
    """Aliased columns that the fit has no coefficient for."""
    return [f"{label}{name}" for name in model.aliasing.aliased if f"{label}{name}" not in names]


def _require_estimable(label: str, model: Model, weights: Mapping[str, float]) -> None:
    coefs = model.design.coefs
    own = np.array([float(weights.get(f"{label}{name}", 0.0)) for name in coefs])
    reason = why_not(model.aliasing, coefs, own)
    if reason is not None:
        raise IdentifiabilityError(
            f"The contrast is not estimable: {reason}",
            hint="See bl.estimable_functions(model), or fit with proper priors of all "
            "coefficients, under which every function has a posterior",
        )

"""Interfaces of models and fits for comparisons, and checks that they are comparable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import xarray as xr

from bayeslmm.errors import DataError, FitError, MethodError, ModelError, nearest
from bayeslmm.model import Model


@runtime_checkable
class HoldsModel(Protocol):
    """Anything that carries a resolved model: the users' Model, and their Fit."""

    @property
    def resolved(self) -> Model: ...


@runtime_checkable
class HoldsFit(HoldsModel, Protocol):
    """Anything that carries a fit's tree and its tidy tables."""

    @property
    def method(self) -> str: ...

    @property
    def tree(self) -> xr.DataTree: ...

    def fixef(self, *, level: float = ...) -> pd.DataFrame: ...

    def ranef(self, *, level: float = ...) -> pd.DataFrame: ...

    def varcorr(self, *, level: float = ...) -> pd.DataFrame: ...


Fits = Mapping[str, HoldsFit] | HoldsFit


def named(fits: Fits, taken: tuple[str, ...] = ()) -> dict[str, HoldsFit]:
    """Fits by the names that tables and pictures show; a single fit is named by its method.

    Parameters
    ----------
    fits : mapping of str to fit, or fit
    taken : tuple of str
        Names of other columns of the caller's table, not allowed for a fit.

    Raises
    ------
    FitError
        No fit, or an object that is not a fit.
    DataError
        A name that is not allowed, or is not text.
    """
    if isinstance(fits, HoldsFit):
        return {fits.method: fits}
    if not isinstance(fits, Mapping):
        raise FitError("Fits must be a dict by name", got=type(fits).__name__, hint=_EXAMPLE)
    if not fits:
        raise FitError("The dict of fits is empty", hint=_EXAMPLE)
    for name, fit in fits.items():
        if not isinstance(name, str):
            raise DataError("The name of a fit must be text", got=repr(name), hint=_EXAMPLE)
        if name in taken:
            raise DataError(
                f"The name {name!r} is not allowed for a fit: the table has a column of that name",
                hint="Choose another name for the fit",
            )
        if not isinstance(fit, HoldsFit):
            raise FitError(f"{name!r} is not a fit", got=type(fit).__name__, hint="Use model.fit()")
    return dict(fits)


_EXAMPLE = "Write {'BLUP': model.fit('reml'), 'exact': model.fit('exact')}"


def resolved_of(model: HoldsModel) -> Model:
    """The inner model of a Model or a Fit."""
    if not isinstance(model, HoldsModel):
        raise ModelError("The first argument must be a model", got=type(model).__name__)
    return model.resolved


def require_model(model: Model, fits: Mapping[str, HoldsFit]) -> None:
    """Raise an error for fits of another formula or other rows. Their priors may differ.

    Raises
    ------
    ModelError
        A fit of another model; the message names the fit and the difference.
    """
    for name, fit in fits.items():
        other = fit.resolved
        if other is model:
            continue
        if str(other.design.formula) != str(model.design.formula):
            raise ModelError(
                f"Fit {name!r} is of another model",
                got=other.design.formula,
                allowed=str(model.design.formula),
            )
        if not _same_numbers(model, other):
            raise ModelError(
                f"Fit {name!r} has the same formula but other data",
                hint="Fit all methods to one Model",
            )


def _same_numbers(a: Model, b: Model) -> bool:
    def arrays(m: Model) -> list[Any]:
        d = m.design
        levels = [part for g in d.blocks for part in (g.codes, g.levels)]
        return [d.y, d.X, d.offset, m.precision_weights, *levels]

    return all(np.array_equal(x, y) for x, y in zip(arrays(a), arrays(b), strict=True))


def block_index(model: Model, group: str | None) -> int:
    """The index of a grouping factor among the design's blocks; the first by default.

    Raises
    ------
    ModelError
        A model without random effects.
    MethodError
        An unknown factor, with the nearest name.
    """
    groups = [block.group for block in model.design.blocks]
    if not groups:
        raise ModelError("The model has no random effects", got=model.design.formula)
    if group is None:
        return 0
    if group not in groups:
        raise MethodError(
            f"There is no grouping factor {group!r}", hint=nearest(str(group), groups)
        )
    return groups.index(group)


def beta_of(fit: HoldsFit) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Estimates or posterior means of all fixed columns, zero for aliased ones, shape (p,)."""
    coefs = list(fit.resolved.design.coefs)
    return fit.fixef()["estimate"].reindex(coefs).fillna(0.0).to_numpy(dtype=np.float64)


def u_of(fit: HoldsFit, index: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """BLUPs or posterior means of one block's random effects, shape (J, k)."""
    block = fit.resolved.design.blocks[index]
    table = fit.ranef()
    values = table.loc[table["group"] == block.group, "estimate"].to_numpy(dtype=np.float64)
    return values.reshape(block.n_levels, block.n_coefs)

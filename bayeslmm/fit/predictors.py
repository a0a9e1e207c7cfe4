"""The linear predictors of a posterior: the response's, those of categories, of parameters."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from bayeslmm.model import Model


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One linear predictor of a fit.

    Attributes
    ----------
    label : str
        What its coefficients' names begin with in tables.
    model : Model
        Whose names its variables have.
    draws : Dataset
        They themselves, without a dimension for categories.
    """

    label: str
    model: Model
    draws: xr.Dataset

    @property
    def beta(self) -> xr.DataArray | None:
        """Its fixed coefficients, the last dimension theirs; None where it has none."""
        name = f"{self.model.prefix}beta"
        return self.draws.get(name)

    @property
    def coefs(self) -> list[str]:
        """Names of its fixed coefficients."""
        beta = self.beta
        return [] if beta is None else [str(c) for c in beta[f"{self.model.prefix}coef"].values]


def parts_of(model: Model, draws: xr.Dataset) -> list[Part]:
    """Every linear predictor, the response's first."""
    if model.family.categorical == "unordered":
        own = [
            Part(f"{c}_", model, draws.sel(category=str(c), drop=True))
            for c in model.design.categories[1:]
        ]
    else:
        own = [Part("", model, draws)]
    return own + [Part(sub.prefix, sub, draws) for sub in model.dpars.values()]

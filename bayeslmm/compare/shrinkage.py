"""Coefficients by level: without pooling, in the population, and shrunken."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayeslmm.compare.fits import (
    Fits,
    HoldsModel,
    block_index,
    named,
    require_model,
    resolved_of,
)
from bayeslmm.compare.pooling import Pooling, level_equations, pooling
from bayeslmm.model import Model

COLUMNS = ("group", "level", "coef", "no_pooling", "population")


def shrinkage(model: HoldsModel, fits: Fits, *, group: str | None = None) -> pd.DataFrame:
    """Coefficients by level: no pooling, population, and the estimates of the fits.

    Parameters
    ----------
    model : Model
    fits : mapping of str to fit, or fit
        Fits of that model.
    group : str, optional
        A grouping factor; all by default.

    Returns
    -------
    DataFrame
        A row for each ``group, level, coef``, and

        ``no_pooling``
            the level's estimate without shrinkage: its effects have a flat prior, the fixed
            effects and the variances are those of the first fit, and all other random effects
            keep their distribution. NaN for coefficients that the level's rows don't determine.
            In a one-way layout it is the level's mean.
        ``population``
            the level's coefficients by the first fit's fixed effects alone, including those of
            covariates that are constant within the level (see ``fit.coef``).
        a column for each fit
            its estimate of the level's coefficient, ``fit.coef()``: its population value + u,
            where u is the BLUP or the posterior mean.
        ``factor[...]`` for each fit
            reliability 1 - Var(u | y, beta) / Var(u), in closed form at the fit's variances
            (posterior means in Bayesian fits): 0 is complete pooling, 1 none. In a balanced
            one-way layout n tau² / (n tau² + sigma²).

    Raises
    ------
    FitError
        No fit, or an object that is not a fit.
    ModelError
        A fit of another model; a model without random effects.
    MethodError
        An unknown factor, or a response that isn't Gaussian.

    Notes
    -----
    With G the covariance of a level's effects and S the sampling variance of its estimate without
    pooling, the BLUP is population + W (no pooling - population), W = G (G + S)⁻¹ (de Leeuw &
    Kreft, 1986, J. Educ. Stat. 11(1), 57-85; Robinson, 1991, Stat. Sci. 6(1), 15-32). With one
    coefficient per level W is the factor; with several it is a matrix, and an estimate need not
    lie between no pooling and population in each of them. Related levels (``relationship=``) are
    shrunk towards the values that their relatives predict.
    """
    resolved = resolved_of(model)
    chosen = named(fits, taken=COLUMNS)
    require_model(resolved, chosen)
    first = block_index(resolved, group)
    indices = range(len(resolved.design.blocks)) if group is None else [first]
    solved = {name: level_equations(resolved, fit) for name, fit in chosen.items()}
    parts = [
        {name: pooling(resolved, fit, i, solved[name]) for name, fit in chosen.items()}
        for i in indices
    ]
    tables = [_table(resolved, i, part) for i, part in zip(indices, parts, strict=True)]
    return pd.concat(tables, ignore_index=True)


def _table(model: Model, index: int, fits: dict[str, Pooling]) -> pd.DataFrame:
    block, first = model.design.blocks[index], next(iter(fits.values()))
    columns: dict[str, object] = {
        "group": block.group,
        "level": np.repeat(np.asarray(block.levels, dtype=object), block.n_coefs),
        "coef": np.tile(np.array(block.coefs, dtype=object), block.n_levels),
        "no_pooling": (first.population + first.alone).reshape(-1),
        "population": first.population.reshape(-1),
    }
    columns |= {name: (fit.population + fit.u).reshape(-1) for name, fit in fits.items()}
    columns |= {f"factor[{name}]": fit.reliability.reshape(-1) for name, fit in fits.items()}
    return pd.DataFrame(columns)

"""Each level's own coefficients: without pooling, in the population, and shrunken between."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bayeslmm.compare.fits import (
    Fits,
    HoldsFit,
    HoldsModel,
    beta_of,
    block_index,
    named,
    require_model,
    resolved_of,
    u_of,
)
from bayeslmm.compare.pooling import no_pooling, population_map, reliability
from bayeslmm.model import Model

COLUMNS = ("group", "level", "coef", "no_pooling", "population")


def shrinkage(model: HoldsModel, fits: Fits, *, group: str | None = None) -> pd.DataFrame:
    """No pooling, population and the fits' estimates of every level's own coefficients.

    Parameters
    ----------
    model : Model
    fits : mapping of str to fit, or fit
        Fits of that model.
    group : str, optional
        One grouping factor; all by default.

    Returns
    -------
    DataFrame
        A row for each ``group, level, coef``, and

        ``no_pooling``
            (weighted) least squares of the level's rows alone on the factor's random-effect
            covariates; NaN where the rows can't tell. Other factors are ignored: their effects
            are in these numbers.
        ``population``
            what beta alone says of the level, X beta of its rows projected on the same
            covariates; with the first fit's beta.
        a column for each fit
            its estimate of the level's own coefficient: its own population value + u, u the
            BLUP or the posterior mean. Where every fixed column varies by the factor this is
            ``fit.coef()``.
        ``factor[...]`` for each fit
            reliability 1 - Var(u | y, beta) / Var(u), in closed form at the fit's variances
            (posterior means in Bayesian fits): 0 is complete pooling, 1 none. In a balanced
            one-way layout n tau² / (n tau² + sigma²).

    Raises
    ------
    FitError
        No fit, or something else.
    ModelError
        A fit of another model; a model without random effects.
    MethodError
        An unknown factor.

    Notes
    -----
    Robinson (1991), Stat. Sci. 6(1), 15-32. With several coefficients a level the weights form
    a matrix, and an estimate need not lie between no pooling and population in each of them.
    """
    resolved = resolved_of(model)
    chosen = named(fits, taken=COLUMNS)
    require_model(resolved, chosen)
    first = block_index(resolved, group)
    indices = range(len(resolved.design.blocks)) if group is None else [first]
    return pd.concat([_of_block(resolved, chosen, i) for i in indices], ignore_index=True)


def _of_block(model: Model, fits: dict[str, HoldsFit], index: int) -> pd.DataFrame:
    block = model.design.blocks[index]
    to_level = population_map(model, index)
    population = {name: to_level @ beta_of(fit) for name, fit in fits.items()}
    columns: dict[str, object] = {
        "group": block.group,
        "level": np.repeat(np.asarray(block.levels, dtype=object), block.n_coefs),
        "coef": np.tile(np.array(block.coefs, dtype=object), block.n_levels),
        "no_pooling": no_pooling(model, index).reshape(-1),
        "population": next(iter(population.values())).reshape(-1),
    }
    for name, fit in fits.items():
        columns[name] = (population[name] + u_of(fit, index)).reshape(-1)
    for name, fit in fits.items():
        columns[f"factor[{name}]"] = reliability(model, fit.tree, index).reshape(-1)
    return pd.DataFrame(columns)

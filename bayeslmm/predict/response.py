"""From draws of linear predictors to the expected response and to new observations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayeslmm.design import Rows
from bayeslmm.errors import DataError
from bayeslmm.families import LINKS
from bayeslmm.fit.tree import SAMPLE
from bayeslmm.model import Model
from bayeslmm.predict.rows import residual_scale

Floats = NDArray[np.float64]


def parameter_draws(
    model: Model,
    tree: xr.DataTree,
    rows: Rows,
    further: Mapping[str, Floats],
    shape: tuple[int, int],
    *,
    new: bool,
) -> dict[str, Floats]:
    """The family's parameters beside its mean at every draw, to broadcast over rows.

    Parameters
    ----------
    model : Model
    tree : DataTree
    rows : Rows
    further : mapping
        Draws of the linear predictors of those that have one, shape (C, D, n).
    shape : tuple of int
        Chains and draws.
    new : bool
        Whether new observations are asked for: these need their own weights or known sds.
    """
    drawn = tree["posterior"].dataset
    out: dict[str, Floats] = {}
    for a in model.family.auxiliaries:
        if a.name == "sigma" and model.residual is not None:
            continue  # new observations are drawn with the residual structure
        if a.name in further:
            out[a.name] = LINKS[a.link].inverse(further[a.name])
        elif a.name in model.parameters:
            source = drawn if a.name in drawn else tree["estimate"].dataset
            values = source[a.name]
            kept = [d for d in SAMPLE if d in values.dims]
            value = values.transpose(*kept, ...).values
            out[a.name] = value if a.ordered else np.broadcast_to(value, shape)[..., None]
    if model.sigma_known:
        out["sigma"] = np.ones((1, 1, 1))
    if new and model.family.name == "gaussian" and model.residual is None:
        out["sigma"] = out["sigma"] * residual_scale(model, rows)
    return out


def trials_of(model: Model, rows: Rows) -> Floats | None:
    """Trials of the rows, where the response counts out of them.

    Raises
    ------
    DataError
        Rows without them.
    """
    if not model.family.takes_trials:
        return None
    if "trials" not in rows.extras:
        raise DataError(
            "The number of trials of the new rows is missing",
            hint="Add the column, give extras={'trials': ...}, or use kind='link'",
        )
    return rows.extras["trials"]

"""New rows for a PyMC model's data, from raw columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayeslmm.design import Rows
from bayeslmm.errors import MethodError
from bayeslmm.graph.hierarchical import of_categories
from bayeslmm.graph.numbers import f64
from bayeslmm.model import Model
from bayeslmm.model.names import group_names, response_name

Floats = NDArray[np.float64]


def new_data(model: Model, data: Any) -> dict[str, Any]:
    """Arguments of `pymc.set_data` that put new rows in place of the model's own.

    Parameters
    ----------
    model : Model
    data : table
        The columns of the formula's right-hand side, and the response where it is known.

    Returns
    -------
    dict
        ``new_data``, by the names of the model's `pm.Data`, and ``coords`` of the rows. A
        response that the table lacks is NaN, and -1 where it is a count or a category.

    Raises
    ------
    MethodError
        A model with structured residuals, whose likelihood is that of its own rows together.
    """
    if model.residual is not None:
        raise MethodError(
            "The PyMC model of structured residuals can't take new rows, because its likelihood "
            "is one density of all its own rows",
            hint="Use fit.predict(new, kind='response'), which conditions on the residuals of the "
            "same group",
        )
    rows = model.design.apply(data)
    out: dict[str, Any] = {}
    subs = of_categories(model) if model.family.categorical == "unordered" else [model]
    for sub in subs:
        out |= _predictor(sub, rows)
    for sub in model.dpars.values():
        out |= _predictor(sub, sub.design.apply(data))
    out |= _extras(model, rows)
    response = model.design.response_of(data)
    discrete = model.family.discrete
    if response is None:
        response = np.full(len(rows.X), -1.0 if discrete else np.nan)
    out[f"{response_name(model)}_data"] = response.astype(np.int64) if discrete else f64(response)
    return {"new_data": out, "coords": {"row": np.arange(len(rows.X))}}


def _predictor(model: Model, rows: Rows) -> dict[str, Any]:
    prefix = model.prefix
    out: dict[str, Any] = {}
    if model.columns:
        out[f"{prefix}X"] = f64(rows.X[:, list(model.columns)])
    if np.any(model.design.rows.offset[model.used]):
        out[f"{prefix}offset"] = f64(rows.offset)
    elif np.any(rows.offset):
        raise MethodError(
            "The new rows have an offset, and the model's rows have none",
            hint="Leave the offset out of the new rows",
        )
    for g, block in zip(group_names(model), rows.blocks, strict=True):
        out[f"{prefix}{g.label}_index"] = block.codes
        out[f"{prefix}{g.label}_values"] = f64(block.values)
    return out


def _extras(model: Model, rows: Rows) -> dict[str, Any]:
    names = ["known_sd"] if model.sigma_known else []
    names += ["trials"] if model.trials is not None else []
    names += ["weights"] if "weights" in model.design.extras else []
    for name in names:
        if name not in rows.extras:
            raise MethodError(
                f"New rows need {name}, which the model took from an array",
                hint=f"Add a column {name!r} to both tables and name it: "
                f"Model(..., {name}={name!r})",
            )
    return {name: f64(rows.extras[name]) for name in names}

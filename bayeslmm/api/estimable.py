"""Which functions of the fixed effects the rows of a model determine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bayeslmm.api.fit import Fit
from bayeslmm.api.model import Model
from bayeslmm.design import estimable_basis
from bayeslmm.design import is_estimable as in_row_space
from bayeslmm.design.estimability import combination_text
from bayeslmm.errors import ColumnError, DataError, ModelError, is_finite, nearest
from bayeslmm.model import Model as Resolved


def is_estimable(model: Model | Fit, contrast: Mapping[str, float]) -> bool:
    """Whether the rows of X determine a linear function of the fixed effects.

    Parameters
    ----------
    model : Model or Fit
    contrast : mapping of str to float
        From coefficient to weight, over all columns of the formula's X, aliased ones too;
        coefficients that are not named have weight zero.

    Raises
    ------
    ColumnError
        A coefficient that the formula does not have.
    DataError
        Not a dict, or a weight that is not a number.
    """
    inner = resolved_of(model)
    names = inner.design.coefs
    if not isinstance(contrast, Mapping) or not contrast:
        raise DataError("A contrast must be a dict from coefficient to weight", got=repr(contrast))
    weights = np.zeros(len(names))
    for name, value in contrast.items():
        if name not in names:
            hint = nearest(str(name), names)
            raise ColumnError(f"The model has no coefficient {name!r}", hint=hint)
        if not is_finite(value):
            raise DataError(f"The contrast's weight of {name!r} must be a number", got=repr(value))
        weights[names.index(name)] = value
    return in_row_space(inner.aliasing, names, weights)


def estimable_functions(model: Model | Fit) -> pd.DataFrame:
    """A basis of all functions of the fixed effects that the rows of X determine.

    Every estimable function is a combination of these, and rank(X) is their number. The basis is
    the reduced row echelon form of X: each function has weight one on a coefficient that has
    weight zero in all others.

    Returns
    -------
    DataFrame, shape (rank, p)
        Index ``function``, written as ``Intercept - b[2]:c[3]``; a column of weights for each
        coefficient. ``attrs["aliased"]`` holds the combination that each aliased column equals.
    """
    inner = resolved_of(model)
    names = inner.design.coefs
    basis = estimable_basis(inner.aliasing, names)
    texts = [
        combination_text({n: w for n, w in zip(names, row, strict=True) if w}) for row in basis
    ]
    table = pd.DataFrame(basis, index=pd.Index(texts, name="function"), columns=list(names))
    table.attrs["aliased"] = {n: combination_text(c) for n, c in inner.aliasing.aliased.items()}
    return table


def resolved_of(model: Any) -> Resolved:
    """The inner model of a Model or a Fit."""
    if not isinstance(model, Model | Fit):
        raise ModelError("The first argument must be a Model or a Fit", got=type(model).__name__)
    return model.resolved

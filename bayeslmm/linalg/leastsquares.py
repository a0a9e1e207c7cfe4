"""Nonlinear least squares in a few dimensions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

Floats = NDArray[np.float64]


def fitted(miss: Callable[[Floats], Floats], start: Floats) -> Floats:
    """The point, shape (d,), at which the squares of `miss` have their least sum.

    Parameters
    ----------
    miss : callable
        From a point to what is missed there, shape (r,).
    start : ndarray, shape (d,)
    """
    return np.asarray(least_squares(miss, start, xtol=1e-12, ftol=1e-14, gtol=1e-12).x)
